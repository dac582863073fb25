"""The wire format: what an audit is asked (``AuditRequest``) and what it answers (``Verdict``, made of ``Finding``)."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

Scalar = str | int | float | bool | None
Scope = Literal["baseline", "profile", "harness", "patch", "bundle"]
Status = Literal["ok", "flag", "fail", "unknown", "n/a"]
Word = Literal["PASS", "FLAG", "FAIL"]
Action = Literal["pass", "eject", "downgrade_headline", "replace_headline_with_e2e", "flag", "remeasure"]
Outcome = Literal["proven", "refuted", "underpowered", "not_measured", "evidence_damaged"]
Situation = Literal[
    "damaged", "crashed", "not_comparable", "correctness_lost", "missing", "harm", "refuted", "underpowered",
    "downgrade", "replace", "flagged", "noisy",
]  # fmt: skip
"""Row of the decision table (``audit/verdict.py``) that a finding argues for."""

REQUEST_SCHEMA = "countersign.request/1"  # 1: first form
VERDICT_SCHEMA = "countersign.verdict/1"  # 1: first form
AUDITOR_VERSION = "0.4.0"


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """What was declared to differ between the legs."""

    lever: str | None = None
    flags: dict[str, Scalar] = field(default_factory=dict)
    """Effective-config key -> value in the candidate leg."""
    env: dict[str, str] = field(default_factory=dict)
    overlay: list[str] = field(default_factory=list)
    """Overlay files, relative to the run."""


class Planned(Struct, frozen=True, forbid_unknown_fields=True):
    """How many launches per leg, and timed repeats per launch, were planned; null: unknown."""

    launches: int | None = None
    repeats: int | None = None


class AuditRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The auditor's commission (docs/run-directory.md). Only ``scope`` is mandatory."""

    scope: Scope
    eval_dir: str | None = None
    """Where the reference leg (baseline scope: the leg) is to be found, relative to the run; null is ``.``."""
    cand_dir: str | None = None
    short_name: str | None = None
    what: str | None = None
    baseline_throughput: float | None = None
    """Output tok/s that the reference is said to give."""
    noise_band_pct: float = 0.5
    """Declared band, percent: a gain inside it is no gain."""
    change: Change | None = None
    accepted: list[Change] = field(default_factory=list)
    alpha: float = 0.05
    """This look's share of the error budget, one-sided."""
    policy: str | None = None
    noise_dirs: list[str] = field(default_factory=list)
    """A/A sets whose launches enter the pooled variance."""
    planned: Planned | None = None
    schema: str = REQUEST_SCHEMA


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """Where something stands in the raw evidence."""

    file: str
    """Relative to the run directory."""
    sha256: str | None = None
    line: int | None = None
    """1-based; null when the whole file is meant."""


class Figure(Struct, frozen=True, forbid_unknown_fields=True):
    """A number behind a finding, with its unit."""

    value: Scalar
    unit: str


class Finding(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One answer of one gate."""

    gate: str
    status: Status
    reason: str
    ids: list[str] = field(default_factory=list)
    """Rows of the taxonomy this decides."""
    required: bool = True
    """False: an ``unknown`` leaves the verdict as it is and is listed under ``not_checked``."""
    next_step: str = ""
    situation: Situation | None = None
    """Set on flag and fail."""
    figures: dict[str, Figure] = field(default_factory=dict)
    sql: list[str] = field(default_factory=list)
    """Names of the files in ``audit/sql`` that the figures came from."""
    evidence: list[Source] = field(default_factory=list)


class Side(Struct, frozen=True, forbid_unknown_fields=True):
    """One metric of one leg over its timed repeats, in the metric's unit."""

    n: int
    launches: int | None
    median: float
    min: float
    max: float
    spread_pct: float | None


class Metric(Struct, frozen=True, forbid_unknown_fields=True):
    """One metric of both legs; ``cand`` is null in baseline scope."""

    unit: str
    better: Literal["higher", "lower"]
    ref: Side | None
    cand: Side | None
    delta_pct: float | None
    non_overlapping: bool | None
    """Every repeat of one leg lies beyond every repeat of the other."""


class Effect(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The gain in output throughput as launches show it (``audit/stats`` names the methods)."""

    rule: Literal["launches", "ranges", "none"]
    estimate_pct: float | None = None
    lower_pct: float | None = None
    upper_pct: float | None = None
    alpha: float | None = None
    p: float | None = None
    df: int | None = None
    launch_sd_pct: float | None = None
    min_detectable_gain_pct: float | None = None
    launches_needed: int | None = None
    """Launches a side at which the whole rule would accept this gain with the policy's power; null: none found."""
    paired_p: float | None = None
    paired_lower_pct: float | None = None
    permutation_p: float | None = None
    odds_pct: dict[str, float] = field(default_factory=dict)
    """Launch noise (percent, as text) -> chance, in percent, that the range rule accepts when nothing changed."""


class Launches(Struct, frozen=True, forbid_unknown_fields=True):
    """Server launches behind the figures; null where the evidence does not say."""

    ref: int | None
    cand: int | None
    noise: list[int]


class Verdict(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The answer to one request."""

    schema: str = VERDICT_SCHEMA
    short_name: str
    audit_scope: Scope
    verdict: Word
    action: Action
    outcome: Outcome
    lever_class: Literal["A", "B", "mixed", "indeterminate", "n/a"]
    lever_evidence: list[str]
    counts_as_kernel_win: bool
    e2e_delta_pct: float | None
    lever_decomposition: list[str]
    non_overlapping: bool | None
    same_conditions_ok: bool | None
    baseline_drift_pct: float | None
    engagement_ok: bool | None
    headline_integrity: str
    metrics: dict[str, Metric]
    correctness_status: str
    launches: Launches
    effect: Effect
    flags: list[str]
    reasons: list[str]
    findings: list[Finding]
    not_checked: list[str]
    next_steps: list[str]
    note: str
    policy: str
    policy_digest: str
    input_digest: str
    auditor_version: str = AUDITOR_VERSION
    signed_off: bool
    """True on PASS and FLAG: the auditor lets the number stand as this verdict words it."""


class Surveyed(Struct, frozen=True):
    """One row, or one refusal (``refused`` says why). Throughputs per second, latencies in ms, duration in s."""

    file: str
    line: int | None
    refused: str | None = None
    dialect: str | None = None
    era: str | None = None
    metrics: dict[str, float] = {}
    duration: float | None = None
    completed: int | None = None
    requested: int | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None


class Verdicts(list[Verdict]):
    """The verdicts on a directory; ``as_list`` says whether its request file holds a list (then so does the JSON)."""

    def __init__(self, items: list[Verdict], *, as_list: bool) -> None:
        super().__init__(items)
        self.as_list = as_list
