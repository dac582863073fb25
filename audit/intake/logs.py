"""Server logs of SGLang and vLLM: what was really in force, how full it got, and what went wrong.

A log is the engine's testimony about itself. It is read in blocks, as bytes; progress bars (``\\r``), colours, CRLF and text
that is not UTF-8 are no damage; what a log does not say is None. Every pattern is in the policy. A file may hold several starts
of a server: the last one that served is the one described, what an earlier one had otherwise is kept beside it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from audit.intake import literals
from audit.intake.logfacts import EventKind, LogEvent, LogFacts, LogValue, Peak
from audit.intake.logplan import Plan, Task, compiled
from audit.policy import Logs

FIGURES = ("arguments", "value", "peak")
DIES = ("crash", "oom")
_ANSI = re.compile(rb"\x1b\[[0-9;?]{0,20}[A-Za-z]")


@dataclass
class _Start:
    """One start of a server while its lines are read."""

    config: dict[str, tuple[int, LogValue]] = field(default_factory=dict)
    ready: int | None = None
    load_lines: int = 0
    died: bool = False
    stopped: bool = False
    arguments: int | None = None
    settled: set[str] = field(default_factory=set)

    @property
    def served(self) -> bool:
        """It was ready, or worked."""
        return self.ready is not None or self.load_lines > 0

    @property
    def used(self) -> bool:
        """Another list of arguments belongs to another start."""
        return self.served or self.died or self.stopped


@dataclass
class _Seen:
    """What accumulates while lines are read."""

    starts: list[_Start] = field(default_factory=lambda: [_Start()])
    events: list[LogEvent] = field(default_factory=list)
    deaths: list[tuple[int, LogEvent]] = field(default_factory=list)
    """Before anything is known of what came after: number of the start, event."""
    counts: dict[str, int] = field(default_factory=dict)
    peaks: dict[str, Peak] = field(default_factory=dict)
    sums: dict[str, int] = field(default_factory=dict)
    prefill_line: int | None = None
    marks: Counter[str] = field(default_factory=Counter)


def parse(data: bytes, file: str, rules: Logs) -> LogFacts:
    """The facts of one log. Never raises on what a stranger wrote."""
    plan = compiled(msgspec.json.encode(rules))
    seen = _Seen()
    for number, line, tasks in _lines(data, plan, seen):
        _one(line, number, tasks, plan, seen)
    return _facts(file, seen)


def _lines(data: bytes, plan: Plan, seen: _Seen) -> Iterator[tuple[int, str, list[Task]]]:
    """Numbered lines that hold a mark, with what is to be done with them; of a line redrawn with ``\\r`` every state counts.

    A block without any mark is passed over as a whole, so that the time goes to lines that say something. Marks of an engine are
    counted here, once a block. A last line without its end may have lost half a number: only events are taken from it.
    """
    rules, number, start = plan.rules, 0, 0
    while start < len(data):
        end = data.find(b"\n", min(start + rules.block_bytes, len(data) - 1))
        end = len(data) if end < 0 else end + 1
        block = data[start:end]
        if b"\x1b" in block:
            block = _ANSI.sub(b"", block)
        low = block.lower()
        for engine, marks in plan.engines:
            seen.marks[engine] += any(mark in block for mark in marks)
        tasks = [task for task in plan.tasks if task.mark in (low if task.fold else block)]
        if not tasks:
            number += block.count(b"\n")
        else:
            folded = any(task.fold for task in tasks)
            lines = block.split(b"\n")
            not_ended = end == len(data) and not data.endswith(b"\n")
            for raw in lines:
                number += 1
                line = raw if len(raw) <= rules.line_chars else raw[: rules.line_chars].rpartition(b" ")[0]
                lowered = line.lower() if folded else line
                mine = [task for task in tasks if task.mark in (lowered if task.fold else line)]
                if not_ended and raw is lines[-1]:
                    mine = [task for task in mine if task.kind not in FIGURES]
                if mine:
                    text = line.decode("utf-8", "replace")
                    if "\r" not in text.rstrip("\r"):
                        yield number, text, mine
                        continue
                    for part in text.split("\r"):
                        yield number, part, [task for task in mine if task.text in (part.lower() if task.fold else part)]
            number -= block.endswith(b"\n")
        start = end


def _one(line: str, number: int, tasks: list[Task], plan: Plan, seen: _Seen) -> None:
    """Every task of a line; arguments that somebody chose are settings, never events."""
    told = False
    for task in tasks:
        if task.kind == "arguments":
            told = True
            _arguments(line, number, task, plan, seen)
        elif task.kind in ("value", "peak"):
            _matched(line, number, task, plan, seen)
        elif task.kind == "event":
            told = told or _event(line, number, task, plan, seen)
        elif task.kind == "ready":
            seen.starts[-1].ready = number
        elif task.kind == "load":
            seen.starts[-1].load_lines += 1
        elif task.kind == "stop":
            seen.starts[-1].stopped = True


def _arguments(line: str, number: int, task: Task, plan: Plan, seen: _Seen) -> None:
    if task.name in plan.rules.opens_start and seen.starts[-1].used:
        before = seen.starts[-1]
        if before.served and not (before.died or before.stopped):
            _keep_event(seen, LogEvent("restart", number, line.strip()[: plan.rules.event_chars]), plan.rules)
        seen.starts.append(_Start())
    engine = plan.rules.arguments[task.name]
    found, closed = literals.pairs(line[line.index(task.name) + len(task.name) :], plan.rules.arguments_kept)
    for key, value in found:
        _keep(seen, plan.rules.renames.get(f"{engine}.{key}", key), value, number, 0)
    if closed and task.name in plan.rules.leaves_out_defaults:
        seen.starts[-1].arguments = number


def _matched(line: str, number: int, task: Task, plan: Plan, seen: _Seen) -> None:
    rule = task.rule
    found = task.pattern.search(line) if task.pattern else None
    if found is None or rule is None:
        return
    for name, text in zip(rule.keys or rule.names, found.groups(), strict=False):
        if text is None or not name:
            continue
        if task.kind == "value":
            value = literals.as_json(text.replace(",", "") if text[:1].isdigit() else text)
            _keep(seen, name, plan.rules.synonyms.get(value, value), number, rule.rank)
        else:
            _count(seen, name, text, number)


def _keep(seen: _Seen, key: str, value: str, line: int, rank: int) -> None:
    """The resolved value beats the requested one; among equals the first stands, unless it left the choice open."""
    config, open_ = seen.starts[-1].config, ("null", '"auto"')
    known = config.get(key)
    if known is None or rank > known[0] or known[1].value in open_:
        if known is not None and known[1].value in open_ and value not in open_:
            seen.starts[-1].settled.add(key)
        config[key] = (rank, LogValue(key, value, line))


def _count(seen: _Seen, name: str, text: str, line: int) -> None:
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        return
    if name in ("cached_tokens", "prefill_tokens"):
        seen.sums[name] = seen.sums.get(name, 0) + int(number)
        seen.prefill_line = line
    elif name == "cache_hit_pct" or name not in seen.peaks or number > seen.peaks[name].value:
        seen.peaks[name] = Peak(number, line)


def _engine(seen: _Seen) -> str:
    """The engine whose marks were seen most so far; SGLang where there were none."""
    return max(sorted(seen.marks), key=lambda name: seen.marks[name]) if any(seen.marks.values()) else "sglang"


def _event(line: str, number: int, task: Task, plan: Plan, seen: _Seen) -> bool:
    """True when the line is an event of the task's kind, kept or not; a line is one event at most."""
    if task.pattern is None or not task.pattern.search(line) or any(pattern.search(line) for pattern in plan.not_events):
        return False
    rules, start, kind = plan.rules, seen.starts[-1], task.name
    event = LogEvent(kind, number, line.strip()[: rules.event_chars])  # type: ignore[arg-type]  # a key of the policy's table
    if kind in DIES:
        if not start.stopped:
            start.died = True
            if len(seen.deaths) < rules.events_kept:
                seen.deaths.append((len(seen.starts) - 1, event))
    elif kind != "capture" or start.load_lines >= rules.warm_lines[_engine(seen)]:
        _keep_event(seen, event, rules)
    return True


def _keep_event(seen: _Seen, event: LogEvent, rules: Logs) -> None:
    seen.counts[event.kind] = seen.counts.get(event.kind, 0) + 1
    if seen.counts[event.kind] <= rules.events_kept:
        seen.events.append(event)


def _facts(file: str, seen: _Seen) -> LogFacts:
    last = next((start for start in reversed(seen.starts) if start.served), seen.starts[-1])
    config = {key: value for key, (_, value) in last.config.items()}
    earlier = [
        value
        for start in seen.starts
        if start is not last and start.served
        for key, (_, value) in sorted(start.config.items())
        if key in config and config[key].value != value.value
    ]
    named = {name: seen.peaks.get(name) for name in ("running", "queued", "kv_tokens", "cache_hit_pct")}
    percent = seen.peaks.get("kv_percent")
    used = seen.peaks.get("kv_share") or (None if percent is None else Peak(percent.value / 100, percent.line))
    events = [*seen.events, *(event for number, death in seen.deaths for event in [_death(number, death, seen)])]
    counted = ("kv_percent", "kv_share", *named)
    sglang, vllm = seen.marks["sglang"], seen.marks["vllm"]
    return LogFacts(
        file=file,
        engine=None if not sglang + vllm else "sglang" if sglang >= vllm else "vllm",
        config=tuple(config[key] for key in sorted(config)),
        events=tuple(sorted(events, key=lambda event: (event.line, event.kind))),
        ready=max((start.ready for start in seen.starts if start.ready is not None), default=None),
        kv_used=used,
        cached_tokens=seen.sums.get("cached_tokens"),
        prefill_tokens=seen.sums.get("prefill_tokens"),
        earlier=tuple(dict.fromkeys(earlier)),
        arguments=last.arguments,
        starts=len(seen.starts),
        settled=frozenset(last.settled),
        prefill_line=seen.prefill_line,
        preempted=seen.counts.get("preempted", 0),
        figures={name: peak for name, peak in sorted(seen.peaks.items()) if name not in counted},
        **named,
    )


def _death(number: int, event: LogEvent, seen: _Seen) -> LogEvent:
    """A death before the server was ready is a failed start where a later line says that one came up; else it is what it says."""
    start = seen.starts[number]
    alive = start.ready is not None and start.ready < event.line
    working = start.load_lines > 0 and (start.ready is None or start.ready < event.line)
    later = any(other.ready is not None and other.ready > event.line for other in seen.starts[number:])
    return event if alive or working or not later else LogEvent("failed_start", event.line, event.text)


__all__ = ["EventKind", "LogEvent", "LogFacts", "LogValue", "Peak", "parse"]
