"""Harness scope: times that two clocks agree on and that a device can have."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean, median
from typing import NamedTuple

from audit.contract import Finding, Source
from audit.evidence import Evidence
from audit.gates.harness import Asked, Fault, ask, near, place
from audit.gates.harness_iterations import uneven
from audit.intake.benches import Bench
from audit.intake.harness_record import HarnessRecord, Timed
from audit.intake.syntax import matches
from audit.policy import Device, Harness

GATE = "harness_timing"
CLOCK = "Wait for all streams and threads before the clock stops, and read a clock that the candidate cannot reach."


class Clocks(NamedTuple):
    """Device and wall time of one leg, ms per call, and where they stand."""

    name: str
    device: float
    wall: float
    source: Source


def check(ev: Evidence) -> list[Finding]:
    """Device clock against wall clock, per-iteration times, timer, reducer, bandwidth."""
    return ask(ev, Asked(GATE, ("H03", "H07", "H09"), faults, _fine))


def _fine(bench: Bench) -> str:
    return "device and wall clocks agree" + (" in every row, and iterations take alike" if bench.record else "")


def faults(ev: Evidence, bench: Bench) -> list[Fault]:
    """What is wrong with the times of one benchmark."""
    rules = ev.policy.harness
    found = list(_opbench(rules, bench))
    if bench.record is not None:
        found += [*_timer(bench, bench.record), *_record(rules, bench, bench.record), *_growing(rules, bench, bench.record)]
    return found


def _opbench(rules: Harness, bench: Bench) -> Iterator[Fault]:
    told, at = bench.opbench, bench.opbench_at
    if told is None:
        return
    found: dict[str, Clocks] = {}
    reference = told.row(told.baseline_backend)
    usual = reference.ms if reference is not None else None
    for number, row in enumerate(told.results):
        if row.backend not in (told.winner_backend, told.baseline_backend) or row.ms is None:
            continue
        source = at.at("backend", number)
        if _nothing(rules, row.ms, usual):
            yield _no_time(row.backend, row.ms, source)
        if row.wall_ms is None:
            words = f"{place(source)}: {row.backend!r} has no wall-clock time: nothing checks the device clock"
            yield Fault(None, ("H03", "H07"), words, source, CLOCK, required=False)
        else:
            found[row.backend] = Clocks(row.backend, row.ms, row.wall_ms, source)
    winner = found.get(told.winner_backend or "")
    base = found.get(told.baseline_backend or "")
    if winner is not None:
        yield from clocks(rules, winner, base if base is not winner else None)


def _nothing(rules: Harness, ms: float, usual: float | None) -> bool:
    """Less than a launch takes; or no more than an empty one, for work that takes the baseline many times as long."""
    return ms <= rules.floor_ms or (ms <= rules.launch_ms and usual is not None and usual >= rules.launch_times * ms)


def _no_time(name: str, value: float, source: Source) -> Fault:
    words = f"{place(source)}: {name!r} took {value:g} ms by the device clock, no more than an empty launch takes"
    return Fault("not_comparable", ("H09", "M18"), words, source, CLOCK)


def clocks(rules: Harness, mine: Clocks, base: Clocks | None) -> Iterator[Fault]:
    """Work that the device clock missed shows in the wall clock; a wall clock below the device clock did not wait."""
    excess = _excess(mine, base)
    scale = base.device if base else mine.device
    seen = excess > rules.gap_ms and mine.wall > rules.wall_ratio * mine.device
    near_by = base is not None and excess > max(rules.near_ms, rules.near_times * mine.device)
    words = (
        f"{place(mine.source)}: {mine.name!r} took {mine.device:g} ms by the device clock and {mine.wall:g} ms by the wall clock"
    )
    if excess > rules.gap_share * scale and (seen or near_by):
        words += f" (baseline {base.device:g} and {base.wall:g})" if base else ""
        step = CLOCK if seen else f"{CLOCK} If launching costs that much, show it: time many calls in a row by one wall clock."
        yield Fault("not_comparable", ("H03", "H04", "H07"), f"{words}: work runs outside the timed events", mine.source, step)
    elif mine.wall < mine.device * (1 - rules.wall_under_pct / 100):
        yield Fault("not_comparable", ("H06", "H07"), f"{words}: the two clocks contradict each other", mine.source, CLOCK)


def _excess(mine: Clocks, base: Clocks | None) -> float:
    """By how much the wall clock is further ahead of the device clock than it is in the baseline, ms."""
    return mine.wall - mine.device - (base.wall - base.device if base else 0.0)


def _growing(rules: Harness, bench: Bench, record: HarnessRecord) -> Iterator[Fault]:
    """The gap between the clocks grows with the work: launching costs the same at each shape, missed work does not."""
    pairs = [(record.row("baseline", n), record.row("candidate", n)) for n in range(len(record.shapes))]
    both = [(_clocks(base, Source("")), _clocks(mine, Source(""))) for base, mine in pairs]
    known = [(base, mine) for base, mine in both if base and mine and base.device > 0]
    if len(known) < rules.grown_rows or max(base.device for base, _ in known) < rules.grown_spread**2 * min(
        base.device for base, _ in known
    ):
        return
    shares = [_excess(mine, base) / base.device for base, mine in known]
    missed = min(mine.wall / mine.device if mine.device else 0.0 for _, mine in known)
    if min(shares) < rules.grown_share or max(shares) > rules.grown_spread * min(shares):
        return
    source = bench.record_at.at("wall_ms", next(n for n, row in enumerate(record.results) if row.leg == "candidate"))
    words = (
        f"{place(source)}: the wall clock is ahead of the candidate's device clock (at least {missed:.3g} times), and at every "
    )
    words += (
        f"shape by more than in the baseline, by {min(shares):.0%} to {max(shares):.0%} of the baseline's time: the gap grows "
    )
    words += "with the work, so work runs outside the timed events"
    yield Fault("not_comparable", ("H03", "H04", "H07"), words, source, CLOCK)


def _timer(bench: Bench, record: HarnessRecord) -> Iterator[Fault]:
    at, timer = bench.record_at, record.timer
    if timer.identity_before != timer.identity_after:
        source = at.at("identity_after")
        words = f"{place(source)}: the timer {timer.name!r} was another one after the candidate had run"
        yield Fault("not_comparable", ("H06",), words, source, CLOCK)
    for number, row in enumerate(record.results):
        if row.timer != timer.name:
            source = at.at("timer", number + 1)
            words = (
                f"{place(source)}: the {row.leg} row of shape {row.shape} was timed by {row.timer!r}, others by {timer.name!r}"
            )
            yield Fault("not_comparable", ("M25", "H06"), words, source, "Time every row with one timer.")


def _record(rules: Harness, bench: Bench, record: HarnessRecord) -> Iterator[Fault]:
    odd = uneven(rules, record)
    for number, row in enumerate(record.results):
        source = bench.record_at.at("device_ms", number)
        if len(row.device_ms) < rules.min_iterations:
            words = f"{place(source)}: {len(row.device_ms)} timed iterations, too few to see whether they take alike"
            yield Fault(None, ("H12", "H15", "M28"), words, source, f"Time at least {rules.min_iterations} iterations.")
            continue
        base = record.row("baseline", row.shape)
        if number in odd:
            yield odd[number]._replace(source=source, reason=f"{place(source)}: {odd[number].reason}")
        elif _nothing(rules, median(row.device_ms), median(base.device_ms) if base and base.device_ms else None):
            yield _no_time(f"{row.leg} at shape {row.shape}", median(row.device_ms), source)
        yield from _reduced(rules, bench, number, row)
        yield from _bandwidth(rules, bench, record, number)
        if row.leg == "candidate" and row.wall_ms:
            mine = Clocks(f"candidate at shape {row.shape}", median(row.device_ms), median(row.wall_ms), source)
            yield from clocks(rules, mine, _clocks(base, source))


def _clocks(row: Timed | None, source: Source) -> Clocks | None:
    return (
        None
        if row is None or not row.device_ms or not row.wall_ms
        else Clocks("baseline", median(row.device_ms), median(row.wall_ms), source)
    )


def _reduced(rules: Harness, bench: Bench, number: int, row: Timed) -> Iterator[Fault]:
    true = (
        fmean(row.device_ms)
        if row.reducer == "mean"
        else median(row.device_ms)
        if row.reducer == "median"
        else min(row.device_ms)
    )
    if not near(row.reported_ms, true, rules.reducer_pct):
        source = bench.record_at.at("reported_ms", number)
        where = f"{place(source)}: {row.leg} at shape {row.shape}"
        words = f"{where} reports {row.reported_ms:g} ms, the {row.reducer} of its times is {true:g}"
        figures = (("reported", row.reported_ms, "ms"), ("recomputed", true, "ms"))
        yield Fault(
            "not_comparable", ("H08",), words, source, "Reduce the times outside the candidate's process.", figures=figures
        )


def _bandwidth(rules: Harness, bench: Bench, record: HarnessRecord, number: int) -> Iterator[Fault]:
    """More bytes per second than the memory gives, for data that no cache holds or that was flushed from it."""
    row = record.results[number]
    device = _device(rules, record.device)
    if device is None or row.bytes_moved is None:
        return
    least = rules.flushed_mb if record.cache_flushed else rules.cache_times * device.cache_mb
    if row.bytes_moved <= least * 1e6:
        return
    usual = median(row.device_ms)
    rate = row.bytes_moved / usual / 1e6 if usual > rules.floor_ms else 0.0
    if rate > device.gb_s * (1 + rules.bandwidth_pct / 100):
        source = bench.record_at.at("bytes_moved", number)
        where = f"{place(source)}: {row.leg} at shape {row.shape}"
        words = f"{where} would move {rate:.0f} GB/s on {record.device}, which has {device.gb_s:g}"
        yield Fault("not_comparable", ("H14", "H34", "M18"), words, source, CLOCK, figures=(("rate", rate, "GB/s"),))


def _device(rules: Harness, name: str | None) -> Device | None:
    return next((item for pattern, item in rules.devices.items() if matches(name or "", [pattern])), None)
