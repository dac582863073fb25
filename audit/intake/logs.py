"""Server logs of SGLang and vLLM: what was really in force, how full it got, and what went wrong.

A log is the engine's testimony about itself. It is read line by line as bytes; progress bars (``\\r``), colours, CRLF and text
that is not UTF-8 are no damage; what a log does not say is None. Every pattern is in the policy.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from audit.policy import Logs

EventKind = Literal["crash", "oom", "fallback", "clamped", "import_error", "bind", "preempted"]
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_BARE = re.compile(r"[A-Za-z_][\w.]*")


@dataclass(frozen=True, slots=True)
class LogValue:
    """One effective setting as the log states it; ``value`` is JSON text, ``key`` is named as in ``server_info``."""

    key: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One line that matters. ``text`` is data from a stranger, cut to a few hundred characters."""

    kind: EventKind
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Peak:
    """The largest value of something that the log reports again and again, and the line it stands in."""

    value: float
    line: int


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What one server log says. A peak that the log never reports is None: not reported is not zero."""

    file: str
    """Relative to the run."""
    engine: Literal["sglang", "vllm"] | None
    config: tuple[LogValue, ...] = ()
    events: tuple[LogEvent, ...] = ()
    ready: int | None = None
    """Line of the last start that succeeded."""
    running: Peak | None = None
    """Most requests running at once."""
    queued: Peak | None = None
    """Most requests waiting at once."""
    kv_used: Peak | None = None
    """Highest share of the KV pool in use, 0 to 1."""
    kv_tokens: Peak | None = None
    """Most tokens held in the KV pool."""
    cached_tokens: int | None = None
    """Prompt tokens served from the prefix cache, all prefills together."""
    prefill_tokens: int | None = None
    """Prompt tokens computed, all prefills together."""
    cache_hit_pct: Peak | None = None
    """Last prefix-cache hit rate that the engine itself printed, percent."""


@dataclass
class _Seen:
    """What accumulates while lines are read."""

    config: dict[str, LogValue] = field(default_factory=dict)
    events: list[LogEvent] = field(default_factory=list)
    peaks: dict[str, Peak] = field(default_factory=dict)
    sums: dict[str, int] = field(default_factory=dict)
    ready: int | None = None
    marks: dict[str, int] = field(default_factory=dict)


@lru_cache(maxsize=8)
def _compiled(rules_json: bytes) -> Any:  # noqa: ANN401 - a table of compiled patterns
    rules = json.loads(rules_json)
    return {
        "values": [(re.compile(item["pattern"]), item["keys"], item["mark"]) for item in rules["values"]],
        "peaks": [(re.compile(item["pattern"]), item["names"], item["mark"]) for item in rules["peaks"]],
        "events": [(kind, re.compile(pattern)) for kind, patterns in rules["events"].items() for pattern in patterns],
        "not_events": [re.compile(pattern) for pattern in rules["not_events"]],
        "event_marks": re.compile("|".join(re.escape(mark) for mark in rules["event_marks"]), re.IGNORECASE),
    }


def parse(data: bytes, file: str, rules: Logs) -> LogFacts:
    """The facts of one log. Never raises on what a stranger wrote."""
    import msgspec

    patterns = _compiled(msgspec.json.encode(rules))
    seen = _Seen()
    for number, line in _lines(data, rules.line_chars):
        _one(line, number, patterns, rules, seen)
    engine: Literal["sglang", "vllm"] | None = None
    if seen.marks:
        engine = "sglang" if seen.marks.get("sglang", 0) >= seen.marks.get("vllm", 0) else "vllm"
    return LogFacts(
        file=file,
        engine=engine,
        config=tuple(seen.config[key] for key in sorted(seen.config)),
        events=tuple(seen.events),
        ready=seen.ready,
        running=seen.peaks.get("running"),
        queued=seen.peaks.get("queued"),
        kv_used=_share(seen.peaks),
        kv_tokens=seen.peaks.get("kv_tokens"),
        cached_tokens=seen.sums.get("cached_tokens"),
        prefill_tokens=seen.sums.get("prefill_tokens"),
        cache_hit_pct=seen.peaks.get("cache_hit_pct"),
    )


def _share(peaks: dict[str, Peak]) -> Peak | None:
    if "kv_share" in peaks:
        return peaks["kv_share"]
    percent = peaks.get("kv_percent")
    return None if percent is None else Peak(percent.value / 100, percent.line)


def _lines(data: bytes, limit: int) -> Iterator[tuple[int, str]]:
    """Numbered lines, cut at ``limit`` characters; of a line redrawn with ``\\r`` every state counts."""
    start, number = 0, 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        number += 1
        raw = data[start : min(end, start + limit)]
        start = end + 1
        text = raw.decode("utf-8", "replace")
        if "\x1b" in text:
            text = _ANSI.sub("", text)
        for part in text.split("\r"):
            if part:
                yield number, part


def _one(line: str, number: int, patterns: Any, rules: Logs, seen: _Seen) -> None:  # noqa: ANN401 - compiled table
    for engine, marks in rules.marks.items():
        if any(mark in line for mark in marks):
            seen.marks[engine] = seen.marks.get(engine, 0) + 1
    if any(mark in line for mark in rules.ready):
        seen.ready = number
    for opening, engine in rules.arguments.items():
        at = line.find(opening)
        if at >= 0:
            for key, value in _pairs(line[at + len(opening) :]):
                _keep(seen, rules.renames.get(f"{engine}.{key}", key), value, number, weak=True)
    for pattern, keys, mark in patterns["values"]:
        if mark in line and (found := pattern.search(line)):
            for key, text in zip(keys, found.groups(), strict=False):
                if text is not None and key:
                    _keep(seen, key, _value(text.replace(",", "") if text[:1].isdigit() else text), number, weak=False)
    for pattern, names, mark in patterns["peaks"]:
        if mark in line and (found := pattern.search(line)):
            for name, text in zip(names, found.groups(), strict=False):
                _count(seen, name, text, number)
    if patterns["event_marks"].search(line) and len(seen.events) < rules.events_kept:
        _event(line, number, patterns, rules, seen)


def _keep(seen: _Seen, key: str, value: str, line: int, *, weak: bool) -> None:
    """The resolved value beats the requested one; among equals the first stands."""
    known = seen.config.get(key)
    if known is None or known.value in ("null", '"auto"') or (not weak and known.value != value and known.line < line):
        seen.config[key] = LogValue(key, value, line)


def _count(seen: _Seen, name: str, text: str | None, line: int) -> None:
    if text is None or not name:
        return
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        return
    if name in ("cached_tokens", "prefill_tokens"):
        seen.sums[name] = seen.sums.get(name, 0) + int(number)
    elif name == "cache_hit_pct" or name not in seen.peaks or number > seen.peaks[name].value:
        seen.peaks[name] = Peak(number, line)


def _event(line: str, number: int, patterns: Any, rules: Logs, seen: _Seen) -> None:  # noqa: ANN401 - compiled table
    if any(pattern.search(line) for pattern in patterns["not_events"]):
        return
    for kind, pattern in patterns["events"]:
        if pattern.search(line):
            seen.events.append(LogEvent(kind, number, line.strip()[: rules.event_chars]))
            return


def _value(text: str) -> str:
    """JSON text of a value as Python or a log prints it; what is no literal is text."""
    text = text.strip()
    try:
        value = ast.literal_eval(text) if len(text) < 10_000 else text
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        value = text
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return json.dumps(text, ensure_ascii=False)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """``key=value`` or ``'key': value`` pairs at the top level of an argument list, up to its closing bracket."""
    for item in _split(text):
        match = re.match(r"""\s*(?:'([\w.]+)'\s*:|"([\w.]+)"\s*:|([A-Za-z_][\w.]*)\s*=)(.*)""", item, re.DOTALL)
        if match:
            key = match.group(1) or match.group(2) or match.group(3)
            yield key, _value(match.group(4))


def _split(text: str) -> Iterator[str]:
    depth, quote, start, skip = 0, "", 0, False
    for at, char in enumerate(text):
        if skip:
            skip = False
        elif quote:
            skip = char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "([{<":
            depth += 1
        elif char in ")]}>":
            if depth == 0:
                yield text[start:at]
                return
            depth -= 1
        elif char == "," and depth == 0:
            yield text[start:at]
            start = at + 1
    yield text[start:]
