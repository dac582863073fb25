"""Harness scope: quoted speed-ups and ceilings follow from the times beside them."""

from __future__ import annotations

from collections.abc import Iterator

from audit.contract import Finding
from audit.evidence import Evidence
from audit.gates.harness import Asked, Fault, ask, near, place
from audit.intake.benches import Bench
from audit.intake.harness_record import Opbench

GATE = "harness_numbers"


def check(ev: Evidence) -> list[Finding]:
    """Quoted speed-ups and ceilings, recomputed."""
    return ask(ev, Asked(GATE, ("H08", "R02"), faults, _speedup))


def _speedup(bench: Bench) -> str:
    quoted = [bench.opbench.isolated_speedup if bench.opbench else None, bench.record.speedup if bench.record else None]
    shown = ", ".join(f"{value:g}" for value in quoted if value is not None)
    return f"the quoted speed-up of {shown} follows from its times" if shown else "no speed-up is quoted"


def faults(ev: Evidence, bench: Bench) -> list[Fault]:
    """A speed-up that its own times do not give."""
    found = list(_arithmetic(ev, bench)) if bench.opbench else []
    return found + list(_over_shapes(ev, bench))


def _arithmetic(ev: Evidence, bench: Bench) -> Iterator[Fault]:
    told, rules, at = bench.opbench or Opbench(), ev.policy.harness, bench.opbench_at
    speedup, base, best = told.isolated_speedup, told.baseline_ms, told.winner_ms
    row = told.row(told.winner_backend)
    source = at.at("isolated_speedup")
    if row is not None and row.available and row.correct and row.ms is None:
        words = f"{place(at.at('ms'))}: the winner {row.backend!r} is called available and correct, but was never timed"
        yield Fault("missing", ("R01", "R13"), words, at.at("ms"), "Time the winner, or name none.")
    elif not any(item.ms for item in told.results) and not (base and best):
        yield Fault(
            None, ("R01",), f"{place(at.source)}: no backend was timed", at.source, "Time the baseline and the candidate."
        )
    elif speedup is None:
        if told.winner_backend not in (None, told.baseline_backend):
            yield Fault(None, ("R01",), f"{place(source)}: a winner without a speed-up: it was never timed", source, "Time it.")
    elif not base or not best or told.measured is False:
        words = f"{place(source)}: a speed-up of {speedup:g} is quoted without both times behind it"
        yield Fault("missing", ("R01", "R13"), words, source, "Time both backends.")
    elif best > rules.floor_ms and not near(speedup, base / best, rules.speedup_pct):
        figures = (("quoted", speedup, "x"), ("recomputed", base / best, "x"))
        turned = base > rules.floor_ms and near(speedup, best / base, rules.speedup_pct)
        words = f"{place(source)} quotes a speed-up of {speedup:g}, its times give {base:g} / {best:g} = {base / best:.4f}"
        words += ": the legs are swapped" if turned else ""
        ids, step = ("H02",) if turned else ("H08", "R02"), "Compute it from the times: baseline over winner."
        yield Fault("not_comparable", ids, words, source, step, figures=figures)
    elif (rows := _row_speedup(told, rules.floor_ms)) is not None and not near(speedup, rows, rules.row_speedup_pct):
        words = f"{place(source)} quotes a speed-up of {speedup:g}, the rows of the two backends give {rows:.4f}"
        yield Fault(
            "not_comparable", ("H08", "R02"), words, source, "Quote the times of the rows.", figures=(("rows", rows, "x"),)
        )
    yield from _ceiling(ev, bench, told)


def _row_speedup(told: Opbench, floor_ms: float) -> float | None:
    """Baseline row over winner row; None where they are one row or either is untimed."""
    one, other = told.row(told.baseline_backend), told.row(told.winner_backend)
    if one is None or other is None or one is other or not one.ms or not other.ms or other.ms <= floor_ms:
        return None
    return one.ms / other.ms


def ceiling_pct(share_pct: float, speedup: float) -> float:
    """Largest end-to-end gain, percent, when ``share_pct`` of the time becomes ``speedup`` times as fast (Amdahl)."""
    return 100.0 * (1.0 / (1.0 - share_pct / 100.0 * (1.0 - 1.0 / speedup)) - 1.0)


def _ceiling(ev: Evidence, bench: Bench, told: Opbench) -> Iterator[Fault]:
    given, share, speedup = told.amdahl_ceiling_e2e_pct, told.pct_gpu_time, told.isolated_speedup
    if given is None or share is None or not speedup or speedup <= 0 or not 0 <= share <= 100:
        return
    true = ceiling_pct(share, speedup)
    if not near(given, true, ev.policy.harness.ceiling_pct) and abs(given - true) > ev.policy.harness.ceiling_pct:
        source = bench.opbench_at.at("amdahl_ceiling_e2e_pct")
        words = f"{place(source)}: a ceiling of {given:g} %, where a share of {share:g} % at {speedup:g}x can bring {true:.2f} %"
        yield Fault("flagged", ("A04",), words, source, "Recompute the ceiling.", figures=(("ceiling", true, "%"),))


def _over_shapes(ev: Evidence, bench: Bench) -> Iterator[Fault]:
    """The record's speed-up, and the one quoted beside it, lie among those of its shapes."""
    record = bench.record
    if record is None:
        return
    pairs = [(record.row("baseline", n), record.row("candidate", n)) for n in range(len(record.shapes))]
    floor = ev.policy.harness.floor_ms
    ratios = [one.reported_ms / other.reported_ms for one, other in pairs if one and other and other.reported_ms > floor]
    quoted = [(record.speedup, bench.record_at.at("speedup"))]
    quoted += [(bench.opbench.isolated_speedup, bench.opbench_at.at("isolated_speedup"))] if bench.opbench else []
    slack = ev.policy.harness.row_speedup_pct / 100
    for value, source in quoted:
        if value is None or not ratios or min(ratios) * (1 - slack) <= value <= max(ratios) * (1 + slack):
            continue
        turned = value > 0 and min(ratios) * (1 - slack) <= 1 / value <= max(ratios) * (1 + slack)
        words = f"{place(source)} quotes a speed-up of {value:g}, its shapes give {min(ratios):.4g} to {max(ratios):.4g}"
        step = "Compute it from the times: baseline over candidate."
        yield Fault("not_comparable", ("H02",) if turned else ("H08", "R02"), words, source, step)
