"""Profile scope, the trace itself: can its times be believed, is all of the work in it, and does the device idle meanwhile?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from statistics import median

from audit.contract import Finding, Situation, Source
from audit.evidence import Evidence
from audit.gates.harness import Fault
from audit.gates.profile_ops import figures, findings, ok, profiles, quoted, traced, whole
from audit.intake.profiles import Profile
from audit.intake.symbols import Namer
from audit.intake.traces import Kernel, Trace

GATE = "profile_trace"
AGAIN = "Record the trace again: shares of a trace with broken times mean nothing."
NO_GRAPHS = "Profile once with graphs off (or with kernels inside graphs traced), and route on that."


def check(ev: Evidence) -> list[Finding]:
    """Findings on each trace; one ``ok`` with what they hold when all can be believed."""
    if not ev.profiles.items:
        step = "Put a torch trace (*.trace.json, *.trace.json.gz) or a Top-N table (profile_topN.json) into the folder."
        words = "no trace and no Top-N table lies in the folder"
        return [Finding(gate=GATE, status="unknown", ids=["P01"], reason=words, next_step=step)]
    faults: list[Fault] = []
    told: list[str] = []
    shown: tuple[tuple[str, float, str], ...] = ()
    for profile, namer in profiles(ev):
        if not profile.traces:
            reason = f"{profile.dir}: no trace: what the table says can be added up, not derived again"
            step = "Keep the trace beside the table."
            faults.append(Fault(None, ("P01", "P06"), reason, Source(profile.dir), step, required=False))
        for trace in profile.traces:
            faults += [*_empty(ev, trace), *_durations(ev, trace), *_graphs(ev, trace), *_steps(ev, trace)]
            faults += _shapes(ev, profile, trace)
            told.append(_words(profile, trace, namer))
        shown = shown or figures(traced(profile, namer), ev.policy.limits.shown)
    return findings(GATE, faults, ok(ev, GATE, ["P03", "P04", "P06"], "; ".join(told) or "tables only", shown))


def _words(profile: Profile, trace: Trace, namer: Namer) -> str:
    shares = traced(Profile(profile.dir, (trace,)), namer)
    top = ", ".join(f"{quoted(item.op)} {item.pct:.3g} %" for item in shares.ops[:3])
    if not trace.device:
        return f"{trace.file}: no device in it; of the CPU's own time {top}"
    return f"{trace.file}: {top} of {trace.total_ns / 1e6:.4g} ms; the device is busy {_busy_pct(trace):.3g} % of the span"


def _busy_pct(trace: Trace) -> float:
    return 100 * trace.busy_ns / trace.span_ns if trace.span_ns else 100.0


def _empty(ev: Evidence, trace: Trace) -> Iterator[Fault]:
    """Events that hold no time at all."""
    lost = 100 * trace.timeless / max(trace.timeless + trace.launches, 1)
    if not trace.total_ns:
        words = f"{trace.file}: no kernel and no operator with a duration: this trace holds no time"
        yield Fault(None, ("P03",), words, ev.source(trace.file), "Profile a worker process while it serves.")
    elif lost > ev.policy.profile.timeless_pct:
        words = (
            f"{trace.file}: {trace.timeless} of {trace.timeless + trace.launches} kernels have no duration: shares leave them out"
        )
        yield Fault(None, ("P06",), words, ev.source(trace.file), AGAIN, figures=(("kernels_without_duration", lost, "%"),))


def _durations(ev: Evidence, trace: Trace) -> Iterator[Fault]:
    """Events still running after their successor, or one launch that owns the trace."""
    rules, over, top = ev.policy.profile, trace.overrun, trace.longest
    if over.events:
        share = 100 * over.ns / trace.total_ns
        words = (
            f"corrupt durations: {trace.file}: {over.events} events end after the whole of the next one on their stream, "
            f"{quoted(over.name)!r} by {over.worst_ns / 1000:.6g} us: {share:.3g} % of all time"
        )
        kind: Situation = "not_comparable" if share > rules.overrun_pct else "flagged"
        yield Fault(kind, ("P06",), words, ev.source(trace.file), AGAIN, figures=(("overrun", share, "%"),))
    if top is None or trace.launches < rules.one_event_min or not trace.total_ns:
        return
    share, usual = 100 * top.ns / trace.total_ns, top.usual_ns
    if share > rules.one_event_pct and (usual is None or top.ns > rules.one_event_times * usual):
        other = "no other launch of it" if usual is None else f"others of its name take {usual / 1000:.6g} us"
        words = (
            f"corrupt durations: {trace.file}: one launch of {quoted(top.name)!r} takes {top.ns / 1000:.6g} us, "
            f"{share:.3g} % of all time; {other}"
        )
        yield Fault("not_comparable", ("P06",), words, ev.source(trace.file), AGAIN, figures=(("one_event", share, "%"),))


def _graphs(ev: Evidence, trace: Trace) -> Iterator[Fault]:
    """Replayed graphs whose kernels are not in the trace; kernels without a link to a call may be theirs."""
    rules, seen = ev.policy.profile, trace.graphs
    silent = 100 * seen.silent / seen.launches if seen.launches else 0.0
    hidden = silent > rules.graph_pct and seen.unlinked < seen.silent
    empty = [step for step in trace.steps if step.kernels == 0]
    bare = 100 * len(empty) / len(trace.steps) if trace.steps else 0.0
    if hidden:
        words = f"{seen.silent} of {seen.launches} graph launches show no kernel"
    elif trace.device and bare > rules.graph_pct and len(empty) < len(trace.steps):
        words = f"{len(empty)} of {len(trace.steps)} steps show no kernel, {empty[0].label[:80]!r} among them"
    else:
        return
    share = silent if hidden else bare
    kind: Situation = "not_comparable" if share > rules.graph_fail_pct else "flagged"
    words = f"{trace.file}: {words}: the work inside is missing from every share"
    yield Fault(kind, ("P03",), words, ev.source(trace.file), NO_GRAPHS, figures=(("hidden", share, "%"),))


def _steps(ev: Evidence, trace: Trace) -> Iterator[Fault]:
    """Steps of one label hold alike many kernels; the first and the last may be cut by the window."""
    rules = ev.policy.profile
    counts: dict[str, list[int]] = defaultdict(list)
    for step in trace.steps[1:-1]:
        if step.kernels:
            counts[step.label].append(step.kernels)
    for label, items in sorted(counts.items()):
        usual = median(items)
        short = [count for count in items if count < usual * (1 - rules.steps_pct / 100)]
        if len(items) < rules.steps_min or not short:
            continue
        words = (
            f"{trace.file}: {len(short)} of {len(items)} steps {label[:80]!r} hold as few as {min(short)} kernels, "
            f"the others {usual:g}: some of the work was not traced"
        )
        step_ = "Record whole steps, with a buffer that holds all of their kernels."
        yield Fault(
            "flagged", ("P04", "M26"), words, ev.source(trace.file), step_, figures=(("fewest", float(min(short)), "kernels"),)
        )
        return


def _shapes(ev: Evidence, profile: Profile, trace: Trace) -> Iterator[Fault]:
    """Time of kernels whose shapes nobody knows; it matters to a table or a routed list, not to the shares.

    Less of it is borne by kernels for which a table names shapes, unless they were replayed and also launched one by one:
    what the trace does not show, the table has from elsewhere.
    """
    rules = ev.policy.profile
    kernels = [item for item in trace.kernels if item.kind != "copy"]
    known = sorted({item.name for item in kernels})
    shaped = {whole(row.name, known, rules.symbols.cut_chars) for table in profile.tables for row in table.entries if row.shaped}
    share = _blank(kernels)
    named = 0.0 if trace.graphs.launches else _blank([item for item in kernels if item.name in shaped])
    if share <= rules.blank_pct and named <= rules.named_blank_pct:
        return
    used = bool(profile.tables or profile.workloads or profile.routed)
    why = "replayed graphs carry none" if trace.graphs.launches else "no operator with Input Dims is linked to them"
    whose = "the kernels' time"
    if share <= rules.blank_pct:
        share, whose = named, "the time of kernels for which a table names shapes"
    words = f"{trace.file}: {share:.3g} % of {whose} has no shapes ({why}): no roofline, and no shape to benchmark"
    step = "Record shapes (record_shapes=True) in one window with graphs off."
    kind: Situation | None = "flagged" if used else None
    found = Fault(kind, ("P02",), words, ev.source(trace.file), step, figures=(("without_shapes", share, "%"),))
    yield found if used else found._replace(required=False)


def _blank(kernels: list[Kernel]) -> float:
    """Share of the time of these kernels in launches without shapes, percent."""
    total = sum(item.ns for item in kernels)
    return 100 * sum(item.blank_ns for item in kernels) / total if total else 0.0
