"""Which gates a scope runs, in the order in which their findings are told."""

from __future__ import annotations

from typing import assert_never

from audit.contract import Scope
from audit.scopes.gate import Gate


def gates(scope: Scope) -> tuple[Gate, ...]:
    """The gates of a scope; those of the others are not imported."""
    if scope == "baseline":
        from audit.scopes import baseline

        return baseline.GATES
    if scope == "profile":
        from audit.scopes import profile

        return profile.GATES
    if scope == "harness":
        from audit.scopes import harness

        return harness.GATES
    if scope == "patch":
        from audit.scopes import patch

        return patch.GATES
    if scope == "bundle":
        from audit.scopes import bundle

        return bundle.GATES
    assert_never(scope)
