"""Profile scope, the trace itself: can its times be believed, and are they the time that a user waits?"""

from __future__ import annotations

from audit.contract import Figure, Finding
from audit.evidence import Evidence
from audit.intake.traces import Op, TraceFacts

GATE = "profile_trace"


def check(ev: Evidence) -> list[Finding]:
    """Findings on each trace; one ``ok`` when all hold."""
    if not ev.profiles.traces and not ev.profiles.tables:
        step = "Put a torch trace (*.trace.json, *.trace.json.gz) or a Top-N table (profile_topN.json) into the folder."
        return [
            Finding(
                gate=GATE, status="unknown", ids=["P01"], reason="no trace and no Top-N table lies in the folder", next_step=step
            )
        ]
    if not ev.profiles.traces:
        reason = "no trace: the shares of the table cannot be derived again, only its arithmetic"
        return [Finding(gate=GATE, status="unknown", ids=["P01"], required=False, reason=reason)]
    found = [item for trace in ev.profiles.traces for item in _one(ev, trace)]
    if found:
        return found
    words = "; ".join(_words(trace) for trace in ev.profiles.traces)
    return [
        Finding(
            gate=GATE, status="ok", ids=["P06", "P11"], reason=words, evidence=[ev.source(t.file) for t in ev.profiles.traces]
        )
    ]


def _words(trace: TraceFacts) -> str:
    top = (
        ", ".join(f"{op.name} {100 * op.total_us / trace.total_us:.3g} %" for op in trace.ops[:3])
        if trace.total_us
        else "no time"
    )
    kind = (
        f"device busy {_busy(trace):.3g} % of {trace.span_us / 1000:.4g} ms"
        if trace.device
        else "the CPU's own time (no device in the trace)"
    )
    return f"{trace.file}: {top}; {kind}"


def _busy(trace: TraceFacts) -> float:
    return 100 * trace.busy_us / trace.span_us if trace.span_us else 100.0


def _one(ev: Evidence, trace: TraceFacts) -> list[Finding]:
    return [*_durations(ev, trace), *_graphs(ev, trace), *_shapes(ev, trace), *_wall(ev, trace), *_steps(ev, trace)]


def _flag(
    ev: Evidence, trace: TraceFacts, ids: list[str], words: tuple[str, str], figures: dict[str, Figure] | None = None
) -> Finding:
    reason, step = words
    return Finding(
        gate=GATE,
        status="flag",
        situation="flagged",
        ids=ids,
        reason=f"{trace.file}: {reason}",
        next_step=step,
        figures=figures or {},
        evidence=[ev.source(trace.file)],
    )


def _durations(ev: Evidence, trace: TraceFacts) -> list[Finding]:
    """Events that overlap their successor on one stream, or a single launch that owns the trace: a broken clock."""
    rules = ev.policy.profile
    single = next((op for op in trace.ops if op.calls == 1 and 100 * op.total_us > rules.one_event_pct * trace.total_us), None)
    if not trace.overruns and (single is None or len(trace.ops) < 2):
        return []
    if trace.overruns:
        name, over = trace.overruns[0]
        words = f"{len(trace.overruns)} events reach beyond their successor on the same stream, {name[:120]!r} by {over:.6g} us"
    else:
        assert single is not None  # noqa: S101 - the branch above
        words = f"one launch of {single.name!r} owns {100 * single.total_us / trace.total_us:.3g} % of the time"
    return [
        Finding(
            gate=GATE,
            status="fail",
            situation="not_comparable",
            ids=["P06"],
            reason=f"corrupt durations: {trace.file}: {words}",
            next_step="Record the trace again; shares of a trace with broken times mean nothing.",
            evidence=[ev.source(trace.file)],
        )
    ]


def _graphs(ev: Evidence, trace: TraceFacts) -> list[Finding]:
    if not trace.graph_launches or trace.replayed == trace.graph_launches:
        return []
    words = f"{trace.graph_launches - trace.replayed} of {trace.graph_launches} graph launches show no kernel"
    return [
        _flag(ev, trace, ["P03"], (words, "Profile with graphs off, or with kernel tracing inside graphs, and route on that."))
    ]


def _shapes(ev: Evidence, trace: TraceFacts) -> list[Finding]:
    share = 100 * sum(op.blank_us for op in trace.ops) / trace.total_us if trace.total_us else 0.0
    if share <= ev.policy.profile.blank_pct:
        return []
    words = f"{share:.3g} % of the time carries no shapes: no roofline can be drawn from it"
    step = "Record shapes (record_shapes=True), or profile once with graphs off."
    return [_flag(ev, trace, ["P02"], (words, step), {"blank": Figure(share, "%")})]


def _wall(ev: Evidence, trace: TraceFacts) -> list[Finding]:
    """Shares of busy time where the device idles are no shares of the time a user waits."""
    rules = ev.policy.profile
    if not trace.device or not trace.span_us:
        return []
    found = []
    idle = 100 - _busy(trace)
    if idle > rules.idle_pct and trace.ops:
        top = trace.ops[0]
        wall = 100 * top.total_us / trace.span_us
        words = f"the device idles {idle:.3g} % of the time: {top.name} is {wall:.3g} % of wall time, not {_pct(trace, top):.3g}"
        figures = {"idle": Figure(idle, "%"), "top_wall_share": Figure(wall, "%")}
        found.append(_flag(ev, trace, ["P11", "P08"], (words, "Quote wall shares, or make the host faster first."), figures))
    hidden = 100 * (trace.copies_us + trace.collectives_us) / trace.total_us if trace.total_us else 0.0
    told = any(
        "mem" in entry.name.lower() or "nccl" in entry.name.lower() or "reduce" in entry.name.lower()
        for t in ev.profiles.tables
        for entry in t.entries
    )
    if hidden > rules.hidden_pct and ev.profiles.tables and not told:
        words = f"copies and collectives take {hidden:.3g} % of the device's time, and no table mentions them"
        found.append(
            _flag(ev, trace, ["P08"], (words, "List copies and collectives beside the kernels."), {"hidden": Figure(hidden, "%")})
        )
    return found


def _pct(trace: TraceFacts, op: Op) -> float:
    return 100 * op.total_us / trace.total_us if trace.total_us else 0.0


def _steps(ev: Evidence, trace: TraceFacts) -> list[Finding]:
    """Steps of one kind hold about the same number of kernels, and as many were seen as the table counts."""
    found = []
    kinds: dict[str, list[int]] = {}
    for name, kernels in trace.steps:
        kinds.setdefault("".join("#" if char.isdigit() else char for char in name), []).append(kernels)
    for kind, counts in sorted(kinds.items()):
        low, high = min(counts), max(counts)
        if len(counts) >= 3 and high - low > ev.policy.profile.steps_pct / 100 * high:
            words = f"steps {kind!r} hold {low} to {high} kernels: some were not traced"
            found.append(_flag(ev, trace, ["P04", "M26"], (words, "Record whole steps, each with all of its kernels.")))
            break
    serving = {key: value for table in ev.profiles.tables for key, value in table.serving}
    asked = serving.get("n_prefill_steps", 0.0) + serving.get("n_decode_steps", 0.0)
    seen = len([kernels for _, kernels in trace.steps if kernels])
    if asked and seen and abs(asked - seen) > ev.policy.profile.steps_pct / 100 * max(asked, seen):
        words = f"the trace holds {seen} steps, the table divides by {asked:.6g}"
        figures = {"seen": Figure(seen, "steps"), "counted": Figure(asked, "steps")}
        found.append(_flag(ev, trace, ["P12"], (words, "Count steps from the scheduler, and divide by those."), figures))
    return found
