"""Events on a time line, in whole nanoseconds: busy time, own time, steps, events that cannot have happened."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import median_low
from typing import Literal, NamedTuple

Phase = Literal["prefill", "decode"]
_NUMBER = re.compile(r"#\d+")


class Event(NamedTuple):
    """One event that took time; ``start`` and ``ns`` in nanoseconds."""

    name: str
    start: int
    ns: int
    place: str
    """Device, or process of the CPU."""
    lane: str
    """Stream, or thread."""
    launch: int | str | None = None
    """Correlation with the call that launched it."""
    kind: str = ""

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + self.ns


class Busy(NamedTuple):
    """One device: time in which anything ran, and time from its first event to its last."""

    device: str
    busy_ns: int
    span_ns: int


class Step(NamedTuple):
    """One annotated step; ``kernels`` is None where kernels cannot be told to steps."""

    label: str
    phase: Phase | None
    context: int
    """Prompt tokens in it."""
    generated: int
    """Sequences that were given a token by it."""
    kernels: int | None
    ns: int
    """Time of those kernels."""


class Overrun(NamedTuple):
    """Events that outlast the whole of the next one on their stream: how many, by how much in all, and the worst."""

    events: int
    ns: int
    name: str
    worst_ns: int


class Longest(NamedTuple):
    """The longest event, and what other events of its name usually take (None: there is no other)."""

    name: str
    ns: int
    usual_ns: int | None


def groups(events: Iterable[Event], *, lanes: bool) -> dict[tuple[str, str], list[Event]]:
    """Events by device and (with ``lanes``) stream, each in the order of their start, longest first."""
    found: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in events:
        found[(event.place, event.lane if lanes else "")].append(event)
    for items in found.values():
        items.sort(key=lambda event: (event.start, -event.ns, event.name))
    return dict(sorted(found.items()))


def busy(events: Iterable[Event]) -> tuple[Busy, ...]:
    """Union of the activity of each device over its streams."""
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for event in events:
        spans[event.place].append((event.start, event.start + event.ns))
    found = []
    for device, items in sorted(spans.items()):
        items.sort()
        total, end = 0, items[0][0]
        for begun, ended in items:
            if ended > end:
                total += ended - max(begun, end)
                end = ended
        found.append(Busy(device, total, end - items[0][0]))
    return tuple(found)


def own_ns(events: Sequence[Event]) -> list[int]:
    """The own time of each event, in the order given: without what ran inside it on the same thread."""
    whole = [event.ns for event in events]
    starts = [event.start for event in events]
    lanes: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at, event in enumerate(events):
        lanes[event.place, event.lane].append(at)
    own = list(whole)
    for places in lanes.values():
        places.sort(key=lambda at: (starts[at], -whole[at], events[at].name))
        stack: list[tuple[int, int]] = []
        for at in places:
            begun, ns = starts[at], whole[at]
            while stack and stack[-1][0] <= begun:
                stack.pop()
            if stack:
                outer = stack[-1][1]
                own[outer] = max(own[outer] - ns, 0)
            stack.append((begun + ns, at))
    return own


class Inside(NamedTuple):
    """Own time of the events inside a mark of this name, at any depth, and how often the mark was set."""

    label: str
    ns: int
    calls: int


def inside(own: Iterable[Event], marks: Iterable[Event]) -> tuple[Inside, ...]:
    """Own time by the marks around it, on the same thread, longest first: what lies in several marks counts in each."""
    total: dict[str, int] = defaultdict(int)
    calls: dict[str, int] = defaultdict(int)
    flagged = [(event, True) for event in marks] + [(event, False) for event in own]
    lanes: dict[tuple[str, str], list[tuple[Event, bool]]] = defaultdict(list)
    for item in flagged:
        lanes[item[0].place, item[0].lane].append(item)
    for items in lanes.values():
        stack: list[tuple[int, str]] = []
        around: set[str] = set()
        for event, is_mark in sorted(items, key=lambda item: (item[0].start, not item[1], -item[0].ns)):
            if stack and stack[-1][0] <= event.start:
                while stack and stack[-1][0] <= event.start:
                    stack.pop()
                around = {name for _, name in stack}
            if is_mark:
                calls[event.name] += 1
                stack.append((event.start + event.ns, event.name))
                around.add(event.name)
            else:
                for name in around:
                    total[name] += event.ns
    found = [Inside(name, total[name], count) for name, count in calls.items()]
    return tuple(sorted(found, key=lambda item: (-item.ns, item.label)))


def overrun(events: Iterable[Event], tolerance_ns: int) -> Overrun:
    """Events still running after their successor on the stream has ended.

    A successor that merely starts early is no fault: kernels that are launched dependently overlap by design.
    """
    count, total, worst = 0, 0, ("", 0)
    for items in groups(events, lanes=True).values():
        for one, other in pairwise(items):
            over = one.end - other.end
            if other.start > one.start and over > tolerance_ns:
                count, total = count + 1, total + over
                worst = max(worst, (one.name, over), key=lambda item: (item[1], item[0]))
    return Overrun(count, total, *worst)


def longest(events: Sequence[Event]) -> Longest:
    """The longest event of all."""
    top = max(events, key=lambda event: (event.ns, event.name))
    others = [event.ns for event in events if event.name == top.name and event is not top]
    return Longest(top.name, top.ns, median_low(others) if others else None)


class Mark(NamedTuple):
    """A step annotation that a pattern of the policy knows."""

    event: Event
    phase: Phase | None
    context: int
    generated: int


def mark(event: Event, patterns: Sequence[re.Pattern[str]], modes: Mapping[str, Phase]) -> Mark | None:
    """What an annotation says of its step; None when it is none."""
    for pattern in patterns:
        found = pattern.search(event.name)
        if found is None:
            continue
        told = found.groupdict()
        context, batch = (int(told.get(key) or 0) for key in ("context", "batch"))
        mode = told.get("mode")
        if mode is not None and mode not in modes:
            return None
        phase = modes[mode] if mode is not None else "prefill" if context else "decode" if batch else None
        return Mark(event, phase, context, int(told.get("generation") or (batch if phase == "decode" else 0)))
    return None


def steps(marks: Sequence[Mark], kernels: Sequence[Event], launched: Mapping[int | str, int] | None) -> tuple[Step, ...]:
    """Steps in order, each with its kernels.

    ``launched``: correlation -> when the call that launched a kernel began; a step on the CPU then holds the kernels that
    were launched in it, whenever they ran. Without it a step lies on the device and holds what starts inside it; the copies of
    one annotation on several streams are one step.
    """
    ordered = sorted(marks, key=lambda item: (item.event.start, item.event.name))
    if launched is None:
        ordered = _merged(ordered)
        timed = sorted((event.start, event.ns) for event in kernels)
    else:
        timed = sorted(
            (launched[event.launch], event.ns) for event in kernels if event.launch is not None and event.launch in launched
        )
    starts = [start for start, _ in timed]
    found = []
    for item in ordered:
        first, last = bisect_left(starts, item.event.start), bisect_left(starts, item.event.end)
        held = timed[first:last]
        label = _NUMBER.sub("#", item.event.name)
        found.append(Step(label, item.phase, item.context, item.generated, len(held), sum(ns for _, ns in held)))
    return tuple(found)


def _merged(marks: Sequence[Mark]) -> list[Mark]:
    found: list[Mark] = []
    latest: dict[tuple[str, str], int] = {}
    for item in marks:
        key = (item.event.name, item.event.place)
        at = latest.get(key)
        if at is not None and item.event.start < found[at].event.end:
            whole = found[at].event
            found[at] = found[at]._replace(event=whole._replace(ns=max(whole.end, item.event.end) - whole.start))
        else:
            latest[key] = len(found)
            found.append(item)
    return found
