"""Harness scope: can the operator benchmark carry a number, as far as files decide it?"""

from __future__ import annotations

from audit.contract import Finding
from audit.evidence import Evidence

GATE = "harness"


def check(ev: Evidence) -> list[Finding]:
    """Findings on one operator benchmark."""
    return [Finding(gate=GATE, status="unknown", reason="no operator benchmark lies in the folder")]
