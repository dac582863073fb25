"""What a server log says, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

EventKind = Literal[
    "crash",
    "oom",
    "fallback",
    "clamped",
    "import_error",
    "bind",
    "preempted",
    "capture",
    "default_table",
    "failed_start",
    "restart",
]
"""``crash`` and ``oom``: the server died; ``failed_start``: it died before it was ready, and another came up after it;
``restart``: another start after one that served, without a word about its end; ``capture``: compiled or captured under load."""


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
    """In the order of their lines, each kind up to the policy's number."""
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
    earlier: tuple[LogValue, ...] = ()
    """Settings of an earlier start in this file that served with another value."""
    arguments: int | None = None
    """Line of a whole list of arguments that leaves out what has its default."""
    starts: int = 1
    """Starts of a server in this file, as far as can be told."""
    settled: frozenset[str] = frozenset()
    """Settings that the arguments left to the engine, and that it settled in a later line."""
    prefill_line: int | None = None
    """The last line behind ``cached_tokens`` and ``prefill_tokens``."""
    preempted: int = 0
    """Lines that tell of requests thrown out and computed again."""
    figures: Mapping[str, Peak] = field(default_factory=dict)
    """Other figures, the largest each: ``weights``, ``graph``, ``kv`` in the GB of the engine, ``gen_tok_s``."""
