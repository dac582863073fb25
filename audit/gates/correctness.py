"""Correctness: the answers given inside the timed windows, and whether the candidate's server lived through them."""

from __future__ import annotations

from audit import stats
from audit.contract import Figure, Finding, Situation, Source
from audit.evidence import Evidence
from audit.intake.model import Launch

GATE = "correctness"
SQL = ["answers", "answer_pairs"]
NONCOHERENT = "unverifiable_noncoherent_reference"


def check(ev: Evidence) -> list[Finding]:
    """Do no harm first; then a reference that answers; then the pairs that were lost."""
    crashed = _crashed(ev)
    if crashed:
        return crashed
    rows = {row.leg: row for row in ev.tables.answers}
    if set(rows) != {"ref", "cand"}:
        return [_unasked()]
    coherent = _coherent(ev, GATE)
    if coherent:
        return coherent
    pairs, rules = ev.tables.answer_pairs[0], ev.policy.correctness
    if pairs.paired == 0:
        return [_unasked()]
    lost_points = 100 * (rows["ref"].given / rows["ref"].asked - rows["cand"].given / rows["cand"].asked)
    p = stats.mcnemar_p(pairs.lost, pairs.won)
    figures = {
        "paired": Figure(pairs.paired, "requests"),
        "lost": Figure(pairs.lost, "requests"),
        "won": Figure(pairs.won, "requests"),
        "points_lost": Figure(stats.significant(lost_points), "points"),
        "mcnemar_p": Figure(stats.significant(p), "1"),
    }
    words = f"{pairs.paired} known answers, paired: {pairs.lost} lost, {pairs.won} won (exact McNemar p {p:.3g})"
    sources = [leg.launches[0].source("requests.jsonl") for leg in ev.legs.values() if leg.launches]
    if lost_points > rules.loss_points and p < rules.p:
        reason = f"correctness lost: {lost_points:.3g} points of {words}"
        step = "Drop the change, or find out why its answers differ: a faster wrong answer is no gain."
        return [_fail("correctness_lost", ["K08", "K20"], reason, step, sources, figures)]
    return [Finding(gate=GATE, status="ok", ids=["K08", "K20"], reason=words, figures=figures, sql=SQL, evidence=sources)]


def coherence(ev: Evidence) -> list[Finding]:
    """Baseline scope: does the leg give the known answers?"""
    crashed = _crashed(ev)
    if crashed:
        return [_gate(item, "coherence") for item in crashed]
    if not any(row.leg == "ref" for row in ev.tables.answers):
        return [_gate(_unasked(), "coherence")]
    failing = _coherent(ev, "coherence")
    if failing:
        return failing
    row = next(row for row in ev.tables.answers if row.leg == "ref")
    return [
        Finding(
            gate="coherence", status="ok", ids=["K01"], reason=f"{row.given} of {row.asked} known answers given", sql=["answers"]
        )
    ]


def _gate(finding: Finding, gate: str) -> Finding:
    from msgspec.structs import replace

    return replace(finding, gate=gate)


def _unasked() -> Finding:
    reason = "no known answers were asked for inside the timed windows: whether the change keeps them cannot be told"
    return Finding(
        gate=GATE, status="unknown", ids=["K18"], reason=reason, next_step="Mix prompts with known answers into the load."
    )


def _fail(
    situation: Situation, ids: list[str], reason: str, step: str, evidence: list[Source], figures: dict[str, Figure] | None = None
) -> Finding:
    return Finding(
        gate=GATE,
        status="fail",
        situation=situation,
        ids=ids,
        reason=reason,
        next_step=step,
        evidence=evidence,
        figures=figures or {},
        sql=SQL if figures else [],
    )


def _coherent(ev: Evidence, gate: str) -> list[Finding]:
    row = next(row for row in ev.tables.answers if row.leg == "ref")
    rate, floor = row.given / row.asked, ev.policy.correctness.floor
    if rate >= floor:
        return []
    reason = f"{NONCOHERENT}: the reference gives {row.given} of {row.asked} known answers, fewer than {100 * floor:g} %"
    step = "Mend the reference first: against text that is wrong already nothing can be compared."
    figures = {"rate": Figure(stats.significant(rate), "1"), "floor": Figure(floor, "1")}
    sources = [launch.source("requests.jsonl") for launch in ev.legs["ref"].launches[:1]]
    return [_gate(_fail("not_comparable", ["K01"], reason, step, sources, figures), gate)]


def _crashed(ev: Evidence) -> list[Finding]:
    found = []
    for role, leg in ev.legs.items():
        for launch in leg.failed:
            reason = f"the {'candidate' if role == 'cand' else 'reference'}'s server {_cause(launch)}"
            source = [launch.source("server.json"), launch.source("server.log")]
            if role == "cand":
                found.append(_fail("crashed", ["K04"], f"do no harm: {reason}", "Read server.log; drop the change.", source))
            else:
                found.append(_fail("not_comparable", ["R14"], reason, "Mend the reference, measure again.", source))
    return found


def _cause(launch: Launch) -> str:
    failure = launch.server.failure if launch.server else None
    words = f" in phase {failure.phase}: {failure.reason}" if failure else ""
    detail = f" ({failure.detail})" if failure and failure.detail else ""
    return f"failed{words}{detail[:300]} ({launch.source('server.json').file})"
