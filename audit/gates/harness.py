"""Harness scope: the shape of its findings, and the first question: do the two legs run two different things?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from audit.contract import Figure, Finding, Situation, Source
from audit.evidence import Evidence
from audit.intake.benches import Bench
from audit.intake.harness_record import HarnessRecord, Opbench

GATE = "harness_identity"
STEP = "Measure the operation again with a harness that cannot do this."


class Fault(NamedTuple):
    """Something wrong with a benchmark. ``situation``: as in the decision table; None makes it an ``unknown``."""

    situation: Situation | None
    ids: tuple[str, ...]
    reason: str
    source: Source
    step: str = STEP
    required: bool = True
    figures: tuple[tuple[str, float, str], ...] = ()


def place(source: Source) -> str:
    """``file:line`` for the words of a reason."""
    return f"{source.file}:{source.line}" if source.line else source.file


def finding(gate: str, fault: Fault) -> Finding:
    """A fault as a finding."""
    flagged = fault.situation in ("flagged", "replace", "downgrade", "noisy")
    return Finding(
        gate=gate,
        status="unknown" if fault.situation is None else "flag" if flagged else "fail",
        situation=fault.situation,
        required=fault.required,
        ids=list(fault.ids),
        reason=fault.reason,
        next_step=fault.step,
        figures={name: Figure(value, unit) for name, value, unit in fault.figures},
        evidence=[fault.source],
    )


class Asked(NamedTuple):
    """A question put to each benchmark: its faults, and the words when it has none."""

    gate: str
    ids: tuple[str, ...]
    faults: Callable[[Evidence, Bench], Sequence[Fault]]
    fine: Callable[[Bench], str]


def ask(ev: Evidence, asked: Asked) -> list[Finding]:
    """The answer for every benchmark that could be read."""
    found: list[Finding] = []
    for bench in ev.benches.items:
        if bench.opbench is None and bench.record is None:
            continue
        faults = asked.faults(ev, bench)
        found += [finding(asked.gate, fault) for fault in faults]
        if not any(fault.required for fault in faults):
            at = bench.record_at if bench.record is not None else bench.opbench_at
            words = f"{at.source.file}: {asked.fine(bench)}"
            found.append(Finding(gate=asked.gate, status="ok", ids=list(asked.ids), reason=words, evidence=[at.source]))
    return found


def check(ev: Evidence) -> list[Finding]:
    """The baseline is not the candidate, and each leg ran what it is named after."""
    if not ev.benches.items:
        step = "Name the folder with opbench_result.json or harness_record.json in the request (eval_dir)."
        return [
            Finding(gate=GATE, status="unknown", ids=["H01"], reason="no operator benchmark lies in the folder", next_step=step)
        ]
    broken = [
        finding(
            GATE, Fault("damaged", item.ids, f"{place(item.source)}: {item.what}", item.source, "Write the file whole again.")
        )
        for bench in ev.benches.items
        for item in bench.unreadable
    ]
    return broken + ask(ev, Asked(GATE, ("H01", "H02"), identity_faults, _legs))


def _legs(bench: Bench) -> str:
    if bench.record is not None:
        one, other = bench.record.baseline, bench.record.candidate
        return f"{one.qualname!r} of {one.file} against {other.qualname!r} of {other.file}, told apart by name and digest"
    bench_ = bench.opbench or Opbench()
    if bench_.winner_backend is None or bench_.winner_backend == bench_.baseline_backend:
        return "no backend is said to beat the baseline"
    return f"{bench_.winner_backend!r} against {bench_.baseline_backend!r}, told apart by name only"


def near(one: float, other: float, pct: float) -> bool:
    """Equal within a percentage of the larger."""
    return abs(one - other) <= pct / 100 * max(abs(one), abs(other))


def identity_faults(ev: Evidence, bench: Bench) -> list[Fault]:
    """Both legs the same thing, or each leg running the other's."""
    found = list(_same_backend(ev, bench)) if bench.opbench else []
    return found + (list(_resolved(bench, bench.record)) if bench.record else [])


def _same_backend(ev: Evidence, bench: Bench) -> Iterator[Fault]:
    told, rules, at = bench.opbench or Opbench(), ev.policy.harness, bench.opbench_at
    speedup = told.isolated_speedup
    if speedup is None:
        return
    if told.winner_backend is None or told.baseline_backend is None:
        words = f"{place(at.source)}: a speed-up of {speedup:g} is quoted, but not which backend beat which"
        yield Fault(None, ("H01",), words, at.source, "Name winner_backend and baseline_backend.")
    elif told.winner_backend == told.baseline_backend and abs(speedup - 1) * 100 > rules.self_speedup_pct:
        source = at.at("baseline_backend")
        words = (
            f"self-comparison: {place(source)} names {told.baseline_backend!r} both baseline and winner, "
            f"and quotes a speed-up of {speedup:g} all the same{_wrong_alternative(ev, told)}"
        )
        step = "Time the candidate against the implementation that the live server runs without it."
        yield Fault("not_comparable", ("H01",), words, source, step, figures=(("isolated_speedup", speedup, "x"),))


def _wrong_alternative(ev: Evidence, told: Opbench) -> str:
    """Words on faster backends with an error no tolerance allows."""
    limit = ev.policy.harness.max_error["*"]
    found = [
        f"{row.backend!r} (relative error {row.max_rel_err:g})"
        for row in told.results
        if row.ms is not None and told.winner_ms is not None and row.ms < told.winner_ms and (row.max_rel_err or 0) > limit
    ]
    return f"; what is faster is wrong: {', '.join(found)}" if found else ""


def _resolved(bench: Bench, record: HarnessRecord) -> Iterator[Fault]:
    base, cand, at = record.baseline, record.candidate, bench.record_at
    if base.qualname == cand.qualname and (base.sha256 == cand.sha256 or base.file == cand.file):
        source = at.at("qualname", 1)
        words = f"self-comparison: both legs resolved to {base.qualname!r} of {base.file} ({place(source)})"
        yield Fault("not_comparable", ("H01", "H32"), words, source, "Import the candidate under its own name and measure again.")
        return
    expected = {"baseline": base.sha256, "candidate": cand.sha256}
    for number, row in enumerate(record.results):
        if row.file_sha256 == expected[row.leg]:
            continue
        source = at.at("file_sha256", number)
        swapped = row.file_sha256 in expected.values()
        whose = "the other leg's file" if swapped else "a file that is neither leg's"
        words = f"{place(source)}: the {row.leg} row of shape {row.shape} timed {whose} ({row.file_sha256[:12]})"
        yield Fault("not_comparable", ("H02",) if swapped else ("H44",), words, source)
    for name, side in (("baseline", base), ("candidate", cand)):
        for item in bench.sources:
            lies = item.source.file in (side.file, f"{bench.dir}/{side.file}")
            if lies and item.source.sha256 not in (None, side.sha256):
                words = f"{item.source.file} has another digest than the file that was measured as {name}"
                yield Fault("not_comparable", ("H44", "O12"), words, item.source, "Measure the file that lies here.")
