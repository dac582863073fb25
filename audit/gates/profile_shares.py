"""Profile scope, the table against the trace: shares by operation, not by the names that tuning gives."""

from __future__ import annotations

from collections.abc import Iterator

from audit.contract import Finding, Situation
from audit.evidence import Evidence
from audit.gates import profile_table, profile_wall, profile_window
from audit.gates.harness import Fault, place
from audit.gates.profile_ops import Shares, corrected, figures, findings, ok, profiles, quoted, told, traced, whole
from audit.intake.profiles import Profile
from audit.intake.symbols import Namer
from audit.intake.topn import Table

GATE = "profile_shares"
GROUP = "Group by operation, not by the tuned kernel's name, before choosing what to work on."
SAME = "Make the table from this trace, or keep the trace it was made from."


def check(ev: Evidence) -> list[Finding]:
    """Findings on each table, workload model and window; one ``ok`` when all hold."""
    faults: list[Fault] = []
    words: list[str] = []
    shown: tuple[tuple[str, float, str], ...] = ()
    for profile, namer in profiles(ev):
        for table in profile.tables:
            faults += [*profile_table.faults(ev, table, namer), *_compared(ev, profile, table, namer)]
            words.append(f"{table.source.file}: {len(table.entries)} rows add up" + _agrees(profile))
        for item in profile.workloads:
            faults += profile_table.weights(ev, item)
            words.append(f"{item.source.file}: the weights follow from launches and times")
        faults += [*profile_wall.faults(ev, profile, namer), *profile_window.faults(ev, profile)]
        shown = shown or figures(corrected(profile, namer), ev.policy.limits.shown)
    if not words and not faults:
        return [Finding(gate=GATE, status="n/a", ids=["P01"], reason="no table: the shares are those of the trace")]
    return findings(GATE, faults, ok(ev, GATE, ["A15", "P01", "P07"], "; ".join(words) or "no table", shown))


def _agrees(profile: Profile) -> str:
    return " and agree with the trace" if profile.traces else ""


def _compared(ev: Evidence, profile: Profile, table: Table, namer: Namer) -> Iterator[Fault]:
    """The table against its traces; without one, against its own rows gathered by operation."""
    rules = ev.policy.profile
    known = sorted({kernel.name for trace in profile.traces for kernel in trace.kernels})
    said = told(table, namer, known, rules.symbols.cut_chars)
    if not known:
        yield from _dominant(ev, table, said, said, namer)
        return
    truth = _base(profile, table, namer, rules.total_pct)
    matched = {item.op for item in truth.ops} & {item.op for item in said.ops}
    if not matched:
        words = f"{place(table.source)}: no row names an operation of {', '.join(truth.files)}: the two cannot be compared"
        yield Fault(None, ("P01", "R18"), words, table.source, SAME)
        return
    yield from _foreign(ev, table, said, truth)
    yield from _dominant(ev, table, said, truth, namer)
    yield from _lost(ev, table, said, truth)


def _base(profile: Profile, table: Table, namer: Namer, pct: float) -> Shares:
    """The trace's shares of what the table divides by: with copies, or of kernels alone."""
    kernels = sum(item.ns for trace in profile.traces for item in trace.kernels if item.kind != "copy") / 1e6
    alone = table.total_ms is not None and kernels > 0 and abs(table.total_ms - kernels) <= pct / 100 * kernels
    return traced(profile, namer, copies=not alone)


def _size(ev: Evidence, points: float, worst: Situation = "not_comparable") -> Situation:
    return worst if points >= ev.policy.profile.wrong_points else "flagged"


def _foreign(ev: Evidence, table: Table, said: Shares, truth: Shares) -> Iterator[Fault]:
    """More time than the trace gives: the table was not made of it."""
    worst = max(said.ops, key=lambda item: (item.pct - truth.get(item.op), item.op), default=None)
    points = worst.pct - truth.get(worst.op) if worst else 0.0
    if worst is None or points < ev.policy.profile.share_points:
        return
    words = (
        f"{place(table.source)}: {quoted(worst.op)} is said to take {worst.pct:.3g} %, {', '.join(truth.files)} "
        f"gives {truth.get(worst.op):.3g} %"
    )
    top, first = truth.ops[0], max(said.ops, key=lambda item: (item.pct, item.op))
    wrong = first.op == worst.op and top.op != first.op
    kind = _size(ev, points, "refuted" if wrong else "not_comparable")
    told_ = (("said", worst.pct, "%"), ("traced", truth.get(worst.op), "%"), *figures(truth, ev.policy.limits.shown))
    yield Fault(kind, ("P01", "R18") if wrong else ("R18",), words, table.source, SAME, figures=told_)


def _dominant(ev: Evidence, table: Table, said: Shares, truth: Shares, namer: Namer) -> Iterator[Fault]:
    """The first row of a table is not the operation that takes the most: that one is split over many names.

    Told where it lives in a closed library; where it could be worked on, the table hides what to work on.
    """
    if not truth.ops or not table.entries:
        return
    first = max(table.entries, key=lambda entry: table.pct(entry) or 0.0)
    top = truth.ops[0]
    op = namer(
        whole(first.name, sorted(name for item in truth.ops for name in item.names), ev.policy.profile.symbols.cut_chars)
    ).op
    points = top.pct - truth.get(op)
    if op == top.op or points < ev.policy.profile.share_points:
        return
    rows = sum(item.op == top.op for item in said.ops) and len(next(item.names for item in said.ops if item.op == top.op))
    words = (
        f"{place(table.source)}: {quoted(top.op)} takes the most, {top.pct:.3g} % under {len(top.names)} names "
        f"({rows} rows of the table); the table's first row is {quoted(op)} with {truth.get(op):.3g} %"
    )
    told_ = (("names", float(len(top.names)), "names"), *figures(truth, ev.policy.limits.shown))
    kind = "flagged" if top.origin == "closed" else _size(ev, points, "refuted")
    yield Fault(kind, ("P01",), words, table.source, GROUP, figures=told_)


def _lost(ev: Evidence, table: Table, said: Shares, truth: Shares) -> Iterator[Fault]:
    """An operation of which the table shows only some of the names, because the others fell below its last row."""
    for item in truth.ops[: ev.policy.limits.shown]:
        points = item.pct - said.get(item.op)
        if points < ev.policy.profile.share_points:
            continue
        words = (
            f"{place(table.source)}: {quoted(item.op)} takes {item.pct:.3g} % under {len(item.names)} names, "
            f"the table shows {said.get(item.op):.3g} % of it"
        )
        told_ = (("shown", said.get(item.op), "%"), ("traced", item.pct, "%"), ("names", float(len(item.names)), "names"))
        yield Fault(_size(ev, points), ("P01",), words, table.source, GROUP, figures=told_)
