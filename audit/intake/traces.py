"""torch profiler traces (Chrome format, plain or gzip): time by operation, busy time, and what is wrong with the events."""

from __future__ import annotations

import bisect
import itertools
import re
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec
from msgspec import Struct

from audit.errors import DamageError
from audit.policy import Profiling

DEVICE = ("kernel", "gpu_memcpy", "gpu_memset")
STEPS = ("user_annotation", "gpu_user_annotation")


class _Args(Struct):
    """The arguments of an event that matter."""

    external: int | None = msgspec.field(name="External id", default=None)
    correlation: int | None = None
    dims: list[object] | None = msgspec.field(name="Input Dims", default=None)


class _Event(Struct):
    """One event; times in microseconds."""

    ph: str = ""
    name: str = ""
    cat: str = ""
    ts: float | None = None
    dur: float | None = None
    pid: int | str | None = None
    tid: int | str | None = None
    args: _Args | None = None


class _Trace(Struct):
    """A whole trace."""

    traceEvents: list[_Event]


@dataclass(frozen=True, slots=True)
class Op:
    """One operation: every launch of every variant of it. Times in microseconds."""

    name: str
    family: str
    total_us: float
    calls: int
    variants: int
    """Distinct raw names behind it."""
    blank_us: float
    """Time of launches without shapes."""
    raw: str
    """The raw name of the variant that took the most time."""


@dataclass(frozen=True, slots=True)
class TraceFacts:
    """What one trace holds. Times in microseconds; on a trace without a device the operations are the CPU's own time."""

    file: str
    device: bool
    ops: tuple[Op, ...]
    total_us: float
    busy_us: float
    """Union of device activity over all streams of a device, summed over devices."""
    span_us: float
    """From the first to the last event, summed over devices."""
    copies_us: float
    collectives_us: float
    graph_launches: int
    replayed: int
    """Graph launches that any kernel of the trace answers to."""
    steps: tuple[tuple[str, int], ...]
    """Step annotations in order, with the number of kernels launched inside."""
    overruns: tuple[tuple[str, float], ...] = field(default=())
    """Events that reach beyond the start of their successor on the same stream, and by how much."""


def unpack(data: bytes, rules: Profiling) -> bytes:
    """The bytes of a trace, unpacked where they are gzip. Raises DamageError on a bomb or a file that was cut off."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    stream = zlib.decompressobj(31)
    try:
        found = stream.decompress(data, rules.unpacked_bytes + 1)
    except zlib.error as error:
        raise DamageError(f"not gzip: {error}") from error
    if len(found) > rules.unpacked_bytes or len(found) > rules.unpack_ratio * max(len(data), 1024):
        raise DamageError(f"unpacks to more than {min(rules.unpacked_bytes, rules.unpack_ratio * len(data))} bytes: refused")
    if not stream.eof:
        raise DamageError("cut off: the gzip stream does not end")
    return found


def parse(data: bytes, file: str, rules: Profiling) -> TraceFacts:
    """The facts of one trace. Raises DamageError on what is no trace, or on events that cannot have happened."""
    try:
        if data.lstrip()[:1] == b"[":
            events = msgspec.json.decode(data, type=list[_Event])
        else:
            events = msgspec.json.decode(data, type=_Trace).traceEvents
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamageError(f"not a whole torch trace: {error}") from error
    whole = [event for event in events if event.ph == "X" and event.ts is not None]
    for event in whole:
        if event.dur is not None and event.dur < 0:
            raise DamageError(f"an event of {event.dur} us: {event.name[:80]!r}", ids=("P06",))
    device = any(event.cat == "kernel" for event in whole)
    timed = [event for event in whole if event.cat in DEVICE] if device else [event for event in whole if event.cat == "cpu_op"]
    own = [event.dur or 0.0 for event in timed] if device else _own_time(timed)
    shaped = {event.args.external for event in whole if event.cat == "cpu_op" and event.args and _has_dims(event.args)}
    ops = _ops(timed, own, shaped, rules, device=device)
    launches = {
        event.args.correlation
        for event in whole
        if event.cat == "cuda_runtime" and "GraphLaunch" in event.name and event.args and event.args.correlation is not None
    }
    answered = {event.args.correlation for event in timed if event.args and event.args.correlation is not None}
    return TraceFacts(
        file=file,
        device=device,
        ops=ops,
        total_us=sum(op.total_us for op in ops),
        busy_us=sum(_union(group) for group in _by(timed, tids=False).values()),
        span_us=sum(_span(group) for group in _by(timed, tids=False).values()),
        copies_us=sum(event.dur or 0.0 for event in timed if event.cat in ("gpu_memcpy", "gpu_memset")),
        collectives_us=sum(op.total_us for op in ops if op.family == "collective"),
        graph_launches=len(launches),
        replayed=len(launches & answered),
        steps=_steps(whole, timed),
        overruns=_overruns(timed, rules) if device else (),
    )


def _has_dims(args: _Args) -> bool:
    return bool(args.dims) and any(bool(item) for item in args.dims or ())


def _own_time(events: Sequence[_Event]) -> list[float]:
    """Time of each CPU operation without that of the operations inside it, by thread."""
    own = [event.dur or 0.0 for event in events]
    for group in _indices(events).values():
        stack: list[int] = []
        for index in sorted(group, key=lambda at: (events[at].ts or 0.0, -(events[at].dur or 0.0))):
            start = events[index].ts or 0.0
            while stack and (events[stack[-1]].ts or 0.0) + (events[stack[-1]].dur or 0.0) <= start:
                stack.pop()
            if stack:
                own[stack[-1]] -= events[index].dur or 0.0
            stack.append(index)
    return own


def _indices(events: Sequence[_Event]) -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, event in enumerate(events):
        found[(str(event.pid), str(event.tid))].append(index)
    return found


def _by(events: Sequence[_Event], *, tids: bool) -> dict[tuple[str, str], list[_Event]]:
    found: dict[tuple[str, str], list[_Event]] = defaultdict(list)
    for event in events:
        found[(str(event.pid), str(event.tid) if tids else "")].append(event)
    return found


def _union(events: Sequence[_Event]) -> float:
    total, end = 0.0, float("-inf")
    for event in sorted(events, key=lambda item: item.ts or 0.0):
        start, stop = event.ts or 0.0, (event.ts or 0.0) + (event.dur or 0.0)
        if stop > end:
            total += stop - max(start, end)
            end = stop
    return total


def _span(events: Sequence[_Event]) -> float:
    return max((item.ts or 0.0) + (item.dur or 0.0) for item in events) - min(item.ts or 0.0 for item in events)


def _ops(
    events: Sequence[_Event], own: Sequence[float], shaped: set[int | None], rules: Profiling, *, device: bool
) -> tuple[Op, ...]:
    times: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    calls: dict[str, int] = defaultdict(int)
    blank: dict[str, float] = defaultdict(float)
    for event, dur in zip(events, own, strict=True):
        name = canonical(event.name, rules)
        times[name][event.name] += dur
        calls[name] += 1
        args = event.args
        known = args is not None and (args.external in shaped if device else _has_dims(args))
        if not known and event.cat in ("kernel", "cpu_op"):
            blank[name] += dur
    found = [
        Op(
            name,
            family(name, rules),
            sum(raw.values()),
            calls[name],
            len(raw),
            blank[name],
            max(raw, key=lambda key: (raw[key], key)),
        )
        for name, raw in times.items()
    ]
    return tuple(sorted(found, key=lambda op: (-op.total_us, op.name)))


def _steps(whole: Sequence[_Event], timed: Sequence[_Event]) -> tuple[tuple[str, int], ...]:
    marks = [
        event
        for event in whole
        if event.cat in STEPS and re.search(r"(?i)step|execute_context|forward|decode|prefill", event.name)
    ]
    marks.sort(key=lambda event: (event.ts or 0.0, event.name))
    starts = sorted(event.ts or 0.0 for event in timed)
    found = []
    for mark in marks:
        begin, end = mark.ts or 0.0, (mark.ts or 0.0) + (mark.dur or 0.0)
        found.append((mark.name, bisect.bisect_left(starts, end) - bisect.bisect_left(starts, begin)))
    return tuple(found)


def _overruns(timed: Sequence[_Event], rules: Profiling) -> tuple[tuple[str, float], ...]:
    found = []
    for group in _by(timed, tids=True).values():
        ordered = sorted(group, key=lambda item: item.ts or 0.0)
        for one, other in itertools.pairwise(ordered):
            over = (one.ts or 0.0) + (one.dur or 0.0) - (other.ts or 0.0)
            if over > rules.overrun_us:
                found.append((one.name[:200], over))
    return tuple(sorted(found, key=lambda item: (-item[1], item[0]))[:20])


@lru_cache(maxsize=16384)
def _clean(name: str, strip: tuple[str, ...]) -> str:
    text = name.strip()
    for pattern in strip:
        text = re.sub(pattern, "", text)
    depth, kept = 0, []
    for char in text:
        depth += (char in "<(") - (char in ">)")
        if depth == 0 and char not in ">)":
            kept.append(char)
    text = "".join(kept).strip().rpartition("::")[2] or "".join(kept).strip()
    return text.removeprefix("void ").strip(" _") or name.strip()


def canonical(name: str, rules: Profiling) -> str:
    """One name for all variants of an operation: template arguments, tile sizes and tuning suffixes dropped, families folded."""
    cleaned = _clean(name, tuple(rules.strip))
    for label, pattern in rules.fold.items():
        if re.search(pattern, name):
            return label
    return cleaned


def family(name: str, rules: Profiling) -> str:
    """The family of an operation by the policy's patterns, else ``other``."""
    return next((label for label, pattern in rules.families.items() if re.search(pattern, name)), "other")
