"""torch profiler traces (Chrome format, plain or gzip): time by kernel, busy time, steps, and what is wrong with the events."""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from msgspec import Struct

from audit.contract import Source
from audit.errors import DamageError
from audit.intake import timeline
from audit.intake.timeline import Busy, Event, Inside, Longest, Overrun, Step
from audit.policy import Profiling

GZIP, BOM = b"\x1f\x8b", b"\xef\xbb\xbf"
_DIMS = re.compile(rb"\d")
_CHUNK = 1 << 20


class _Args(Struct, gc=False):
    external: int | str | None = msgspec.field(name="External id", default=None)
    old_external: int | str | None = msgspec.field(name="external id", default=None)
    correlation: int | str | None = None
    dims: msgspec.Raw = msgspec.field(name="Input Dims", default_factory=msgspec.Raw)


class _Event(Struct, gc=False):
    """One event as written; times in microseconds."""

    ph: str = ""
    name: str = ""
    cat: str = ""
    ts: float | None = None
    dur: float | None = None
    pid: int | str | None = None
    tid: int | str | None = None
    args: _Args | None = None


Records = dict[str, list[_Event]]
"""Complete events by category."""


class _Distributed(Struct):
    world_size: int | None = None


class _Trace(Struct):
    traceEvents: list[_Event]
    distributedInfo: _Distributed | None = None


class Kernel(NamedTuple):
    """All launches under one raw name; ``kind`` is kernel, copy or cpu."""

    name: str
    kind: str
    calls: int
    ns: int
    blank_ns: int
    """Time of launches without shapes."""


class Graphs(NamedTuple):
    """Graph launches, those of which no kernel is seen, and kernels that no recorded call launched (replayed without a link)."""

    launches: int
    silent: int
    unlinked: int


@dataclass(frozen=True, slots=True)
class Trace:
    """What one trace holds. Without a device, the operators of the CPU with their own time stand for kernels."""

    file: str
    device: bool
    kernels: tuple[Kernel, ...]
    """By time, longest first."""
    devices: tuple[Busy, ...]
    steps: tuple[Step, ...]
    graphs: Graphs
    overrun: Overrun
    longest: Longest | None
    timeless: int
    """Kernels without a duration: they count nowhere else."""
    world: int | None
    """Ranks, where the trace says so."""
    modules: tuple[Inside, ...] = ()
    """Time of the CPU's operators by the module of the model that they ran in, where modules are marked."""

    @property
    def total_ns(self) -> int:
        """Time of all kernels and copies."""
        return sum(item.ns for item in self.kernels)

    @property
    def busy_ns(self) -> int:
        """Time in which anything ran, over all devices."""
        return sum(item.busy_ns for item in self.devices)

    @property
    def span_ns(self) -> int:
        """First event to last, over all devices."""
        return sum(item.span_ns for item in self.devices)

    @property
    def launches(self) -> int:
        """Kernels and copies."""
        return sum(item.calls for item in self.kernels)


_KEPT: dict[tuple[Source, bytes], Trace] = {}
MOST_KEPT = 4


def unpack(data: bytes, rules: Profiling) -> bytes:
    """The bytes of a trace, unpacked in steps where they are gzip. Raises DamageError on a bomb or a file that was cut off."""
    if not data.startswith(GZIP):
        return data
    most = min(rules.unpacked_bytes, max(rules.unpack_floor, rules.unpack_ratio * len(data)))
    found, rest = bytearray(), data
    while rest:
        stream = zlib.decompressobj(31)
        while rest or stream.unconsumed_tail:
            try:
                found += stream.decompress(stream.unconsumed_tail or rest, _CHUNK)
            except zlib.error as error:
                raise DamageError(f"not a whole gzip file: {error}") from error
            rest = b""
            if len(found) > most:
                raise DamageError(f"{len(data)} bytes unpack to more than {most}: refused")
            if stream.eof:
                break
        if not stream.eof:
            raise DamageError("cut off: the gzip stream does not end", ids=("R14",))
        rest = stream.unused_data.lstrip(b"\0")
        if rest and not rest.startswith(GZIP):
            raise DamageError("something after the end of the gzip stream")
    return bytes(found)


def facts(data: bytes, source: Source, rules: Profiling) -> Trace:
    """The facts of a trace as it lies on the disk; those of the last few are kept for the next request on the same bytes."""
    key = (source, msgspec.json.encode(rules))
    found = _KEPT.pop(key, None)
    if found is None:
        found = parse(unpack(data, rules), source.file, rules)
    _KEPT[key] = found
    if len(_KEPT) > MOST_KEPT:
        del _KEPT[next(iter(_KEPT))]
    return found


def parse(data: bytes, file: str, rules: Profiling) -> Trace:
    """The facts of one trace. Raises DamageError on what is no trace, or on events that cannot have happened."""
    whole = _decode(data)
    sorted_ = _by_category(whole.traceEvents)
    kernels, timeless = _timed(sorted_, [*rules.kernel_cats, *rules.copy_cats])
    device = any(event.kind in rules.kernel_cats for event, _ in kernels)
    spans = kernels
    if not device:
        spans, timeless = _timed(sorted_, ["cpu_op"])
        kernels = _own(spans)
    calls, _ = _timed(sorted_, rules.launch_cats)
    events = [event for event, _ in kernels]
    return Trace(
        file=file,
        device=device,
        kernels=_by_name(kernels, sorted_, rules, device=device),
        devices=timeline.busy(event for event, _ in spans),
        steps=_steps(sorted_, events, [event for event, _ in calls], rules, device=device),
        graphs=_graphs(events, [event for event, _ in calls], rules) if device else Graphs(0, 0, 0),
        overrun=timeline.overrun(events, round(1000 * rules.overrun_us)) if device else Overrun(0, 0, "", 0),
        longest=timeline.longest(events) if device and events else None,
        timeless=timeless,
        world=whole.distributedInfo.world_size if whole.distributedInfo else None,
        modules=() if device else _modules(sorted_, events, rules),
    )


def _modules(sorted_: Records, own: Sequence[Event], rules: Profiling) -> tuple[Inside, ...]:
    """Own time by module, where the profiler marked the modules."""
    notes, _ = _timed(sorted_, ["user_annotation"])
    prefix = rules.module_mark
    marks = [event._replace(name=event.name[len(prefix) :]) for event, _ in notes if event.name.startswith(prefix)]
    return timeline.inside(own, marks) if marks else ()


def _decode(data: bytes) -> _Trace:
    text = data[len(BOM) :] if data.startswith(BOM) else data
    try:
        if text[:64].lstrip().startswith(b"["):
            return _Trace(msgspec.json.decode(text, type=list[_Event]))
        return msgspec.json.decode(text, type=_Trace)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        cut = "truncated" in str(error)
        raise DamageError(f"not a whole torch trace: {str(error)[:200]}", ids=("R14",) if cut else ()) from error


def _by_category(events: Sequence[_Event]) -> Records:
    """Complete events by category; marks, flows and names of threads are left out."""
    found: Records = defaultdict(list)
    for event in events:
        if event.ph == "X":
            found[event.cat].append(event)
    return found


def _timed(events: Records, cats: Sequence[str]) -> tuple[list[tuple[Event, _Event]], int]:
    """Events of some categories, each beside its record; and how many lack a duration."""
    found, timeless = [], 0
    for event in (item for cat in cats for item in events.get(cat, ())):
        if event.ts is None:
            raise DamageError(f"an event without a time: {event.name[:80]!r}", ids=("P06",))
        if event.dur is None:
            timeless += 1
            continue
        if event.dur < 0:
            raise DamageError(f"an event of {event.dur:g} us: {event.name[:80]!r}", ids=("P06",))
        link = event.args.correlation if event.args else None
        start, ns = round(event.ts * 1000), round(event.dur * 1000)
        found.append((Event(event.name, start, ns, str(event.pid), str(event.tid), link, event.cat), event))
    return found, timeless


def _own(spans: list[tuple[Event, _Event]]) -> list[tuple[Event, _Event]]:
    """Operators of the CPU with their own time."""
    own = timeline.own_ns([event for event, _ in spans])
    return [
        (Event(event.name, event.start, ns, event.place, event.lane, None, event.kind), record)
        for (event, record), ns in zip(spans, own, strict=True)
    ]


def _has_dims(event: _Event) -> bool:
    return event.args is not None and _DIMS.search(event.args.dims) is not None


def _external(event: _Event) -> int | str | None:
    if event.args is None:
        return None
    return event.args.external if event.args.external is not None else event.args.old_external


def _by_name(kernels: Sequence[tuple[Event, _Event]], events: Records, rules: Profiling, *, device: bool) -> tuple[Kernel, ...]:
    shaped = {_external(event) for event in events.get("cpu_op", ()) if _has_dims(event)} - {None} if device else set()
    calls: dict[tuple[str, str], int] = defaultdict(int)
    total: dict[tuple[str, str], int] = defaultdict(int)
    blank: dict[tuple[str, str], int] = defaultdict(int)
    for event, record in kernels:
        kind = "cpu" if not device else "kernel" if event.kind in rules.kernel_cats else "copy"
        key = (event.name, kind)
        calls[key] += 1
        total[key] += event.ns
        known = _external(record) in shaped if device else _has_dims(record)
        blank[key] += 0 if known or kind == "copy" else event.ns
    found = [Kernel(*key, calls[key], total[key], blank[key]) for key in total]
    return tuple(sorted(found, key=lambda item: (-item.ns, item.name, item.kind)))


def _graphs(kernels: Sequence[Event], calls: Sequence[Event], rules: Profiling) -> Graphs:
    seen = {event.launch for event in kernels}
    linked = {event.launch for event in calls if event.launch is not None}
    replays = {event.launch for event in calls if rules.graph_launch in event.name and event.launch is not None}
    unlinked = sum(event.launch not in linked for event in kernels) if linked else 0
    return Graphs(len(replays), len(replays - seen), unlinked)


def _steps(
    events: Records, kernels: Sequence[Event], calls: Sequence[Event], rules: Profiling, *, device: bool
) -> tuple[Step, ...]:
    """Steps by the CPU's annotations where launches can be told to them, else by the device's."""
    patterns = [re.compile(item) for item in rules.steps]

    def marks(cat: str) -> Iterator[timeline.Mark]:
        for event, _ in _timed(events, [cat])[0]:
            if (found := timeline.mark(event, patterns, rules.modes)) is not None:
                yield found

    host = list(marks("user_annotation"))
    if not device:
        return timeline.steps(host, kernels, None)
    launched = {event.launch: event.start for event in calls if event.launch is not None}
    if host and launched:
        return timeline.steps(host, kernels, launched)
    if found := list(marks("gpu_user_annotation")):
        return timeline.steps(found, kernels, None)
    return tuple(step._replace(kernels=None) for step in timeline.steps(host, [], None))
