"""What the report reads of a proof: the form of report.json, checked before a line is written.

Fields that are not read here are left alone; a missing one, or one of another type, is an error that names where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from proof.report.words import clean

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Verdict = Literal["PASS", "FLAG", "FAIL"]
Kind = Literal["lie", "twin", "recorded", "win"]


class IncompleteProofError(ValueError):
    """The object is no whole proof; the words say which key is missing or wrong, and where."""


class Rate(msgspec.Struct, frozen=True):
    """``k`` of ``n`` with the ends of its 95 % interval; ``rate`` is null without trials."""

    k: int
    n: int
    rate: Share | None
    low: Share
    high: Share


class Goal(msgspec.Struct, frozen=True):
    """What the judge is held to."""

    name: str
    goal: str
    value: Rate | None
    words: str
    met: bool
    more_is: Literal["better", "worse"]


class Said(msgspec.Struct, frozen=True):
    """One verdict that was given."""

    short_name: str
    verdict: Verdict
    action: str | None
    outcome: str | None
    ids: list[str]
    gates: list[str]
    reason: str


class Case(msgspec.Struct, frozen=True):
    """One audited run directory and whether the judge was right about it."""

    id: str
    kind: Kind
    recipe: str
    base: str
    size: float
    seed: int
    ids: list[str]
    critical: bool
    got: list[Said]
    caught: bool
    """Some verdict is one that the answer key allows."""
    named: bool
    right: bool
    """Every word of the answer key is met."""


class Row(msgspec.Struct, frozen=True):
    """How often each verdict was given."""

    passed: int = msgspec.field(name="PASS")
    flagged: int = msgspec.field(name="FLAG")
    failed: int = msgspec.field(name="FAIL")


class Rates(msgspec.Struct, frozen=True):
    """Headline figures of the cases."""

    critical_failed: Rate
    lies_caught: Rate
    id_named: Rate
    twins_refused: Rate
    recorded_right: Rate
    wins_refused: Rate | None = None


class ById(msgspec.Struct, frozen=True):
    """One id of the taxonomy."""

    id: str
    name: str
    recipes: list[str]
    lies: Rate
    named: Rate
    twins: Rate


class ByGate(msgspec.Struct, frozen=True):
    """One gate of the judge."""

    gate: str
    recall: Rate
    precision: Rate


class Miss(msgspec.Struct, frozen=True):
    """One case that is not exactly as the answer key says."""

    case: str
    what: str
    recipe: str
    base: str
    size: float
    expected: str
    got: str
    evidence: str


class OfPolicy(msgspec.Struct, frozen=True):
    """False accepts in one world under one rule."""

    policy: str
    per_claim: Rate
    per_campaign: Rate


class Detection(msgspec.Struct, frozen=True):
    """How often a gate notices what is wrong with a world."""

    gate: str
    rate: Rate
    of: str


class Power(msgspec.Struct, frozen=True):
    """Share of true gains of this size that are accepted."""

    policy: str
    gain_pct: float
    accepted: Rate


class TrueWins(msgspec.Struct, frozen=True):
    """True gains of the size that the whole rule should prove 98 times in 100."""

    gain_pct: float
    not_proven: Rate


class LaunchesNeeded(msgspec.Struct, frozen=True):
    """What a verdict says is still needed, and what it brings."""

    gain_pct: float
    said: float | None
    asked_power: Share
    power_there: Rate


class Odds(msgspec.Struct, frozen=True):
    """Odds that a verdict prints, and how often it came to pass."""

    launch_noise_pct: float
    printed_pct: float
    seen: Rate


class Files(msgspec.Struct, frozen=True):
    """Simulated pairs that went through files and a whole audit as well."""

    pairs: int
    agreed: Rate
    disagreements: list[str]


class Before(msgspec.Struct, frozen=True):
    """The same world under the judge as it was before."""

    per_campaign: Rate | None
    detections: list[Detection]


class World(msgspec.Struct, frozen=True):
    """Simulated campaigns of one kind."""

    name: str
    says: str
    meets_assumptions: bool
    parameters: dict[str, Any]
    fitted_from: str
    campaigns: int
    candidates: int
    policies: list[OfPolicy]
    detections: list[Detection]
    power: list[Power]
    true_wins: TrueWins | None
    launches_needed: list[LaunchesNeeded]
    odds: list[Odds]
    files: Files
    before: Before | None = None


class Stability(msgspec.Struct, frozen=True):
    """Cases that were audited several times."""

    cases: int
    times: int
    unstable: list[str]


class Speed(msgspec.Struct, frozen=True):
    """Pace of the replay."""

    requests: int
    seconds: float
    per_second: float | None
    jobs: int


class FirstLook(msgspec.Struct, frozen=True):
    """A set of recipes when the judge met them first."""

    what: str
    caught: Rate
    critical_failed: Rate
    named: Rate


class Proof(msgspec.Struct, frozen=True):
    """The whole object."""

    schema: Literal["countersign.proof/1"]
    auditor_version: str
    mode: Literal["quick", "full"]
    seed: int
    key_digest: str
    policy_digests: dict[str, str]
    machine: str
    goals: list[Goal]
    cases: list[Case]
    confusion: dict[str, Row]
    rates: Rates
    ids: list[ById]
    gates: list[ByGate]
    misses: list[Miss]
    worlds: list[World]
    stability: Stability
    speed: Speed
    first_looks: list[FirstLook]
    blind: bool | None = None
    """Whether the sandbox kept the answer key away from the judge; null where that was not written down."""


def read(proof: Mapping[str, Any]) -> Proof:
    """The object with every text made one visible line. Raises IncompleteProofError naming the key that is missing or wrong."""
    try:
        return msgspec.convert(clean(proof), Proof)
    except msgspec.ValidationError as error:
        raise IncompleteProofError(f"no whole proof: {error}") from error
