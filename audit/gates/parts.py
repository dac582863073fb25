"""Bundle scope: do the parts add up to the whole?"""

from __future__ import annotations

from audit.contract import Finding
from audit.evidence import Evidence

GATE = "parts"


def check(ev: Evidence) -> list[Finding]:
    """Without leave-one-out legs the shares of the parts stay open."""
    names = [change.lever or "?" for change in ev.request.accepted]
    if len(names) < 2:
        return [Finding(gate=GATE, status="n/a", ids=["A02"], reason="one part: it is the whole")]
    reason = f"no leave-one-out legs: what each of {', '.join(names)} contributes is not known, only their sum"
    return [Finding(gate=GATE, status="unknown", required=False, ids=["A02", "A17"], reason=reason)]
