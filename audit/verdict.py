"""From findings to a verdict: the decision table of gates.md, "Composition"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from audit import effect
from audit.contract import Action, Effect, Finding, Launches, Metric, Outcome, Side, Situation, Verdict, Word
from audit.evidence import Evidence, MetricRow
from audit.gates import baseline_drift, lever_class
from audit.gates.accuracy import UNDERPOWERED
from audit.gates.correctness import NONCOHERENT
from audit.gates.lifecycle import MARKED
from audit.intake.rows import ALL_METRICS
from audit.policy import Loaded


class Decision(NamedTuple):
    """A row of the decision table."""

    verdict: Word
    action: Action
    outcome: Outcome


TABLE: dict[Situation, Decision] = {
    "damaged": Decision("FAIL", "eject", "evidence_damaged"),
    "crashed": Decision("FAIL", "eject", "refuted"),
    "not_comparable": Decision("FAIL", "eject", "not_measured"),
    "correctness_lost": Decision("FAIL", "eject", "refuted"),
    "missing": Decision("FAIL", "remeasure", "not_measured"),
    "harm": Decision("FAIL", "eject", "refuted"),
    "refuted": Decision("FAIL", "eject", "refuted"),
    "underpowered": Decision("FAIL", "remeasure", "underpowered"),
    "noisy": Decision("FLAG", "remeasure", "underpowered"),
    "downgrade": Decision("FLAG", "downgrade_headline", "proven"),
    "replace": Decision("FLAG", "replace_headline_with_e2e", "proven"),
    "flagged": Decision("FLAG", "flag", "proven"),
}
"""Strongest first: damage speaks before all else, a crash before what it left unmeasured, and every FAIL before every FLAG."""

PASSED = Decision("PASS", "pass", "proven")


def situation(finding: Finding) -> Situation | None:
    """The row of the table that a finding argues for; None when it argues for nothing."""
    if finding.status in ("flag", "fail"):
        return finding.situation or "not_comparable"
    return "missing" if finding.status == "unknown" and finding.required else None


def decide(findings: Sequence[Finding]) -> Decision:
    """The strongest row that any finding argues for."""
    argued = {situation(finding) for finding in findings}
    return next((decision for name, decision in TABLE.items() if name in argued), PASSED)


def _side(ev: Evidence, role: str, row: MetricRow | None) -> Side | None:
    if row is None:
        return None
    leg = ev.legs[role]
    launches = len(leg.launches) if leg.launches_known else None
    return Side(row.n, launches, row.median, row.low, row.high, row.spread_pct)


def metrics(ev: Evidence) -> dict[str, Metric]:
    """Every metric that the rows of a leg hold."""
    found: dict[str, Metric] = {}
    for item in ALL_METRICS:
        ref, cand = (_side(ev, role, ev.tables.metric(role, item.name)) for role in ("ref", "cand"))
        if ref is None and cand is None:
            continue
        pair = ev.tables.pair(item.name)
        delta, apart = (pair.delta_pct, pair.non_overlapping) if pair else (None, None)
        found[item.name] = Metric(item.unit, item.better, ref, cand, delta, apart)
    return found


def _ok(findings: Sequence[Finding], gate: str) -> bool | None:
    """True when a gate found nothing wrong, False when it failed, None when it cannot say or did not run."""
    mine = {finding.status for finding in findings if finding.gate == gate}
    return False if "fail" in mine else None if "unknown" in mine or "ok" not in mine else True


def _correctness(findings: Sequence[Finding]) -> str:
    for finding in findings:
        if finding.gate in ("correctness", "coherence"):
            if finding.situation == "not_comparable" and NONCOHERENT in finding.reason:
                return NONCOHERENT
            if finding.status == "unknown" and finding.reason.startswith(UNDERPOWERED):
                return UNDERPOWERED
            words = {"crashed": "crashed", "correctness_lost": "lost", "not_comparable": "reference_failed"}
            return words.get(finding.situation or "", "ok" if finding.status == "ok" else "not_checked")
    return "not_checked"


def _reasons(findings: Sequence[Finding], decision: Decision) -> list[str]:
    """What fails, strongest first; for a verdict without a failure what was flagged, then what carries it."""
    order = list(TABLE)
    argued = [(order.index(name), finding) for finding in _speaking(findings, decision) if (name := situation(finding))]
    argued.sort(key=lambda item: item[0])
    reasons = [finding.reason for _, finding in argued]
    if decision.verdict != "FAIL":
        reasons += [finding.reason for finding in findings if finding.gate in ("real_delta", "spread") and finding.status == "ok"]
    return list(dict.fromkeys(reasons))


def _speaking(findings: Sequence[Finding], decision: Decision) -> list[Finding]:
    """Findings that argue for a row of the verdict's own colour: beside a failure, flags are not what has to be mended."""
    return [finding for finding in findings if (name := situation(finding)) and TABLE[name].verdict == decision.verdict]


def _note(ev: Evidence, findings: Sequence[Finding], remarks: Sequence[str]) -> str:
    notes = list(remarks)
    if any(MARKED in finding.reason for finding in findings):
        notes.append("Marked: no sandbox, the servers could see the run.")
    if ev.request.scope == "bundle" and not ev.request.accepted:
        notes.append("No accepted parts were named.")
    return " ".join(notes)


def build(ev: Evidence, findings: Sequence[Finding], measured: Effect, remarks: Sequence[str], loaded: Loaded) -> Verdict:
    """The whole verdict; ``input_digest`` is filled in by the engine."""
    decision = decide(findings)
    patch = ev.request.scope in ("patch", "bundle")
    levers = lever_class.classify(ev) if patch else lever_class.Levers("n/a", [], [])
    table = metrics(ev)
    headline = table.get(effect.HEADLINE)
    status = {finding.status for finding in findings if finding.gate == "headline"}
    integrity = "n/a" if not patch else next((s for s in ("fail", "flag", "ok") if s in status), "not_checked")
    steps = [finding.next_step for finding in _speaking(findings, decision) if finding.next_step]
    counts = {role: (len(leg.launches) if leg.launches_known else None) for role, leg in ev.legs.items()}
    return Verdict(
        short_name=ev.request.short_name or ev.request.scope,
        audit_scope=ev.request.scope,
        verdict=decision.verdict,
        action=decision.action,
        outcome=decision.outcome,
        lever_class=levers.kind,
        lever_evidence=levers.evidence,
        counts_as_kernel_win=levers.kind == "A" and decision.outcome == "proven" and decision.action != "downgrade_headline",
        e2e_delta_pct=headline.delta_pct if headline else None,
        lever_decomposition=levers.parts,
        non_overlapping=headline.non_overlapping if headline else None,
        same_conditions_ok=_conditions_ok(findings),
        baseline_drift_pct=baseline_drift.drift_pct(ev) if patch else None,
        engagement_ok=_ok(findings, "engagement"),
        headline_integrity=integrity,
        metrics=table,
        correctness_status=_correctness(findings),
        launches=Launches(counts.get("ref"), counts.get("cand"), [len(leg.launches) for leg in ev.noise]),
        effect=measured,
        flags=[finding.reason for finding in findings if finding.status == "flag"],
        reasons=_reasons(findings, decision),
        findings=list(findings),
        not_checked=[f"{f.gate}: {f.reason}" for f in findings if f.status == "unknown" and not f.required],
        next_steps=list(dict.fromkeys(steps)),
        note=_note(ev, findings, remarks),
        policy=loaded.policy.name,
        policy_digest=loaded.digest,
        input_digest="",
        signed_off=decision.verdict != "FAIL",
    )


def _conditions_ok(findings: Sequence[Finding]) -> bool | None:
    """Gate 1 as a whole: settings, work, contention, lifecycle."""
    parts = [_ok(findings, gate) for gate in ("same_conditions", "same_work", "contention", "lifecycle", "baseline_conditions")]
    failed = any(part is False for part in parts)
    settled = _ok(findings, "same_conditions") or _ok(findings, "baseline_conditions")
    return False if failed else True if settled else None
