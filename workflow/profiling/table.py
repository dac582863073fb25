"""From a torch trace to tables: own time by operation and by module. The auditor makes its own from the same trace."""

from __future__ import annotations

import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from workflow.errors import WorkerFailedError

MODULE = "module:"
"""Prefix of the annotation around every module's forward."""
OUTSIDE = "(outside of the model)"
MOST_BYTES = 512 * 1024 * 1024
"""Bytes of an unpacked trace."""
AGAIN = "Take the profile again; what its process printed is in worker.log beside the trace."
NAME_CHARS = 400
"""Letters kept of a name and of a list of shapes."""
KERNEL = "kernel"


class _Categories(NamedTuple):
    """Under which categories a trace has the annotations and the operations of one side."""

    annotation: str
    ops: tuple[str, ...]


ON_HOST = _Categories("user_annotation", ("cpu_op",))
ON_DEVICE = _Categories("gpu_user_annotation", (KERNEL, "gpu_memcpy", "gpu_memset"))
"""The profiler repeats every annotation on the device's streams, around the kernels that were launched inside it."""
SHOWN = 3
"""Shapes and modules of an operation that a table names, most time first."""


class Row(NamedTuple):
    """One operation, or one module with everything that runs in it, modules inside included."""

    name: str
    us: float
    """Microseconds: of an operation its own, without operations inside; of a module that of all operations in it."""
    share_pct: float
    calls: int
    shapes: tuple[str, ...]
    modules: tuple[str, ...]
    """Modules that call it, most time first; of a module, the operations in it."""

    @property
    def ceiling_pct(self) -> float:
        """What the whole can gain at most, percent, if this took no time at all (Amdahl's law)."""
        return 100 * (1 / (1 - min(self.share_pct, 99.9) / 100) - 1)


class Table(NamedTuple):
    """The tables of one trace; shares are of the time in operations."""

    total_us: float
    ops: tuple[Row, ...]
    modules: tuple[Row, ...]
    steps: dict[str, int]
    """Forward passes by phase."""


@dataclass(slots=True)
class _Sum:
    us: float = 0.0
    calls: int = 0
    shapes: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    beside: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, us: float, shapes: str, beside: str) -> None:
        """Own time of one call, at these shapes, in that company."""
        self.us += us
        self.shapes[shapes] += us
        self.beside[beside] += us

    def row(self, name: str, total: float) -> Row:
        """The sum as a row of a table."""
        return Row(name, self.us, 100 * self.us / total, self.calls, _most(self.shapes), _most(self.beside))


def _most(found: dict[str, float]) -> tuple[str, ...]:
    return tuple(name for name, _ in sorted(found.items(), key=lambda item: (-item[1], item[0]))[:SHOWN])


class _Event(NamedTuple):
    start: float
    end: float
    name: str
    op: bool
    shapes: str


@dataclass(slots=True)
class _Open:
    """An event that is still running; ``modules`` are those around it, innermost last, itself included."""

    event: _Event
    modules: tuple[str, ...]
    own: float


@dataclass(slots=True)
class _Sums:
    """What was added up so far."""

    ops: dict[str, _Sum] = field(default_factory=lambda: defaultdict(_Sum))
    modules: dict[str, _Sum] = field(default_factory=lambda: defaultdict(_Sum))
    steps: dict[str, int] = field(default_factory=lambda: {"prefill": 0, "decode": 0})

    def begin(self, event: _Event, stack: list[_Open]) -> None:
        """Count an event and put it on the stack; its time is taken from the operation around it."""
        modules, length = stack[-1].modules if stack else (), event.end - event.start
        if event.op:
            self.ops[event.name].calls += 1
            around = next((item for item in reversed(stack) if item.event.op), None)
            if around is not None:
                around.own -= length
        elif event.name.startswith(MODULE):
            name = event.name.removeprefix(MODULE)
            self.modules[name].calls += 1
            modules = (*modules, name)
        stack.append(_Open(event, modules, length))

    def end(self, done: _Open) -> None:
        """Add the own time of an operation that is over."""
        if done.event.op:
            self.ops[done.event.name].add(done.own, done.event.shapes, done.modules[-1] if done.modules else OUTSIDE)
            for name in dict.fromkeys(done.modules) or (OUTSIDE,):
                self.modules[name].add(done.own, done.event.shapes, done.event.name)


def table(trace: bytes) -> Table:
    """The tables of a Chrome trace (gzipped or plain): of the device's time where there is one, else of the CPU's.

    Raises WorkerFailedError when it is none or holds no operation."""
    lanes: dict[tuple[int | str | None, int | str | None], list[_Event]] = defaultdict(list)
    sums, records = _Sums(), _events(trace)
    annotation, ops = ON_DEVICE if any(item.cat == KERNEL for item in records) else ON_HOST
    for item in records:
        if item.cat in (annotation, *ops) and (event := _event(item, op=item.cat in ops)) is not None:
            lanes[item.pid, item.tid].append(event)
        if item.cat == ON_HOST.annotation and item.ph == "X" and (kind := item.name.partition("[")[0]) in sums.steps:
            sums.steps[kind] += 1
    for lane in lanes.values():
        _lane(sorted(lane, key=lambda event: (event.start, -event.end)), sums)
    total = sum(item.us for item in sums.ops.values())
    if total <= 0:
        raise WorkerFailedError("the trace holds no operation", AGAIN)
    return Table(total, _rows(sums.ops, total), _rows(sums.modules, total), sums.steps)


def _lane(events: list[_Event], sums: _Sums) -> None:
    """One thread's events, by start and the longest first: they nest."""
    stack: list[_Open] = []
    for event in events:
        while stack and stack[-1].event.end <= event.start:
            sums.end(stack.pop())
        sums.begin(event, stack)
    for left in reversed(stack):
        sums.end(left)


def _rows(sums: dict[str, _Sum], total: float) -> tuple[Row, ...]:
    rows = [item.row(name, total) for name, item in sums.items()]
    return tuple(sorted(rows, key=lambda row: (-row.us, row.name)))


class _Args(msgspec.Struct):
    dims: msgspec.Raw = msgspec.field(name="Input Dims", default_factory=lambda: msgspec.Raw(b"[]"))


class _Record(msgspec.Struct):
    """One event as written; times in microseconds."""

    ph: str = ""
    cat: str = ""
    name: str = ""
    ts: float | None = None
    dur: float | None = None
    pid: int | str | None = None
    tid: int | str | None = None
    args: _Args | None = None


class _Trace(msgspec.Struct):
    traceEvents: list[_Record]


def _events(trace: bytes) -> list[_Record]:
    try:
        return msgspec.json.decode(_unpacked(trace), type=_Trace).traceEvents
    except (OSError, EOFError, zlib.error, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WorkerFailedError(f"not a whole torch trace: {str(error)[:200]}", AGAIN) from error


def _unpacked(trace: bytes) -> bytes:
    """The bytes of a trace, unpacked where it is packed. Raises WorkerFailedError on one that unpacks to too much."""
    if not trace.startswith(b"\x1f\x8b"):
        return trace
    stream = zlib.decompressobj(31)
    found = stream.decompress(trace, MOST_BYTES)
    if not stream.eof and len(found) >= MOST_BYTES:
        raise WorkerFailedError(f"the trace unpacks to more than {MOST_BYTES} bytes", AGAIN)
    if not stream.eof:
        raise WorkerFailedError("the trace is cut off", AGAIN)
    return found


def _event(item: _Record, *, op: bool) -> _Event | None:
    """A complete operation or annotation; None for one without its times. Raises WorkerFailedError on times that cannot be."""
    if item.ph != "X" or item.ts is None or item.dur is None:
        return None
    if item.dur < 0:
        raise WorkerFailedError(f"an event of {item.dur:g} us in the trace: {item.name[:80]!r}", AGAIN)
    shapes = bytes(item.args.dims).decode() if op and item.args is not None else ""
    return _Event(item.ts, item.ts + item.dur, item.name[:NAME_CHARS], op, shapes[:NAME_CHARS])
