"""Profile scope: shares by operation, recomputed from the trace, against the table and the routing made of it."""

from __future__ import annotations

from audit.contract import Finding
from audit.evidence import Evidence

GATE = "profile"


def check(ev: Evidence) -> list[Finding]:
    """Findings on the profile of one configuration."""
    return [Finding(gate=GATE, status="unknown", reason="no trace and no Top-N table lies in the folder")]
