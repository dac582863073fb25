"""Harness scope: do all timed iterations of one leg do the work, or only some of them?"""

from __future__ import annotations

from statistics import fmean, median

from audit.contract import Source
from audit.gates.harness import Fault
from audit.intake.harness_record import HarnessRecord, Timed
from audit.policy import Harness

WARM = "Warm up before the first timed iteration, give every call inputs of its own, then measure again."


def uneven(rules: Harness, record: HarnessRecord) -> dict[int, Fault]:
    """Rows, by number, whose iterations are of two kinds; the words do not say where the row stands."""
    rows = {number: row for number, row in enumerate(record.results) if len(row.device_ms) >= rules.min_iterations}
    mine = {number: row for number, row in rows.items() if row.leg == "candidate"}
    found: dict[int, Fault] = {}
    for look in (_batched, _once):
        told = {number: look(rules, row, record.row("baseline", row.shape)) for number, row in mine.items()}
        faults = {number: fault for number, fault in told.items() if fault is not None}
        found |= faults if 2 * len(faults) >= len(mine) else {}
    idle = {number: _idle(rules, row, record.row("baseline", row.shape)) for number, row in rows.items()}
    return found | {number: fault for number, fault in idle.items() if fault is not None}


def _idle(rules: Harness, row: Timed, base: Timed | None) -> Fault | None:
    """A few iterations hold all the time and the others none: a stored answer, or one launch that serves many calls."""
    longest = max(row.device_ms)
    rest = [value for value in row.device_ms if value <= rules.idle_share * longest]
    usual = median(base.device_ms) if base and base is not row and base.device_ms else longest
    if len(rest) < rules.idle_rows * len(row.device_ms) or median(rest) > rules.idle_of_baseline * usual:
        return None
    words = f"{row.leg} at shape {row.shape}: {len(rest)} of {len(row.device_ms)} iterations take next to nothing"
    first = row.device_ms[0] == longest and len(rest) == len(row.device_ms) - 1
    if first:
        return Fault("not_comparable", ("H12",), f"{words}, all but the first: a stored answer is handed out", Source(""))
    return Fault("not_comparable", ("H15",), f"{words}: single launches serve many calls", Source(""))


def _once(rules: Harness, row: Timed, base: Timed | None) -> Fault | None:
    """The first iteration takes as long as the work does, the others far less, where the baseline's first is like its others.

    A first launch that compiles takes longer than any work; one that warms up is followed by work that takes its time.
    """
    if base is None or not base.device_ms:
        return None
    first, rest, usual = row.device_ms[0], median(row.device_ms[1:]), median(base.device_ms)
    real = usual <= rules.mode_real * first and first <= rules.mode_real * usual
    steady = base.device_ms[0] < rules.mode_times * usual
    if not (real and steady and rest * rules.mode_times <= first and rest <= rules.mode_share * usual):
        return None
    words = f"{row.leg} at shape {row.shape}: the first iteration takes {first:g} ms, as the work may, the others {rest:g}: "
    return Fault("not_comparable", ("H12",), words + "one answer is computed, then handed out", Source(""), WARM)


def _batched(rules: Harness, row: Timed, base: Timed | None) -> Fault | None:
    """Iterations without work beside later ones that take the time of all, where the baseline has none of the kind."""
    if base is None or not base.device_ms:
        return None
    usual = median(base.device_ms)
    limit = rules.batch_of_baseline * usual
    idle = sum(value <= limit for value in row.device_ms)
    known = min(base.device_ms) <= limit or max(row.device_ms[1:]) <= limit
    whole = rules.batch_mean * usual <= fmean(row.device_ms) <= rules.mode_real * usual
    if known or not whole or idle < rules.batch_rows * len(row.device_ms):
        return None
    words = f"{row.leg} at shape {row.shape}: {idle} of {len(row.device_ms)} iterations take next to nothing"
    words += f" beside the baseline's {usual:g} ms, the others up to {max(row.device_ms):g}: single launches serve many calls"
    return Fault("not_comparable", ("H15",), words, Source(""), WARM)
