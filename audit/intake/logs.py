"""Server logs of SGLang and vLLM: what was really in force, how full it got, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EventKind = Literal["crash", "oom", "fallback", "clamped", "import_error", "bind"]


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
