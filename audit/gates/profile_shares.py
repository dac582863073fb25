"""Profile scope, the table: its arithmetic, and its shares against those derived again from the trace."""

from __future__ import annotations

import re

from audit.contract import Figure, Finding
from audit.evidence import Evidence
from audit.intake.topn import Entry, Table
from audit.intake.traces import canonical, family

GATE = "profile_shares"


def check(ev: Evidence) -> list[Finding]:
    """Findings on each table; one ``ok`` when all hold."""
    if not ev.profiles.tables:
        if not ev.profiles.traces:
            return [Finding(gate=GATE, status="unknown", ids=["P01"], reason="no Top-N table lies in the folder")]
        return [Finding(gate=GATE, status="n/a", ids=["P01"], reason="no Top-N table: the shares are those of the trace")]
    found = [item for table in ev.profiles.tables for item in _one(ev, table)]
    if found:
        return found
    words = "; ".join(f"{table.file}: {len(table.entries)} rows add up" for table in ev.profiles.tables)
    tail = " and agree with the trace" if ev.profiles.traces else ""
    return [
        Finding(
            gate=GATE,
            status="ok",
            ids=["P01", "P07"],
            reason=words + tail,
            evidence=[ev.source(t.file) for t in ev.profiles.tables],
        )
    ]


def _one(ev: Evidence, table: Table) -> list[Finding]:
    return [*_arithmetic(ev, table), *_fragments(ev, table), *_editable(ev, table), *_phases(ev, table), *_parallel(ev, table)]


def _finding(ev: Evidence, table: Table, ids: list[str], reason: str, step: str, *, fails: bool = False) -> Finding:
    return Finding(
        gate=GATE,
        status="fail" if fails else "flag",
        situation="not_comparable" if fails else "flagged",
        ids=ids,
        reason=f"{table.file}: {reason}",
        next_step=step,
        evidence=[ev.source(table.file)],
    )


def _arithmetic(ev: Evidence, table: Table) -> list[Finding]:
    """total = calls x average, share = total / all, and no more than a hundred percent."""
    slack = ev.policy.profile.rounding_pct / 100
    wrong = []
    for entry in table.entries:
        if None not in (entry.ms, entry.calls, entry.avg_us):
            product = (entry.calls or 0.0) * (entry.avg_us or 0.0) / 1000
            if abs(product - (entry.ms or 0.0)) > slack * max(product, entry.ms or 0.0) + 0.001:
                wrong.append(
                    f"{entry.name[:60]!r}: {entry.calls:.6g} x {entry.avg_us:.6g} us are {product:.6g} ms, not {entry.ms:.6g}"
                )
        if table.total_ms and entry.ms is not None and entry.pct is not None:
            share = 100 * entry.ms / table.total_ms
            if abs(share - entry.pct) > max(slack * share, 0.06):
                wrong.append(
                    f"{entry.name[:60]!r}: {entry.ms:.6g} of {table.total_ms:.6g} ms are {share:.4g} %, not {entry.pct:.4g}"
                )
    total = sum(entry.pct or 0.0 for entry in table.entries)
    if total > 100 * (1 + slack):
        wrong.append(f"the shares add up to {total:.4g} %")
    if not wrong:
        return []
    return [
        _finding(ev, table, ["A15", "R21"], f"does not add up: {wrong[0]}", "Make the table again from the trace.", fails=True)
    ]


def _shares(ev: Evidence) -> dict[str, float]:
    """Share of each operation in all traces together, percent."""
    total = sum(trace.total_us for trace in ev.profiles.traces)
    found: dict[str, float] = {}
    for trace in ev.profiles.traces:
        for op in trace.ops:
            found[op.name] = found.get(op.name, 0.0) + (100 * op.total_us / total if total else 0.0)
    return found


def _fragments(ev: Evidence, table: Table) -> list[Finding]:
    """An operation that is split over many names in the table, so that its largest row hides its size."""
    rules = ev.policy.profile
    truth = _shares(ev)
    grouped: dict[str, list[Entry]] = {}
    for entry in table.entries:
        grouped.setdefault(canonical(entry.name, rules), []).append(entry)
    if not truth:
        truth = {name: sum(item.pct or 0.0 for item in items) for name, items in grouped.items()}
    found = []
    top = max(sorted(truth), key=lambda name: truth[name])
    first = max(table.entries, key=lambda entry: entry.pct or 0.0, default=None)
    for name in sorted(truth, key=lambda item: (-truth[item], item))[:3]:
        rows = grouped.get(name, [])
        shown = max((entry.pct or 0.0 for entry in rows), default=0.0)
        if truth[name] - shown > rules.share_points:
            split = f"in {len(rows)} rows, the largest {shown:.3g} %" if rows else "in no row"
            wrong = (
                first is not None
                and name == top
                and canonical(first.name, rules) != top
                and truth[name] - shown > rules.wrong_points
            )
            words = f"{name} is {truth[name]:.3g} % of the time and stands {split}"
            step = "Group by operation, not by the tuned kernel's name, before choosing what to work on."
            item = _finding(ev, table, ["P01"], words, step, fails=wrong)
            found.append(_with(item, {"share": Figure(truth[name], "%"), "largest_row": Figure(shown, "%")}))
    for name, rows in sorted(grouped.items()):
        said = sum(entry.pct or 0.0 for entry in rows)
        if ev.profiles.traces and said - truth.get(name, 0.0) > rules.share_points:
            words = f"{name} is said to be {said:.3g} %, the trace gives {truth.get(name, 0.0):.3g} %"
            found.append(
                _finding(ev, table, ["P05", "P10"], words, "Make the table from this trace, or keep the trace it was made from.")
            )
    return found


def _with(item: Finding, figures: dict[str, Figure]) -> Finding:
    from msgspec.structs import replace

    return replace(item, figures=figures)


def _editable(ev: Evidence, table: Table) -> list[Finding]:
    """Editable is what has a source at hand; a closed library's symbol has none."""
    rules = ev.policy.profile
    closed = [
        e.name for e in table.entries if e.editable and re.search(rules.closed, e.name) and not re.search(rules.open, e.name)
    ]
    opened = [
        e.name
        for e in table.entries
        if e.editable is False and re.search(rules.open, e.name) and not re.search(rules.closed, e.name)
    ]
    found = []
    if closed:
        words = f"{closed[0][:80]!r} is called editable and lives in a closed library"
        found.append(_finding(ev, table, ["P07"], words, "Look where the symbol lives; choose a backend instead of editing."))
    if opened:
        words = f"{opened[0][:80]!r} is called closed and its source is at hand"
        found.append(_finding(ev, table, ["P07"], words, "Mark it editable: it can be worked on."))
    return found


def _phases(ev: Evidence, table: Table) -> list[Finding]:
    """A table that is nearly all prefill while the served load is nearly all decode, or the reverse."""
    serving = dict(table.serving)
    phased = [entry for entry in table.entries if entry.phase in ("prefill", "decode")]
    weights = {phase: serving.get(f"analytic_{phase}_ms") for phase in ("prefill", "decode")}
    if not phased or None in weights.values():
        return []
    all_ms = sum(entry.ms or 0.0 for entry in phased)
    expected = 100 * (weights["prefill"] or 0.0) / max((weights["prefill"] or 0.0) + (weights["decode"] or 0.0), 1e-9)
    seen = 100 * sum(entry.ms or 0.0 for entry in phased if entry.phase == "prefill") / all_ms if all_ms else expected
    if abs(seen - expected) <= ev.policy.profile.phase_points:
        return []
    words = f"biased window: prefill is {seen:.3g} % of it and {expected:.3g} % of the served load"
    return [
        _finding(ev, table, ["P05"], words, "Profile a window that holds prefill and decode as the load does, or weight by it.")
    ]


def _parallel(ev: Evidence, table: Table) -> list[Finding]:
    if table.world < 2 or any(family(entry.name, ev.policy.profile) == "collective" for entry in table.entries):
        return []
    if any(op.family == "collective" for trace in ev.profiles.traces for op in trace.ops):
        return []
    words = f"profiled on {table.world} devices, and no collective stands in it"
    return [_finding(ev, table, ["P08"], words, "Profile a rank that takes part in the all-reduce, and list it.")]
