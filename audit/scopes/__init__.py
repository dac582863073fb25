"""Which gates a scope runs, in the order in which their findings are told."""

from __future__ import annotations

from typing import assert_never

from audit.contract import Scope
from audit.scopes import baseline, bundle, harness, patch, profile
from audit.scopes.gate import Gate


def gates(scope: Scope) -> tuple[Gate, ...]:
    """The gates of a scope."""
    if scope == "baseline":
        return baseline.GATES
    if scope == "profile":
        return profile.GATES
    if scope == "harness":
        return harness.GATES
    if scope == "patch":
        return patch.GATES
    if scope == "bundle":
        return bundle.GATES
    assert_never(scope)
