"""A gate: its name in the policy, the function, and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from audit.contract import Finding
from audit.evidence import Evidence


class Gate(NamedTuple):
    """``check`` is a pure function of the evidence; ``name`` is its row in the policy's scope."""

    name: str
    check: Callable[[Evidence], list[Finding]]
