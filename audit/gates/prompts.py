"""Gate 1, the prompts: requests that ask the same thing again and again measure a cache, not a server."""

from __future__ import annotations

from audit.contract import Figure, Finding
from audit.evidence import Evidence, PromptsRow

GATE = "prompts"
QUOTED = 60


def check(ev: Evidence) -> list[Finding]:
    """Distinct prompts per request of every timed repeat, where the prompts are on record."""
    rows = [row for row in ev.tables.prompts if row.leg in ev.legs and row.requests]
    if not rows:
        return [
            Finding(
                gate=GATE,
                status="n/a" if not ev.own else "unknown",
                ids=["W02", "W04"],
                reason="the prompts are not on record: whether requests repeat each other cannot be told",
            )
        ]
    limit = ev.policy.rows.distinct_share
    few = [row for row in rows if row.prompts < limit * row.requests]
    if few:
        return [_same(ev, row, limit) for row in few[: ev.policy.limits.shown]]
    worst = min(rows, key=lambda row: row.prompts / row.requests)
    figures = {"distinct_share": Figure(worst.prompts / worst.requests, "1"), "limit": Figure(limit, "1")}
    reason = f"at least {worst.prompts} of {worst.requests} prompts of each repeat are different"
    return [Finding(gate=GATE, status="ok", ids=["W02"], reason=reason, figures=figures, sql=["distinct_prompts"])]


def _same(ev: Evidence, row: PromptsRow, limit: float) -> Finding:
    text = row.most if len(row.most) <= QUOTED else row.most[:QUOTED] + "..."
    where = f"{row.launch}/requests.jsonl"
    return Finding(
        gate=GATE,
        status="fail",
        situation="not_comparable",
        ids=["W02"],
        reason=(
            f"identical prompts: repeat {row.repeat} of {row.launch} holds {row.prompts} different prompts in {row.requests} "
            f"requests ({where}), {text!r} {row.times} times: a prefix cache answers what it has seen"
        ),
        next_step="Draw a prompt of its own for every request, or declare that repeated prompts are the workload.",
        figures={"distinct_share": Figure(row.prompts / row.requests, "1"), "limit": Figure(limit, "1")},
        sql=["distinct_prompts"],
        evidence=[ev.source(where)],
    )
