"""An isolated speed-up beside an end-to-end claim: was the operator benchmark honest, and does the headline quote it?"""

from __future__ import annotations

from audit.contract import Finding
from audit.evidence import Evidence

GATE = "isolated"


def check(ev: Evidence) -> list[Finding]:
    """Flag ``replace`` when an isolated number is claimed and the benchmark behind it cannot carry it."""
    return [Finding(gate=GATE, status="n/a", ids=["A07"], reason="no isolated speed-up is claimed")]
