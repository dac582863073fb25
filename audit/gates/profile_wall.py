"""Profile scope: a share of busy time is no share of the time a user waits, and copies and collectives are time too."""

from __future__ import annotations

from collections.abc import Iterator

from audit.contract import Source
from audit.evidence import Evidence
from audit.gates.harness import Fault, near, place
from audit.gates.profile_ops import quoted, traced
from audit.intake.profiles import Profile
from audit.intake.symbols import Namer
from audit.intake.topn import Table


def faults(ev: Evidence, profile: Profile, namer: Namer) -> Iterator[Fault]:
    """What a table leaves out of the time that it divides by, and what no table shows."""
    for table in profile.tables:
        yield from _base(ev, profile, table, namer)
    yield from _parallel(profile, namer)


def _base(ev: Evidence, profile: Profile, table: Table, namer: Namer) -> Iterator[Fault]:
    rules = ev.policy.profile
    device = [trace for trace in profile.traces if trace.device]
    if not device or table.total_ms is None:
        return
    copies = {trace.file: sum(item.ns for item in trace.kernels if item.kind == "copy") for trace in device}
    hidden = {
        trace.file: sum(i.ns for i in trace.kernels if i.kind == "copy" or namer(i.name).family in ("collective", "copy"))
        for trace in device
    }
    sets = [[trace] for trace in device] + ([device] if len(device) > 1 else [])
    for some in sets:
        total = sum(trace.total_ns for trace in some) / 1e6
        less = [total - sum(part[trace.file] for trace in some) / 1e6 for part in (copies, hidden)]
        span = sum(trace.span_ns for trace in some) / 1e6
        if near(table.total_ms, total, rules.total_pct):
            yield from _idle(ev, profile, table, namer, 100 * (1 - sum(t.busy_ns for t in some) / 1e6 / span if span else 0.0))
            return
        if span and near(table.total_ms, span, rules.total_pct):
            return
        left = next((total - item for item in less if near(table.total_ms, item, rules.total_pct)), None)
        if left is not None and 100 * left > rules.hidden_pct * total:
            words = (
                f"{place(table.source)}: the shares are of {table.total_ms:.6g} ms; {left:.6g} ms of copies and collectives "
                f"({100 * left / total:.3g} % of the device's time, {some[0].file}) are left out"
            )
            step = "Divide by all device time, and list copies and collectives beside the kernels."
            yield Fault("flagged", ("P08",), words, table.source, step, figures=(("left_out", 100 * left / total, "%"),))
            return
    totals = ", ".join(f"{trace.total_ns / 1e6:.6g} ms ({trace.file})" for trace in device[: ev.policy.limits.shown])
    words = f"{place(table.source)}: the table divides by {table.total_ms:.6g} ms, the traces hold {totals}"
    step = "Make the table from this trace, or keep the trace it was made from."
    yield Fault("flagged", ("R18", "P08"), words, table.source, step, figures=(("total", table.total_ms, "ms"),))


def _idle(ev: Evidence, profile: Profile, table: Table, namer: Namer, idle: float) -> Iterator[Fault]:
    """The device waits for the host: what a table calls its share is less of the wall clock."""
    shares = traced(profile, namer)
    if idle <= ev.policy.profile.idle_pct or not shares.ops:
        return
    top = shares.ops[0]
    span = sum(trace.span_ns for trace in profile.traces if trace.device)
    wall = top.pct * sum(trace.total_ns for trace in profile.traces if trace.device) / span
    words = (
        f"{place(table.source)}: the device idles {idle:.3g} % of the traced span, and the shares are of its busy time: "
        f"{quoted(top.op)} is {top.pct:.3g} % of that and {wall:.3g} % of the wall clock"
    )
    told = (("idle", idle, "%"), ("share_of_busy", top.pct, "%"), ("share_of_wall", wall, "%"))
    step = "Plan with the share of the wall clock, or make the host faster first."
    yield Fault("flagged", ("P11", "P08"), words, table.source, step, figures=told)


def _parallel(profile: Profile, namer: Namer) -> Iterator[Fault]:
    """Several ranks reduce over all of them in every layer: a profile without a collective is not that of a rank that serves."""
    told = [(table.world, table.source) for table in profile.tables if table.world]
    told += [(trace.world, Source(trace.file)) for trace in profile.traces if trace.world]
    world, source = max(told, key=lambda item: item[0], default=(1, Source(profile.dir)))
    names = {kernel.name for trace in profile.traces for kernel in trace.kernels}
    names |= set() if profile.traces else {entry.name for table in profile.tables for entry in table.entries}
    if world < 2 or not names or any(namer(name).family == "collective" for name in names):
        return
    words = f"{place(source)}: profiled on {world} ranks, and no collective stands in it"
    step = "Profile a rank that takes part in the all-reduce, and keep collectives in the table."
    yield Fault("flagged", ("P08",), words, source, step, figures=(("ranks", float(world), "ranks"),))
