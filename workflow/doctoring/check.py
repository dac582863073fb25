"""One line of what ``countersign doctor`` says."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "warn", "missing"]
"""``missing``: the embedded campaign cannot run without it. ``warn``: it can, but read why one would mind."""


class Check(NamedTuple):
    """What was looked at, how it is, and what to do about it; the cure is empty where nothing is to be done."""

    name: str
    state: State
    what: str
    cure: str = ""
