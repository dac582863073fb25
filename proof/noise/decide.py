"""The decision about one pair: by the auditor's own rules and gates, put together as its verdict does."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from audit import rules
from audit.contract import Situation
from audit.verdict import PASSED, TABLE, Decision
from proof.noise import notice
from proof.noise.draw import Pair
from proof.noise.worlds import World

SITUATIONS: dict[rules.Word, tuple[Situation, ...]] = {
    "proven": (), "refuted": ("refuted",), "underpowered": ("underpowered",), "not_measured": ("missing",),
}  # fmt: skip
"""Rows of the decision table that gate 3's word argues for."""


class Judged(NamedTuple):
    """A row of the auditor's decision table, and how it came about."""

    decision: Decision
    word: rules.Word
    """What the rows say of the gain, whatever else was noticed."""
    noticed: tuple[str, ...]
    """Gates that spoke against the pair; flags are asked for only where the gain would be proven otherwise."""
    unsaid: bool = False
    """A gate could not say whether something was lost, which only the strict policy minds; asked where a gain is proven."""

    @property
    def accepted(self) -> bool:
        """The change would be banked, with a flag or without."""
        return self.decision.outcome == "proven"

    @property
    def accepted_strictly(self) -> bool:
        """It would be banked under the strict policy too: nothing stays unsaid."""
        return self.accepted and not self.unsaid


def terms(world: World, alpha: float) -> rules.Terms:
    """What is fixed before the claim."""
    return rules.Terms(alpha, world.band_pct, notice.shipped().delta.min_launches)


class Sides(NamedTuple):
    """A pair as the rules want it: both legs, and the launch medians of the A/A set."""

    ref: rules.Leg
    cand: rules.Leg
    sets: list[list[float]]


def sides(pair: Pair) -> Sides:
    """Legs and A/A set of a pair."""
    ref, cand = ([value for values in launches for value in values] for launches in (pair.ref, pair.cand))
    return Sides(rules.Leg(pair.medians.ref, ref), rules.Leg(pair.medians.cand, cand), [pair.medians.aa])


def judge(pair: Pair, world: World, alpha: float, *, strict: bool = False) -> Judged:
    """What ``countersign audit`` says of the pair under the default policy, or the strict one: gates 1 to 3, and gate 5's doubt.

    Contention and warm-up are the gates' own comparisons, written out here because they are asked of every pair; tests hold
    them, like everything else, against the gates and against audits of files.
    """
    ref, cand, sets = sides(pair)
    said = rules.gain(ref, cand, sets, terms(world, alpha))
    noticed = []
    if max(*pair.ref_foreign, *pair.cand_foreign) > notice.shipped().contention.foreign_cores:
        noticed.append("contention")
    if pair.warmups[0] != pair.warmups[1]:
        noticed.append("lifecycle")
    against = terms(world, notice.shipped().drift.alpha)
    if rules.drifted(ref, rules.drift(ref, cand, sets, pair.given, against), pair.given, world.band_pct):
        noticed.append("baseline_drift")
    if noticed:
        return Judged(TABLE["not_comparable"], said.word, tuple(noticed))
    argued: set[Situation | None] = set(SITUATIONS[said.word])
    gates: set[str] = set()
    unsaid = False
    if strict or said.word == "proven":
        ev = notice.evidence(pair, world, alpha)
        others = notice.beside(ev)
        flags = [item for item in [*notice.in_order(ev), *notice.doubts(ev), *others] if item.status != "unknown"]
        argued |= {item.situation for item in flags}
        gates |= {item.gate for item in flags}
        unsaid = any(item.status == "unknown" for item in others)
        if strict and unsaid:
            argued.add("missing")
    decision = next((row for name, row in TABLE.items() if name in argued), PASSED)
    return Judged(decision, said.word, tuple(sorted(gates)), unsaid)


def by_ranges(pair: Pair, world: World) -> bool:
    """The field's rule on the same repeats, whatever launch they stand on, and with no eye for anything else."""
    ref, cand = (side.repeats for side in sides(pair)[:2])
    delta = 100.0 * (statistics.median(cand) / statistics.median(ref) - 1.0)
    return rules.ranges(ref, cand, delta, world.band_pct) == "proven"
