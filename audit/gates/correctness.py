"""Correctness: the candidate's server lived, the reference answers, and the candidate's answers are as good.

In this order: a crash; a reference that cannot be compared with; known answers inside the timed windows; parity dumps; graded
tasks; texts that broke. Any failure fails; one proof is enough; without either, what is missing is said.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from msgspec.structs import replace

from audit import stats
from audit.contract import Figure, Finding, Situation, Source
from audit.evidence import Evidence
from audit.gates import accuracy, broken, changes, coherence, parity, probed
from audit.gates.coherence import NONCOHERENT
from audit.intake.logs import LogEvent
from audit.intake.model import Launch

GATE = "correctness"
SQL = ["answers", "answer_pairs"]
__all__ = ["GATE", "NONCOHERENT", "baseline", "check"]


def check(ev: Evidence) -> list[Finding]:
    """Do no harm first; then a reference that answers; then everything that can show a loss or its absence."""
    crashed = _crashed(ev)
    if crashed:
        return crashed
    blind = coherence.reference(ev)
    if blind is not None:
        return [blind]
    told = [*_known(ev), *_probes(ev), *broken.candidate(ev)]
    failed = [item for item in told if item.status == "fail"]
    proven = [item for item in told if item.status == "ok"]
    flagged = [item for item in told if item.status == "flag"]
    still = [item for item in told if item.status == "unknown"]
    if failed or proven:
        return [*failed, *proven, *flagged, *(replace(item, required=False) for item in still)]
    harmless = _harmless(ev)
    if harmless:
        reason = f"the change moves only what cannot change an answer: {', '.join(harmless)}"
        return [
            Finding(gate=GATE, status="n/a", reason=reason, sql=["config_between"]),
            *(replace(i, required=False) for i in still),
        ]
    return [*still, *flagged] or [_unasked()]


def baseline(ev: Evidence) -> list[Finding]:
    """Baseline scope: does the leg give the known answers, or at least write text?"""
    found = _crashed(ev)
    blind = None if found else coherence.reference(ev)
    if blind is not None:
        found = [blind]
    asked = next((row for row in ev.tables.answers if row.leg == "ref"), None)
    if not found and asked is not None:
        words = f"{asked.given} of {asked.asked} known answers given"
        found = [Finding(gate=GATE, status="ok", ids=["K01"], reason=words, sql=["answers"])]
    if not found:
        found = [coherence.readable(ev) or _unasked()]
    return [replace(item, gate="coherence") for item in found]


def _probes(ev: Evidence) -> list[Finding]:
    """Parity and accuracy, where they were run on the servers that were timed."""
    strange = [*probed.missing(ev), *probed.strangers(ev)]
    away = {source.file for item in strange for source in item.evidence}
    told = [*parity.check(ev), *accuracy.check(ev)]
    return [*strange, *(item for item in told if not away & {source.file for source in item.evidence})]


def _known(ev: Evidence) -> list[Finding]:
    """Known answers inside the timed windows, paired by request; nothing where none were asked for."""
    rows = {row.leg: row for row in ev.tables.answers}
    if set(rows) != {"ref", "cand"} or not ev.tables.answer_pairs or ev.tables.answer_pairs[0].paired == 0:
        return []
    pairs, rules = ev.tables.answer_pairs[0], ev.policy.correctness
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


def _harmless(ev: Evidence) -> list[str]:
    """The settings that differ or were declared, when the policy knows of each that no answer depends on it; else nothing."""
    wanted = changes.declared(ev)
    moved = {item.root for item in changes.differences(ev)} | set(wanted.values) | wanted.named
    known = ev.policy.correctness.no_effect
    if wanted.overlay or not moved or not all(any(fnmatchcase(key, pattern) for pattern in known) for key in moved):
        return []
    return sorted(moved)


def _unasked() -> Finding:
    reason = "no known answers were asked for and no probe was recorded: whether the change keeps the answers cannot be told"
    step = "Mix prompts with known answers into the load, or leave parity dumps and a graded task beside the rows."
    return Finding(gate=GATE, status="unknown", ids=["K18"], reason=reason, next_step=step)


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


def _crashed(ev: Evidence) -> list[Finding]:
    """Servers that died or hung, by their record or by a line of their own log."""
    found = []
    for role, leg in ev.legs.items():
        who = "candidate" if role == "cand" else "reference"
        told = [(_cause(launch), [launch.source("server.json"), launch.source("server.log")]) for launch in leg.failed]
        told += [_logged(ev, launch, event) for launch in leg.launches for event in _deaths(launch)]
        told += [
            (f"did not stay up ({launch.start.source.file}: {launch.start.words!r})", [launch.start.source])
            for launch in leg.launches
            if launch.start is not None and not launch.start.ok
        ]
        for cause, sources in told:
            reason = f"the {who}'s server {cause}"
            if role == "cand":
                found.append(_fail("crashed", [], f"do no harm: {reason}", "Read server.log; drop the change.", sources))
            else:
                found.append(_fail("not_comparable", ["R14"], reason, "Mend the reference, measure again.", sources))
    return found


def _deaths(launch: Launch) -> list[LogEvent]:
    """The first line of a log that tells of the server's death; a launch that is known to have failed needs no log."""
    if launch.log is None or (launch.server is not None and launch.server.status == "failed"):
        return []
    return [event for event in launch.log.events if event.kind in ("crash", "oom")][:1]


def _logged(ev: Evidence, launch: Launch, event: LogEvent) -> tuple[str, list[Source]]:
    file = launch.log.file if launch.log else ""
    return f"{'ran out of memory' if event.kind == 'oom' else 'crashed'} ({file}:{event.line}: {event.text[:300]!r})", [
        ev.source(file, event.line)
    ]


def _cause(launch: Launch) -> str:
    failure = launch.server.failure if launch.server else None
    words = f" in phase {failure.phase}: {failure.reason}" if failure else ""
    detail = f" ({failure.detail})" if failure and failure.detail else ""
    return f"failed{words}{detail[:300]} ({launch.source('server.json').file})"
