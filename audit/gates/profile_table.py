"""Profile scope, tables by themselves: arithmetic, weights, and whether a symbol called editable has a source."""

from __future__ import annotations

from collections.abc import Iterator
from math import log10

from audit.evidence import Evidence
from audit.gates.harness import Fault, place
from audit.gates.profile_ops import quoted
from audit.intake.symbols import Namer
from audit.intake.topn import CaseHalves, Entry, Table, Weighed, Workload

AGAIN = "Make the table again from the trace."


def faults(ev: Evidence, table: Table, namer: Namer) -> list[Fault]:
    """What is wrong with one table, whatever the trace says."""
    return [*_arithmetic(ev, table), *_editable(table, namer)]


def _arithmetic(ev: Evidence, table: Table) -> Iterator[Fault]:
    """total = calls x average, share = total / all, no more than a hundred percent, within the decimals written."""
    slack, half = ev.policy.profile.arithmetic_pct / 100, table.halves
    wrong = [words for entry in table.entries for words in _row(ev, entry, table)]
    shares = sum(entry.pct or 0.0 for entry in table.entries)
    if shares > 100 * (1 + slack) + half.pct * len(table.entries):
        wrong.append((f"the shares add up to {shares:.6g} %", ("A15",)))
    times = sum(entry.ms or 0.0 for entry in table.entries)
    if table.total_ms is not None and times > table.total_ms * (1 + slack) + half.ms * len(table.entries) + half.total:
        wrong.append((f"the rows take {times:.6g} ms of {table.total_ms:.6g} ms", ("A15",)))
    if wrong:
        ids = tuple(sorted({item for _, told in wrong for item in told}))
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        yield Fault("not_comparable", ids, f"{place(table.source)}: does not add up: {wrong[0][0]}{more}", table.source, AGAIN)


def _row(ev: Evidence, entry: Entry, table: Table) -> Iterator[tuple[str, tuple[str, ...]]]:
    rules, half, name = ev.policy.profile, table.halves, quoted(entry.name)
    slack = rules.arithmetic_pct / 100
    if entry.ms is not None and entry.calls is not None and entry.avg_us is not None:
        product = entry.calls * entry.avg_us / 1000
        if abs(product - entry.ms) > entry.calls * half.avg_us / 1000 + half.ms + slack * max(product, entry.ms):
            words = f"{name!r}: {entry.calls:g} x {entry.avg_us:.6g} us are {product:.6g} ms, not {entry.ms:.6g}"
            yield words, ("A15", "R21") if _slip(product, entry.ms, rules.slip_decades) else ("A15",)
    if table.total_ms and entry.ms is not None and entry.pct is not None:
        share = 100 * entry.ms / table.total_ms
        rounding = half.pct + 100 * (half.ms + half.total * entry.ms / table.total_ms) / table.total_ms
        if abs(share - entry.pct) > rounding + slack * share:
            words = f"{name!r}: {entry.ms:.6g} of {table.total_ms:.6g} ms are {share:.4g} %, not {entry.pct:.4g}"
            yield words, ("A15", "R21") if _slip(share, entry.pct, rules.slip_decades) else ("A15",)


def _slip(one: float, other: float, decades: float) -> bool:
    """Apart by a power of thousand: a unit was taken for another."""
    if one <= 0 or other <= 0:
        return False
    thousands = (log10(one) - log10(other)) / 3
    return round(thousands) != 0 and abs(thousands - round(thousands)) * 3 < decades


def _editable(table: Table, namer: Namer) -> Iterator[Fault]:
    """Editable is what has a source at hand; a closed library's symbol has none."""
    for flag, origin, words in (
        (True, "closed", "is called editable and lives in a closed or prebuilt library"),
        (False, "open", "is called closed, and its source is at hand"),
    ):
        rows = [entry for entry in table.entries if entry.editable is flag and namer(entry.name).origin == origin]
        if rows:
            pct = sum(table.pct(entry) or 0.0 for entry in rows)
            more = f" ({len(rows) - 1} more rows alike)" if len(rows) > 1 else ""
            reason = f"{place(table.source)}: {quoted(rows[0].name)!r} {words}{more}: {pct:.3g} % of the time"
            step = "Look where the symbol lives: what has no source can be replaced by another backend, not edited."
            shown = (("rows", float(len(rows)), "rows"), ("share", pct, "%"))
            yield Fault("flagged", ("P07",), reason, table.source, step, figures=shown)


def weights(ev: Evidence, model: Workload) -> Iterator[Fault]:
    """A workload model: weight = launches x time, share = weight / all of the kernel, and both add up to the kernel."""
    slack = ev.policy.profile.arithmetic_pct / 100
    wrong = [words for kernel in model.kernels for words in _weighed(kernel, model.halves, slack)]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        words = f"{place(model.source)}: weights do not follow from launches and times: {wrong[0]}{more}"
        yield Fault("not_comparable", ("A15",), words, model.source, "Weigh each case by its launches times its measured time.")


def _weighed(kernel: Weighed, half: CaseHalves, slack: float) -> Iterator[str]:
    name, total = quoted(kernel.name), sum(case.weight_us for case in kernel.cases)
    for case in kernel.cases:
        product = 1000 * case.calls * case.ms
        if abs(product - case.weight_us) > 1000 * case.calls * half.ms + half.weight_us + slack * max(product, case.weight_us):
            yield f"{name!r}: {case.calls:g} x {case.ms:.6g} ms are {product:.6g} us, not {case.weight_us:.6g}"
        if case.norm is not None and total and abs(case.weight_us / total - case.norm) > slack + half.norm:
            yield f"{name!r}: {case.weight_us:.6g} of {total:.6g} us are {case.weight_us / total:.4g}, not {case.norm:.4g}"
    if not kernel.cases:
        return
    rounding = half.weight_us * len(kernel.cases) / 1000 + half.total_ms
    if kernel.ms is not None and abs(total / 1000 - kernel.ms) > slack * max(kernel.ms, total / 1000) + rounding:
        yield f"{name!r}: its cases weigh {total / 1000:.6g} ms, the kernel {kernel.ms:.6g}"
    calls = sum(case.calls for case in kernel.cases)
    if kernel.calls is not None and calls != kernel.calls:
        yield f"{name!r}: its cases hold {calls:g} launches, the kernel {kernel.calls:g}"
