"""From a torch trace to tables: own time by operation and by module. The auditor makes its own from the same trace."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from workflow.errors import InfrastructureError

MODULE = "module:"
"""Prefix of the annotation around every module's forward."""
OUTSIDE = "(outside of the model)"
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
        elif (kind := event.name.partition("[")[0]) in self.steps:
            self.steps[kind] += 1
        stack.append(_Open(event, modules, length))

    def end(self, done: _Open) -> None:
        """Add the own time of an operation that is over."""
        if done.event.op:
            self.ops[done.event.name].add(done.own, done.event.shapes, done.modules[-1] if done.modules else OUTSIDE)
            for name in dict.fromkeys(done.modules) or (OUTSIDE,):
                self.modules[name].add(done.own, done.event.shapes, done.event.name)


def table(trace: bytes) -> Table:
    """The tables of a Chrome trace (gzipped or plain). Raises InfrastructureError when it is none or holds no operation."""
    lanes: dict[tuple[Any, Any], list[_Event]] = defaultdict(list)
    for item in _events(trace):
        if (event := _event(item)) is not None:
            lanes[item.get("pid"), item.get("tid")].append(event)
    sums = _Sums()
    for lane in lanes.values():
        _lane(sorted(lane, key=lambda event: (event.start, -event.end)), sums)
    total = sum(item.us for item in sums.ops.values())
    if total <= 0:
        raise InfrastructureError("the trace holds no operation", "Run the profile again; see profile/*/worker.log.")
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


def _events(trace: bytes) -> Iterable[dict[str, Any]]:
    try:
        text = gzip.decompress(trace) if trace.startswith(b"\x1f\x8b") else trace
        found: list[dict[str, Any]] = json.loads(text)["traceEvents"]
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise InfrastructureError(f"not a whole torch trace: {error}", "Run the profile again.") from error
    return found


def _event(item: dict[str, Any]) -> _Event | None:
    """A complete operation or annotation; None for marks, flows and metadata."""
    kind, name = item.get("cat"), str(item.get("name", ""))
    if item.get("ph") != "X" or "dur" not in item or kind not in ("cpu_op", "user_annotation"):
        return None
    start = float(item["ts"])
    shapes = json.dumps(item.get("args", {}).get("Input Dims", [])) if kind == "cpu_op" else ""
    return _Event(start, start + float(item["dur"]), name, kind == "cpu_op", shapes)
