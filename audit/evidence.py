"""What the gates see: request, policy, legs, and the answers of the named SQL questions. Plain data, nothing to call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from audit.contract import AuditRequest, Source
from audit.intake.benches import Benches
from audit.intake.claims import Claims
from audit.intake.model import Damage, Leg
from audit.intake.overlays import Overlays
from audit.intake.probes import Probes
from audit.intake.profiles import Profiles
from audit.policy import Policy


class MetricRow(NamedTuple):
    """leg_metrics.sql, in the metric's unit."""

    leg: str
    metric: str
    n: int
    median: float
    low: float
    high: float
    spread_pct: float | None


class PairRow(NamedTuple):
    """metric_pairs.sql."""

    metric: str
    delta_pct: float | None
    non_overlapping: bool | None


class LaunchMedian(NamedTuple):
    """launch_medians.sql, tok/s."""

    leg: str
    launch: str
    pair: int | None
    n: int
    median: float


class WithinRow(NamedTuple):
    """config_within.sql; values are JSON text."""

    leg: str
    key: str
    top_value: str
    low_value: str
    low_file: str
    low_line: int | None
    top_file: str
    top_line: int | None


class BetweenRow(NamedTuple):
    """config_between.sql; values are JSON text, None where a leg lacks the key."""

    key: str
    ref: str | None
    cand: str | None
    ref_file: str | None
    ref_line: int | None
    cand_file: str | None
    cand_line: int | None


class WorkRow(NamedTuple):
    """work_totals.sql: requests, and tokens per completed request."""

    leg: str
    repeats: int
    completed: int
    requested: int | None
    failed: int | None
    completed_each: float
    isl: float | None
    osl: float | None


class PromptPair(NamedTuple):
    """prompt_pairs.sql."""

    pair: int
    repeat: int
    other_prompts: bool
    ref_requested: int
    cand_requested: int
    ref_completed: int
    cand_completed: int
    ref_file: str
    ref_line: int
    cand_file: str
    cand_line: int


class ShapeRow(NamedTuple):
    """token_shape.sql, tokens."""

    leg: str
    n: int
    in_mean: float
    in_p10: float
    in_p90: float
    out_mean: float
    out_p10: float
    out_p90: float


class StopRow(NamedTuple):
    """stop_reasons.sql; share of answered requests."""

    leg: str
    reason: str
    share: float


class ContentionRow(NamedTuple):
    """contention.sql, cores; coverage is the share of the window that samples cover."""

    leg: str
    launch: str
    repeat: int
    foreign_cores: float | None
    steal_cores: float | None
    coverage: float
    name: str | None
    pid: int | None
    mhz: float | None = None
    """Mean clock of the processor."""


class OverlapRow(NamedTuple):
    """lives_overlap.sql, seconds."""

    one: str
    other: str
    seconds: float


class ShortRow(NamedTuple):
    """short_windows.sql, seconds."""

    leg: str
    launch: str
    repeat: int
    file: str
    line: int
    duration: float


class AnswerRow(NamedTuple):
    """answers.sql, requests."""

    leg: str
    asked: int
    given: int
    failed: int


class AnswerPairs(NamedTuple):
    """answer_pairs.sql, requests."""

    paired: int
    lost: int
    won: int
    ref_ok: int
    cand_ok: int


class LegRow(NamedTuple):
    """leg_rows.sql, tok/s."""

    leg: str
    launch: str
    repeat: int
    file: str
    line: int
    value: float


class PromptsRow(NamedTuple):
    """distinct_prompts.sql, requests of one timed repeat."""

    leg: str
    launch: str
    repeat: int
    requests: int
    prompts: int
    most: str
    times: int


class FlightRow(NamedTuple):
    """in_flight.sql, requests."""

    leg: str
    file: str
    line: int
    mean: float
    limit: float
    rounds: float


class RecountRow(NamedTuple):
    """recounted.sql, output tokens of a leg."""

    leg: str
    tokens: float
    recounted: float
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Tables:
    """Answers of the SQL questions, in their own order."""

    metrics: tuple[MetricRow, ...]
    pairs: tuple[PairRow, ...]
    launch_medians: tuple[LaunchMedian, ...]
    within: tuple[WithinRow, ...]
    between: tuple[BetweenRow, ...]
    work: tuple[WorkRow, ...]
    prompt_pairs: tuple[PromptPair, ...]
    shapes: tuple[ShapeRow, ...]
    stops: tuple[StopRow, ...]
    contention: tuple[ContentionRow, ...]
    overlaps: tuple[OverlapRow, ...]
    short: tuple[ShortRow, ...]
    answers: tuple[AnswerRow, ...]
    answer_pairs: tuple[AnswerPairs, ...]
    leg_rows: tuple[LegRow, ...]
    prompts: tuple[PromptsRow, ...] = ()
    flights: tuple[FlightRow, ...] = ()
    recounts: tuple[RecountRow, ...] = ()

    def metric(self, leg: str, name: str) -> MetricRow | None:
        """One metric of one leg."""
        return next((row for row in self.metrics if row.leg == leg and row.metric == name), None)

    def pair(self, name: str) -> PairRow | None:
        """One metric of both legs."""
        return next((row for row in self.pairs if row.metric == name), None)

    def medians(self, leg: str) -> list[LaunchMedian]:
        """Launch medians of one leg."""
        return [row for row in self.launch_medians if row.leg == leg]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a gate may look at."""

    request: AuditRequest
    policy: Policy
    legs: Mapping[str, Leg]
    noise: tuple[Leg, ...]
    tables: Tables
    damage: tuple[Damage, ...]
    problems: tuple[str, ...]
    """Why legs could not be told; empty when they could."""
    ledger_present: bool
    sources: Mapping[str, str]
    """Every file read, claim files excepted, relative to the run -> sha256."""
    parts: tuple[Leg, ...] = ()
    """Legs that lack one part of the change or hold only one; role ``without:<part>`` or ``only:<part>``."""
    off: Leg | None = None
    """The candidate's overlay installed with its rebinding switched off; role ``off``."""
    claims: Claims = field(default_factory=Claims)
    """Gate 6 alone looks at these."""
    probes: Probes = field(default_factory=Probes)
    overlays: Overlays = field(default_factory=Overlays)
    benches: Benches = field(default_factory=Benches)
    profiles: Profiles = field(default_factory=Profiles)

    @property
    def own(self) -> bool:
        """True when our stopwatch measured any leg."""
        return any(leg.own for leg in self.legs.values())

    @property
    def all_legs(self) -> list[Leg]:
        """Legs, then A/A sets."""
        return [*self.legs.values(), *self.noise]

    def source(self, file: str | None, line: int | None = None) -> Source:
        """A citation of a file that was read."""
        return Source(file or "(none)", self.sources.get(file or ""), line)
