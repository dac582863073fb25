"""Bundle scope: do the parts add up to the whole?"""

from __future__ import annotations

from audit import stats
from audit.contract import Figure, Finding
from audit.evidence import Evidence
from audit.gates import shares

GATE = "parts"
STEP = "Measure the bundle once more without each part (without_<part>/ beside ref/ and cand/), interleaved with the rest."


def check(ev: Evidence) -> list[Finding]:
    """Leave-one-out shares and their interaction; a part not shown to bring anything is flagged; without legs all stays open."""
    names = [change.lever or "?" for change in ev.request.accepted]
    if len(names) < 2 and not ev.parts:
        return [Finding(gate=GATE, status="n/a", ids=["A02"], reason="one part: it is the whole")]
    found = shares.measured(ev)
    if not found:
        reason = f"not separable: no leave-one-out legs, what each of {', '.join(names)} contributes is not known, only their sum"
        return [Finding(gate=GATE, status="unknown", required=False, ids=["A02", "A17"], reason=reason, next_step=STEP)]
    figures = {share.part: Figure(stats.significant(share.estimate_pct), "%") for share in found}
    rest = shares.interaction(ev, found)
    words = "; ".join(share.words for share in found)
    if rest is not None:
        figures["interaction"] = Figure(stats.significant(rest), "%")
        words += f"; interaction {rest:+.2f} %"
    sources = [row.source for share in found for _, row in share.leg.rows[:1]]
    idle = [share for share in found if _unshown(share, ev.request.noise_band_pct)]
    if idle:
        reason = f"{', '.join(share.part for share in idle)}: not shown to bring anything: {words}"
        return [
            Finding(
                gate=GATE,
                status="flag",
                situation="flagged",
                ids=["A02", "A10"],
                reason=reason,
                next_step=f"Drop {', '.join(share.part for share in idle)}, or measure more launches to show what it brings.",
                figures=figures,
                sql=["launch_medians"],
                evidence=sources,
            )
        ]
    missing = [name for name in names if not any(share.part == name for share in found)]
    tail = f"; no leg of its own for {', '.join(missing)}" if len(found) < len(names) else ""
    return [
        Finding(
            gate=GATE,
            status="ok",
            ids=["A02", "A17"],
            reason=f"{words}{tail}",
            figures=figures,
            sql=["launch_medians"],
            evidence=sources,
        )
    ]


def _unshown(share: shares.Share, band_pct: float) -> bool:
    """A part has to be shown to bring something: its lower bound above zero; without an interval, its estimate above the band."""
    return share.lower_pct <= 0 if share.lower_pct is not None else share.estimate_pct <= band_pct
