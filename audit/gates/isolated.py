"""An isolated speed-up beside an end-to-end claim: was the operator benchmark honest, and does the serving gain bear it out?"""

from __future__ import annotations

import re
from typing import NamedTuple

from audit import effect
from audit.contract import Change, Figure, Finding, Source
from audit.evidence import Evidence
from audit.gates import harness, harness_correctness, harness_numbers, real_delta
from audit.gates.harness import Fault, place
from audit.intake.benches import Bench

GATE = "isolated"
SUBJECT, SHARE = "isolated_speedup", "pct_gpu_time"


class Quoted(NamedTuple):
    """An isolated speed-up above 1 that somebody quotes, and where."""

    value: float
    source: Source


def check(ev: Evidence) -> list[Finding]:
    """Flag ``replace`` when the benchmark behind a quoted speed-up cannot carry it; fail when no serving gain comes of it."""
    quoted = speedups(ev)
    if not quoted:
        return [Finding(gate=GATE, status="n/a", ids=["A07"], reason="no isolated speed-up is claimed")]
    end = real_delta.check(ev)[0]
    best = max(quoted, key=lambda item: (item.value, item.source.file, item.source.line or 0))
    words = f"an isolated speed-up of {best.value:g} is quoted ({place(best.source)})"
    if end.status == "unknown":
        reason = f"{words}; whether it shows end to end was not measured"
        step = "Measure both legs end to end; an isolated number is no serving gain."
        return [Finding(gate=GATE, status="unknown", ids=["A07"], reason=reason, next_step=step, evidence=[best.source])]
    if end.status == "fail":
        return [_flat(words, end, best)]
    found = [_unfounded(words, fault) for fault in unfounded(ev)] + _above_ceiling(ev, best)
    if found:
        return found
    known = any(bench.opbench or bench.record for bench in benches(ev))
    reason = f"{words} and the gain shows end to end" + ("" if known else "; no benchmark lies with the run to check it")
    return [Finding(gate=GATE, status="ok", ids=["A07"], reason=reason, evidence=[best.source])]


def benches(ev: Evidence) -> list[Bench]:
    """Benchmarks of the operation under audit: all of them when a claim quotes one, else those that the request names."""
    if any(item.subject == SUBJECT for item in ev.claims.items if item.about != "bench"):
        return list(ev.benches.items)
    asked = [ev.request.cand_dir, ev.request.short_name, ev.request.what, *(change.lever for change in _changes(ev))]
    words = set(re.split(r"[^a-z0-9]+", " ".join(item or "" for item in asked).lower()))
    return [bench for bench in ev.benches.items if set(re.split(r"[^a-z0-9]+", _operation(bench))) & (words - {""})]


def _changes(ev: Evidence) -> list[Change]:
    return [*ev.request.accepted, *([ev.request.change] if ev.request.change else [])]


def _operation(bench: Bench) -> str:
    return bench.dir.rpartition("/")[2].lower().removeprefix("cand_")


def speedups(ev: Evidence) -> list[Quoted]:
    """Isolated speed-ups above 1 in claims, and in the benchmarks of this operation."""
    found = [
        Quoted(float(item.value), item.source)
        for item in ev.claims.items
        if item.subject == SUBJECT and item.about != "bench" and isinstance(item.value, int | float)
    ]
    for bench in benches(ev):
        if bench.opbench and bench.opbench.isolated_speedup is not None:
            found.append(Quoted(bench.opbench.isolated_speedup, bench.opbench_at.at(SUBJECT)))
        if bench.record and bench.record.speedup is not None:
            found.append(Quoted(bench.record.speedup, bench.record_at.at("speedup")))
    least = 1 + ev.policy.harness.self_speedup_pct / 100
    return [item for item in found if item.value > least]


def unfounded(ev: Evidence) -> list[Fault]:
    """Why the benchmarks behind the quoted number cannot carry it: the legs, the arithmetic, the result."""
    found = []
    for bench in benches(ev):
        for question in (harness.identity_faults, harness_numbers.faults, harness_correctness.faults):
            found += [fault for fault in question(ev, bench) if fault.situation not in (None, "flagged")]
    return found


def _flat(words: str, end: Finding, best: Quoted) -> Finding:
    """The speed-up does not show in serving; how sure that is, the end-to-end figures say."""
    return Finding(
        gate=GATE,
        status="fail",
        situation=end.situation,
        ids=["A07"],
        reason=f"{words}, and no serving gain comes of it: {end.reason}",
        next_step="Quote what the servers show, not the benchmark of one operation.",
        figures={SUBJECT: Figure(best.value, "x"), **end.figures},
        sql=end.sql,
        evidence=[best.source, *end.evidence],
    )


def _unfounded(words: str, fault: Fault) -> Finding:
    return Finding(
        gate=GATE,
        status="flag",
        situation="replace",
        ids=["A07", *fault.ids],
        reason=f"{words}, and its benchmark cannot carry it: {fault.reason}; the serving gain stands on its own rows",
        next_step="Quote the end-to-end gain instead, and mend the benchmark.",
        figures={name: Figure(value, unit) for name, value, unit in fault.figures},
        evidence=[fault.source],
    )


def _above_ceiling(ev: Evidence, best: Quoted) -> list[Finding]:
    """A serving gain that the quoted speed-up cannot explain: real all the same, so what is in doubt is its cause."""
    shares = _shares(ev)
    shares = [item for item in shares if 0 < item[0] <= 100]
    if not shares:
        return []
    share, source = max(shares, key=lambda item: item[0])
    top = harness_numbers.ceiling_pct(share, best.value)
    found = effect.measure(ev)
    pair = ev.tables.pair(effect.HEADLINE)
    gain = found.lower_pct if found.lower_pct is not None else pair.delta_pct if pair else None
    if gain is None or gain <= top * (1 + ev.policy.harness.ceiling_pct / 100) + ev.request.noise_band_pct:
        return []
    reason = (
        f"the serving gain of {gain:+.2f} % is more than {share:g} % of the time at {best.value:g}x can bring ({top:.2f} %, "
        f"{place(source)}): the gain is real, its cause is not, or not alone, this operation"
    )
    step = "Measure a leg without this change, and look for what else moved; or correct the share."
    figures = {"gain": Figure(gain, "%"), "ceiling": Figure(top, "%"), SHARE: Figure(share, "%")}
    return [
        Finding(
            gate=GATE,
            status="flag",
            situation="flagged",
            ids=["A04"],
            reason=reason,
            next_step=step,
            figures=figures,
            sql=["leg_metrics", "metric_pairs", "launch_medians"],
            evidence=[best.source, source],
        )
    ]


def _shares(ev: Evidence) -> list[tuple[float, Source]]:
    """Shares of the GPU's time, percent, that claims and benchmarks state."""
    found = []
    for item in ev.claims.items:
        named = item.field.rpartition(".")[2] == SHARE
        if named and isinstance(item.value, int | float) and not isinstance(item.value, bool):
            found.append((float(item.value), item.source))
    told = [(bench.opbench.pct_gpu_time, bench.opbench_at.at(SHARE)) for bench in benches(ev) if bench.opbench]
    return found + [(value, source) for value, source in told if value is not None]
