"""The policy's log patterns, compiled once: which mark asks for what to be done with a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import msgspec

from audit.policy import LogPattern, Logs

Kind = Literal["arguments", "value", "peak", "event", "ready", "load", "stop"]


@dataclass(frozen=True, slots=True)
class Task:
    """What to do with a line that holds ``mark``; ``name`` is the opening of a list or the kind of event."""

    mark: bytes
    kind: Kind
    name: str = ""
    rule: LogPattern | None = None
    pattern: re.Pattern[str] | None = None
    fold: bool = False
    """True: the mark is lower case and found in any case."""

    @property
    def text(self) -> str:
        """The mark as text."""
        return self.mark.decode()


@dataclass(frozen=True, slots=True)
class Plan:
    """Tasks in the order in which a line is asked, and what makes a line no event."""

    rules: Logs
    tasks: tuple[Task, ...]
    engines: tuple[tuple[str, tuple[bytes, ...]], ...]
    not_events: tuple[re.Pattern[str], ...]


@lru_cache(maxsize=8)
def compiled(rules_json: bytes) -> Plan:
    """The plan of a policy's section, given as its JSON."""
    rules = msgspec.json.decode(rules_json, type=Logs)
    engines = tuple((engine, tuple(mark.encode() for mark in marks)) for engine, marks in rules.marks.items())
    return Plan(rules, tuple(_tasks(rules)), engines, tuple(re.compile(pattern) for pattern in rules.not_events))


def _tasks(rules: Logs) -> Iterator[Task]:
    for opening in rules.arguments:
        yield Task(opening.encode(), "arguments", opening)
    for rule in rules.values:
        yield Task(rule.mark.encode(), "value", "", rule, re.compile(rule.pattern))
    for rule in rules.peaks:
        yield Task(rule.mark.encode(), "peak", "", rule, re.compile(rule.pattern))
    for event in rules.events:
        yield Task(event.mark.lower().encode(), "event", event.kind, None, re.compile(event.pattern), fold=True)
    lists: tuple[tuple[Kind, list[str]], ...] = (("ready", rules.ready), ("load", rules.load), ("stop", rules.stops))
    for kind, marks in lists:
        for mark in marks:
            yield Task(mark.encode(), kind)
