"""What the stopwatch is asked for and what a driver of servers reports back. Plain data, no behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from workflow.serving.overlay import Overlay

Scalar = str | int | float | bool | None
Leg = str
"""``aa`` for a set of one configuration; ``ref`` and ``cand``; beside those ``off`` (an overlay installed, its rebinding switched
off) and ``without_<part>`` (everything but one part)."""
REFERENCES = ("aa", "ref")
"""Legs whose failure is nobody's candidate's."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server is started with, beyond the engine's own defaults: lever keys and environment."""

    flags: Mapping[str, Scalar] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    overlays: tuple[Overlay, ...] = ()


@dataclass(frozen=True, slots=True)
class Workload:
    """One closed-loop load: ``concurrency`` clients, each sends its next request when the last is answered."""

    concurrency: int
    output_len: int
    """Forced output tokens per request."""
    requests_per_repeat: int
    warmup_requests: int
    request_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt of the load and its known answer, cut to the forced length (None: no known answer)."""

    text: str
    task: str
    expected: str | None


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """One launch: which server, which load, which place in the plan."""

    launch_id: str
    """Directory relative to the run, e.g. ``config/c01-x/ref/launch_000``."""
    leg: Leg
    settings: Settings
    workload: Workload
    warmup: Sequence[Prompt]
    repeats: Sequence[Sequence[Prompt]]
    """Prompts of each timed repeat; both legs of a pair get the same."""
    pair: int
    position: int
    order: Sequence[Leg]


@dataclass(slots=True)
class RequestRecord:
    """One request as the client saw it; times in seconds since the repeat's start on the monotonic clock."""

    index: int
    prompt: Prompt
    scheduled_s: float
    sent_s: float
    first_token_s: float | None = None
    end_s: float | None = None
    chunk_s: list[float] = field(default_factory=list)
    tokens_in: int = 0
    tokens_out: int = 0
    usage_in: int | None = None
    usage_out: int | None = None
    stop_reason: str | None = None
    error: str | None = None
    answer: str | None = None


@dataclass(slots=True)
class RepeatRecord:
    """One timed repeat: wall clock and duration (s, monotonic) from first send to last answer, and its requests."""

    start_unix: float
    end_unix: float
    duration_s: float
    requests: list[RequestRecord]


@dataclass(slots=True)
class Observation:
    """All that one launch left behind; the writer turns it into the files of docs/run-directory.md."""

    status: Literal["complete", "failed"]
    failure: Mapping[str, str] | None
    server: dict[str, Any]
    """The server.json keys engine, requested, overlays, effective, effective_source, argv, env, versions, threads,
    started_unix, ready_unix, stopped_unix, sandbox, stop."""
    warmup: list[RequestRecord]
    repeats: list[RepeatRecord]
    host: dict[str, Any]
    log: bytes


class PromptSource(Protocol):
    """Where prompts come from: the same seed gives the same prompts, different seeds different ones."""

    def draw(self, seed: int, count: int, output_len: int) -> list[Prompt]:
        """``count`` distinct prompts whose known answers, where there are any, have at least ``output_len`` tokens."""
        ...


Progress = Callable[[str, float], None]
"""Called with what is going on now and the fraction of the launch that is done (0 to 1)."""


class Driver(Protocol):
    """Starts one server, drives the load, stops it. The real one is ``workflow.measure.runner.ServerDriver``."""

    def observe(self, spec: LaunchSpec, progress: Progress) -> Observation:
        """Run one launch to its end. A server that fails is an Observation with status ``failed``.

        Raises InfrastructureError for what is not the server's fault (port taken, engine missing, no sandbox).
        """
        ...
