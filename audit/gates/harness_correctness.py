"""Harness scope: the candidate computes the same thing, on inputs and against an oracle that nobody touched."""

from __future__ import annotations

import math
from collections.abc import Iterator

from audit.contract import Finding
from audit.evidence import Evidence
from audit.gates.harness import Asked, Fault, ask, place
from audit.intake.benches import Bench
from audit.intake.harness_record import HarnessRecord, Timed
from audit.intake.syntax import matches
from audit.policy import Harness

GATE = "harness_correctness"


def check(ev: Evidence) -> list[Finding]:
    """Errors against tolerance, values that are no numbers, outputs not written, inputs and oracle changed."""
    return ask(ev, Asked(GATE, ("H20", "H22", "H24"), faults, _fine))


def _fine(bench: Bench) -> str:
    if bench.record is not None:
        return "errors within tolerance at every timed shape, inputs and oracle untouched"
    return "the winner's error is within tolerance"


def faults(ev: Evidence, bench: Bench) -> list[Fault]:
    """What is wrong with the results of one benchmark."""
    found = list(_rows(ev, bench)) if bench.opbench else []
    if bench.record is None:
        return found
    rules, record = ev.policy.harness, bench.record
    for number, row in enumerate(record.results):
        found += _row(rules, bench, record, number, row)
    return [*found, *_inputs(rules, bench, record), *_kept(bench, record), *_exact(rules, bench, record)]


def limit(rules: Harness, dtype: str) -> float:
    """Largest relative error that a dtype may show; an unknown dtype gets the loosest."""
    return next((value for pattern, value in rules.max_error.items() if matches(dtype.lower(), [pattern])), rules.max_error["*"])


def _rows(ev: Evidence, bench: Bench) -> Iterator[Fault]:
    """``opbench_result.json``: one error per backend, no dtype."""
    told, rules, at = bench.opbench, ev.policy.harness, bench.opbench_at
    if told is None or told.winner_backend is None:
        return
    winner = told.row(told.winner_backend)
    if winner is None:
        yield Fault(
            None, ("K18",), f"{place(at.source)}: no row for the winner {told.winner_backend!r}", at.source, "Keep its row."
        )
        return
    for number, row in enumerate(told.results):
        source = at.at("max_rel_err", number)
        if row.max_rel_err is None or row.max_rel_err <= limit(rules, ""):
            continue
        words = f"{place(source)}: {row.backend!r} has a relative error of {row.max_rel_err:g}, more than {limit(rules, ''):g}"
        if row is winner:
            yield Fault("correctness_lost", ("H27", "H22"), words, source, "Mend the kernel, then measure again.")
        elif row.correct:
            words += ", and is called correct: the harness's own check lets anything pass"
            yield Fault("flagged", ("H27", "H41"), words, source, "Find out why the check passed, and tighten it.")
    if winner.correct is False:
        words = f"{place(at.source)}: the winner {winner.backend!r} is not correct by the harness's own word"
        yield Fault("correctness_lost", ("H22",), words, at.at("correct"), "Mend the kernel, then measure again.")
    if winner.max_rel_err is None and winner is not told.row(told.baseline_backend):
        words = f"{place(at.source)}: no error is recorded for the winner {winner.backend!r}"
        yield Fault(None, ("K18", "H24"), words, at.at("max_rel_err"), "Compare its output with a higher-precision reference.")
    differs = told.winner_backend != told.baseline_backend
    if winner.max_rel_err == 0 and differs and matches((told.op_kind or "").lower(), rules.accumulating):
        words = (
            f"{place(at.source)}: {winner.backend!r} agrees with the reference to the last bit in a {told.op_kind}, "
            "where another order of summation shows: it may have fallen back"
        )
        yield Fault("flagged", ("E08",), words, at.at("max_rel_err"), "Show by the kernels in a trace that the candidate ran.")


def _row(rules: Harness, bench: Bench, record: HarnessRecord, number: int, row: Timed) -> Iterator[Fault]:
    at = bench.record_at
    where = f"{row.leg} at shape {row.shape}"
    if not 0 <= row.shape < len(record.shapes):
        yield Fault("damaged", (), f"{place(at.at('shape', number))}: there is no shape {row.shape}", at.at("shape", number))
        return
    for what, count in (("nonfinite", row.nonfinite), ("nonfinite_reference", row.nonfinite_reference)):
        source = at.at(what, number)
        whose = "its output" if what == "nonfinite" else "the reference"
        if count:
            words = f"{place(source)}: {where}: {count} values in {whose} are no finite numbers, so no comparison holds there"
            yield Fault("correctness_lost", ("H20",), words, source, "Compare finite values only, and count the others.")
        elif count is None:
            yield Fault(None, ("H20",), f"{place(source)}: {where}: not counted whether {whose} holds NaN", source, "Count it.")
    error = _error(row)
    source = at.at("max_rel_err", number)
    allowed = limit(rules, record.shapes[row.shape].dtype)
    if error is None:
        words = f"{place(source)}: {where} was timed, but its error was never measured"
        yield Fault(None, ("H24", "K18"), words, source, "Measure the error at every timed shape.")
    elif error > allowed:
        words = f"{place(source)}: {where}: error {error:g}, more than {allowed:g} for {record.shapes[row.shape].dtype}"
        yield Fault("correctness_lost", ("H22", "H27"), words, source, "Mend the kernel, then measure again.")
    if row.poisoned_bytes_left:
        source = at.at("poisoned_bytes_left", number)
        words = f"{place(source)}: {where}: {row.poisoned_bytes_left} bytes of the output were never written"
        yield Fault("correctness_lost", ("H37",), words, source, "Write the whole output.")
    if row.output_var is not None and row.reference_var is not None:
        yield from _spread(rules, bench, number, row)


def _spread(rules: Harness, bench: Bench, number: int, row: Timed) -> Iterator[Fault]:
    """An output that varies far less than the reference: no error within tolerance takes that much of its spread away."""
    if row.output_var is None or row.reference_var is None:
        return
    source = bench.record_at.at("output_var", number)
    where, step = f"{place(source)}: {row.leg} at shape {row.shape}", "Use inputs that vary, and compute on them."
    if row.output_var == 0:
        dull = row.reference_var == 0
        words = f"{where}: the output is one constant" + (", as is the reference: these inputs tell nothing" if dull else "")
        yield Fault("flagged" if dull else "correctness_lost", ("H22",), words, source, step)
    elif row.output_var < rules.spread_share * row.reference_var:
        words = (
            f"{where}: the output's variance is {row.output_var:g}, the reference's {row.reference_var:g}: part of it is constant"
        )
        yield Fault("correctness_lost", ("H22",), words, source, step)


def _error(row: Timed) -> float | None:
    """The relative error, or the absolute one in units of the reference's spread where that is smaller."""
    errors = [row.max_rel_err] if row.max_rel_err is not None else []
    if row.max_abs_err is not None and row.reference_var:
        errors.append(row.max_abs_err / math.sqrt(row.reference_var))
    return min(errors, default=None)


def _inputs(rules: Harness, bench: Bench, record: HarnessRecord) -> Iterator[Fault]:
    inputs, at = record.inputs, bench.record_at
    source = at.at("digests_after")
    if inputs.digests_before != inputs.digests_after:
        count = sum(one != other for one, other in zip(inputs.digests_before, inputs.digests_after, strict=False))
        words = f"{place(source)}: inputs were changed by the timed calls ({count} of {len(inputs.digests_before)} iterations)"
        yield Fault("not_comparable", ("H17",), words, source, "Give each call its own copy and leave it as it was.")
    different = len(set(inputs.digests_before))
    source = at.at("fresh_per_iteration")
    if not inputs.fresh_per_iteration:
        words = f"{place(source)}: every iteration got the same inputs: a stored answer would not be noticed"
        yield Fault("flagged", ("H11", "H13", "K25"), words, source, "Give every iteration inputs of its own.")
        return
    if 1 < len(inputs.digests_before) != different:
        words = f"{place(source)}: inputs are said to be fresh, but {len(inputs.digests_before)} iterations had only {different}"
        yield Fault("not_comparable", ("H13", "H11"), words, source, "Draw new inputs for every iteration.")
        return
    for shape in range(len(record.shapes)):
        one, other = record.row("baseline", shape), record.row("candidate", shape)
        if one and other and (repeats := _repeats(rules, one.output_sha256, other.output_sha256)):
            source = at.at("output_sha256", record.results.index(other))
            words = f"{place(source)}: the candidate gives one and the same output for fresh inputs at shape {shape} "
            words += f"({repeats} of {len(other.output_sha256)} iterations)"
            yield Fault("correctness_lost", ("H11", "H12", "H13", "H14"), words, source, "Compute every call.")


def _repeats(rules: Harness, base: list[str], mine: list[str]) -> int:
    """Iterations with an output that stands elsewhere too, where the baseline's outputs differ; 0: none that counts.

    An output of a few bits repeats by chance: then the baseline's repeat as well, and only a great many more are told.
    """
    both = list(zip(base, mine, strict=False))
    distinct = len({one for one, _ in both})
    least = distinct if distinct == len(both) else rules.repeats_share * distinct
    mine_distinct = len({other for _, other in both})
    if mine_distinct >= least and not mine_distinct == 1 < distinct:
        return 0
    return sum(any(other == there and one != here for here, there in both) for one, other in both)


def _kept(bench: Bench, record: HarnessRecord) -> Iterator[Fault]:
    for number, (kept, id_, name) in enumerate(((record.oracle, "H19", "oracle"), (record.tolerance, "H27", "tolerance"))):
        if kept.sha256_before != kept.sha256_after:
            source = bench.record_at.at("sha256_after", number)
            words = f"{place(source)}: the {name} {kept.file} changed while the benchmark ran"
            yield Fault("not_comparable", (id_,), words, source, f"Keep the {name} out of the candidate's reach.")


def _exact(rules: Harness, bench: Bench, record: HarnessRecord) -> Iterator[Fault]:
    """Outputs that agree bit for bit with the baseline's where no two kernels do; calls that fell back."""
    calls = record.candidate.fallback_calls
    if calls:
        source = bench.record_at.at("fallback_calls", 1)
        words = f"{place(source)}: {calls} timed calls of the candidate fell back to the reference"
        yield Fault("not_comparable", ("H31", "E08"), words, source, "Make the candidate serve these shapes, or leave them out.")
    if matches(record.op.lower(), rules.accumulating):
        yield from _copied(rules, bench, record)


def _copied(rules: Harness, bench: Bench, record: HarnessRecord) -> Iterator[Fault]:
    """Shapes at which the outputs of a sum in floating point are the baseline's."""
    same: list[Timed] = []
    for number, shape in enumerate(record.shapes):
        base, mine = record.row("baseline", number), record.row("candidate", number)
        if base is None or mine is None or not base.output_sha256 or matches(shape.dtype.lower(), rules.exact_dtypes):
            continue
        equal = sum(one == other for one, other in zip(base.output_sha256, mine.output_sha256, strict=False))
        if equal > rules.exact_share * len(base.output_sha256):
            same.append(mine)
    if same:
        source = bench.record_at.at("output_sha256", record.results.index(same[0]))
        shown = ", ".join(str(row.shape) for row in same)
        words = f"{place(source)}: outputs of this {record.op} equal the baseline's to the last bit at shape {shown}: "
        words += "it may have fallen back"
        yield Fault("flagged", ("E08",), words, source, "Show by the kernels in a trace that the candidate ran.")
