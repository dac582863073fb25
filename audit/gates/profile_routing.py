"""Profile scope: was the right operation chosen to work on, by the corrected shares?"""

from __future__ import annotations

import re

from audit.contract import Figure, Finding
from audit.evidence import Evidence
from audit.intake.traces import canonical

GATE = "profile_routing"
SPEEDUP = 2.0


def shares(ev: Evidence) -> dict[str, float]:
    """Corrected share of each operation, percent: from the traces, else from the tables grouped by operation."""
    rules = ev.policy.profile
    found: dict[str, float] = {}
    total = sum(trace.total_us for trace in ev.profiles.traces)
    for trace in ev.profiles.traces:
        for op in trace.ops:
            found[op.name] = found.get(op.name, 0.0) + (100 * op.total_us / total if total else 0.0)
    if not found:
        for table in ev.profiles.tables[:1]:
            for entry in table.entries:
                name = canonical(entry.name, rules)
                found[name] = found.get(name, 0.0) + (entry.pct or 0.0)
    return found


def ceiling_pct(share_pct: float, speedup: float) -> float:
    """Amdahl's bound on the whole's gain, percent, when a part of this share runs ``speedup`` times as fast."""
    return 100 * (1 / (1 - share_pct / 100 * (1 - 1 / speedup)) - 1)


def check(ev: Evidence) -> list[Finding]:
    """Every routed operation against its corrected share; the largest workable one that nobody routed."""
    if not ev.profiles.routed:
        return [Finding(gate=GATE, status="n/a", ids=["P09"], reason="nothing was routed on the word of this profile")]
    truth, rules = shares(ev), ev.policy.profile
    if not truth:
        return [Finding(gate=GATE, status="unknown", ids=["P09"], reason="no shares to hold the routed list against")]
    found = []
    names = {canonical(item.op, rules): item for item in ev.profiles.routed}
    for name, item in sorted(names.items()):
        share = truth.get(name, 0.0)
        figures = {"share": Figure(share, "%"), "ceiling_at_2x": Figure(ceiling_pct(share, SPEEDUP), "%")}
        if share < rules.min_share_pct:
            words = f"{item.file}: {name} was routed and is {share:.3g} % of the time: nothing to win there"
            found.append(_finding(ev, item.file, ["P09", "A16"], words, "Route the operations that take the time.", figures))
        elif item.share_pct is not None and abs(item.share_pct - share) > rules.share_points:
            words = f"{item.file}: {name} was routed for {item.share_pct:.3g} % and is {share:.3g} %"
            found.append(_finding(ev, item.file, ["A15", "P05"], words, "Route by the corrected shares.", figures))
    closed = re.compile(rules.closed)
    for name in sorted(truth, key=lambda key: (-truth[key], key)):
        if truth[name] <= max((truth.get(key, 0.0) for key in names), default=0.0) + rules.share_points:
            break
        if not closed.search(name):
            words = f"{name} takes {truth[name]:.3g} %, more than anything routed, and was skipped"
            figures = {"share": Figure(truth[name], "%"), "ceiling_at_2x": Figure(ceiling_pct(truth[name], SPEEDUP), "%")}
            found.append(_finding(ev, ev.profiles.routed[0].file, ["A16", "P01"], words, "Route it, or say why not.", figures))
            break
    if found:
        return found
    words = ", ".join(
        f"{name} {truth.get(name, 0.0):.3g} %, at most {ceiling_pct(truth.get(name, 0.0), SPEEDUP):+.3g} % at 2x"
        for name in sorted(names)
    )
    return [Finding(gate=GATE, status="ok", ids=["P09", "A16"], reason=f"routed by shares that hold: {words}")]


def _finding(ev: Evidence, file: str, ids: list[str], reason: str, step: str, figures: dict[str, Figure]) -> Finding:
    return Finding(
        gate=GATE,
        status="flag",
        situation="flagged",
        ids=ids,
        reason=reason,
        next_step=step,
        figures=figures,
        evidence=[ev.source(file)],
    )
