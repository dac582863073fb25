"""Harness scope: the shapes and the launch path of the live model, guards that ran, and sources without tricks."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from audit.contract import Finding, Situation, Source
from audit.evidence import Evidence
from audit.gates.harness import Asked, Fault, ask, place
from audit.intake.benches import Bench
from audit.intake.harness_record import HarnessRecord
from audit.intake.source import SourceFile
from audit.intake.syntax import Fact, matches
from audit.policy import Policy

SHAPES, DISPATCH, GUARDS, SOURCES = "harness_shapes", "harness_dispatch", "harness_guards", "harness_sources"
LIVE = "Launch the operation in the benchmark as the live server launches it."
TRICKS: dict[str, tuple[Situation, tuple[str, ...], str]] = {
    "inherited_reference": ("not_comparable", ("H32", "H01"), "the candidate is the reference under another name"),
    "validator_replaced": ("not_comparable", ("H41",), "the function that judges results is replaced"),
    "timer_replaced": ("not_comparable", ("H06", "H08"), "the function that takes or reduces times is replaced"),
    "hidden_code": ("not_comparable", ("H40",), "code is put together at run time, so the source does not show what ran"),
    "dynamic_code": ("flagged", ("H40",), "code is run from a text, so the source does not show all that ran"),
    "stack_look": ("flagged", ("H25",), "the code looks at who called it"),
    "fallback": ("flagged", ("H31",), "what fails is handed to other code in silence"),
    "library_wrapper": ("flagged", ("H30",), "what is called a kernel hands the work to a library"),
}
"""What a source does -> how much it weighs, taxonomy ids, words."""


def shapes(ev: Evidence) -> list[Finding]:
    """Shapes that the live model calls have a row in both legs."""
    return ask(ev, Asked(SHAPES, ("H23", "E13"), _shapes, lambda _: "every shape of the live model is timed in both legs"))


def dispatch(ev: Evidence) -> list[Finding]:
    """No launch path that does not deploy."""
    return ask(ev, Asked(DISPATCH, ("H33", "A08"), _dispatch, lambda _: "launched as in the live server"))


def guards(ev: Evidence) -> list[Finding]:
    """The harness's checks on itself ran and passed."""
    return ask(ev, Asked(GUARDS, ("H46",), _guards, lambda _: "the harness reports no fault of its own"))


def sources(ev: Evidence) -> list[Finding]:
    """What the candidate's source does beside computing."""
    return ask(ev, Asked(SOURCES, ("H30", "H31", "H40"), _sources, _read))


def _read(bench: Bench) -> str:
    return f"{len(bench.sources)} source files read, none does more than compute"


def _shapes(ev: Evidence, bench: Bench) -> list[Fault]:
    at, record = bench.record_at, bench.record
    live = [(n, shape) for n, shape in enumerate(record.shapes) if shape.live] if record else []
    if record is None or not live:
        at = at if record else bench.opbench_at
        words = f"{place(at.source)}: which shapes the live model calls is not recorded"
        return [Fault(None, ("H23", "E13"), words, at.source, "Record the live shapes with their calls.")]
    bare = [(n, shape) for n, shape in live if not (record.row("baseline", n) and record.row("candidate", n))]
    if not bare:
        return []
    lost, whole = sum(shape.calls for _, shape in bare), sum(shape.calls for _, shape in live)
    share = 100.0 * lost / whole if whole else 100.0
    shown = ", ".join("x".join(map(str, shape.dims)) for _, shape in bare[: ev.policy.limits.shown])
    source = at.at("dims", bare[0][0])
    words = f"{place(source)}: shapes that the live model calls are not timed in both legs: {shown} ({share:.3g} % of its calls)"
    weight: Situation = "not_comparable" if share > ev.policy.harness.uncovered_pct else "flagged"
    return [Fault(weight, ("H23", "E13"), words, source, "Time these shapes too.", figures=(("uncovered", share, "%"),))]


def _dispatch(ev: Evidence, bench: Bench) -> list[Fault]:
    graphs = ev.policy.harness.graph_paths
    paths = bench.record.dispatch if bench.record else None
    bench_path, live_path = (paths.bench_path, paths.live_path) if paths else (None, None)
    replays = _facts(ev.policy, bench, "graph_replay", everywhere=True)
    in_graph = matches((bench_path or "").lower(), graphs)
    at = bench.record_at.at("bench_path") if bench.record else bench.opbench_at.source
    if live_path is None:
        if in_graph or replays:
            source = at if in_graph else replays[0][1]
            words = f"{place(source)}: the benchmark replays a captured graph; whether the live server does is not recorded"
            return [Fault("flagged", ("H33", "A08"), words, source, LIVE)]
        words = f"{place(at)}: how the live server launches the operation is not recorded"
        return [Fault(None, ("H33", "A08"), words, at, LIVE)]
    if not matches(live_path.lower(), graphs) and (in_graph or replays):
        source = replays[0][1] if replays else at
        words = (
            f"{place(source)}: the benchmark replays a captured graph, the live server launches the operation as {live_path!r}"
        )
        return [Fault("not_comparable", ("H33", "A08"), words, source, LIVE)]
    if bench_path is not None and bench_path != live_path:
        words = f"{place(at)}: launched as {bench_path!r} in the benchmark and as {live_path!r} in the live server"
        return [Fault("flagged", ("A08",), words, at, LIVE)]
    return []


def _guards(ev: Evidence, bench: Bench) -> list[Fault]:
    found = []
    told = bench.opbench
    if told is not None and (told.harness_error or told.harness_suspect):
        source = bench.opbench_at.at("harness_error" if told.harness_error else "harness_suspect")
        what = f"an error ({told.harness_error[:120]!r})" if told.harness_error else "itself suspect"
        words = f"{place(source)}: the harness reports {what}; its numbers stand for nothing"
        found.append(Fault("not_comparable", ("H46",), words, source, "Mend the harness, then measure again."))
    return found + (list(_guard_rows(ev.policy, bench, bench.record)) if bench.record else [])


def _guard_rows(policy: Policy, bench: Bench, record: HarnessRecord) -> Iterator[Fault]:
    rows = {guard.name: guard for guard in record.guards}
    at = bench.record_at
    for name in policy.harness.guards:
        guard = rows.get(name)
        if guard is None:
            source = at.at("guards")
            words = f"{place(source)}: the guard {name!r} left no row: nobody knows whether it ran"
            yield Fault("missing", ("H46",), words, source, "Run every guard, and keep its row.")
        elif guard.status != "passed":
            source = at.at("status", record.guards.index(guard))
            words = f"{place(source)}: the guard {name!r} did not pass ({guard.status})"
            weight: Situation = "not_comparable" if guard.status == "failed" else "missing"
            yield Fault(weight, ("H46",), words, source, "Mend what it found, or what kept it from running.")


def candidates(policy: Policy, bench: Bench) -> list[SourceFile]:
    """Sources that are neither the harness nor the reference."""
    record = bench.record
    own = {record.candidate.file, f"{bench.dir}/{record.candidate.file}"} if record else set()
    other = {record.baseline.file, f"{bench.dir}/{record.baseline.file}"} - own if record else set()
    artifact = bench.opbench.row(bench.opbench.winner_backend) if bench.opbench else None
    if artifact is not None and artifact.artifact:
        own |= {artifact.artifact, f"{bench.dir}/{artifact.artifact}"}
    found = []
    for item in bench.sources:
        name = item.source.file.rpartition("/")[2].lower()
        strange = item.source.file in other or any(fnmatchcase(name, pattern) for pattern in policy.harness.candidate_not)
        if item.source.file in own or not strange:
            found.append(item)
    return found


def _facts(policy: Policy, bench: Bench, kind: str, *, everywhere: bool = False) -> list[tuple[Fact, Source]]:
    files = bench.sources if everywhere else candidates(policy, bench)
    return [
        (fact, Source(item.source.file, item.source.sha256, fact.line))
        for item in files
        for fact in item.facts
        if fact.kind == kind
    ]


def _sources(ev: Evidence, bench: Bench) -> list[Fault]:
    found = []
    counted = bench.record is not None and bench.record.candidate.fallback_calls == 0
    authored = bool(_facts(ev.policy, bench, "authored_kernel"))
    for kind, (weight, ids, words) in TRICKS.items():
        if (kind == "fallback" and counted) or (kind == "library_wrapper" and authored):
            continue
        for fact, source in _facts(ev.policy, bench, kind, everywhere=kind in ("validator_replaced", "timer_replaced")):
            found.append(
                Fault(weight, ids, f"{place(source)}: {words} ({fact.detail})", source, "Take it out, then measure again.")
            )
    for fact, source in _facts(ev.policy, bench, "rebind"):
        if matches(fact.detail, ev.policy.overlays.reference_names) or fact.detail == _timed_baseline(bench):
            words = f"{place(source)}: the candidate puts something else in place of {fact.detail}"
            found.append(Fault("not_comparable", ("H44",), words, source, "Leave the reference alone."))
    for fact, source in _facts(ev.policy, bench, "reference_alias"):
        if bench.record and fact.detail.partition(" ")[0] == bench.record.candidate.qualname.partition(".")[0]:
            words = f"{place(source)}: the candidate is the reference under another name ({fact.detail})"
            found.append(Fault("not_comparable", ("H32", "H01"), words, source, "Import the candidate, then measure again."))
    found += _vendor(ev, bench)
    for item in candidates(ev.policy, bench):
        if item.problem:
            words = f"{item.source.file}: {item.problem}"
            found.append(Fault(None, ("H40",), words, item.source, "Give the auditor a source that parses."))
    if not bench.sources:
        at = bench.record_at if bench.record else bench.opbench_at
        words = f"{bench.dir}: no source lies with the benchmark"
        found.append(Fault(None, ("H30", "H40"), words, at.source, "Keep the sources beside the record."))
    return found


def _timed_baseline(bench: Bench) -> str:
    """The dotted name of the function that the baseline's leg ran, where the record states it."""
    leg = bench.record.baseline if bench.record else None
    return f"{leg.module}.{leg.qualname}" if leg and leg.module and leg.qualname else ""


def _vendor(ev: Evidence, bench: Bench) -> Iterator[Fault]:
    """An authored kernel of which a trace shows nothing but a vendor's kernels."""
    record = bench.record
    names = record.candidate.device_kernels if record else []
    vendor = [name for name in names if any(fnmatchcase(name, pattern) for pattern in ev.policy.harness.vendor_kernels)]
    claimed = record is not None and matches(record.candidate.label.lower(), ev.policy.overlays.kernel_like)
    if names and claimed and len(vendor) == len(names):
        source = bench.record_at.at("device_kernels", 1)
        words = f"{place(source)}: the candidate ran nothing but library kernels ({', '.join(vendor[:3])[:200]})"
        yield Fault("flagged", ("H30",), words, source, "Call it a choice of library, or measure the kernel.")
