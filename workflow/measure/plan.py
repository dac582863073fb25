"""Plans: which launches, in which order. The order is drawn from a seed after the proposal is frozen."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from workflow.measure.types import Leg, Settings, Workload

FIRST = ("aa", "ref", "cand")
"""Legs that come before all others in the canonical order."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One set of launches: an A/A set (single leg ``aa``) or an A/B (legs ``ref`` and ``cand``, and what lies beside them).

    ``launches`` counts per leg, ``repeats`` per launch. Launches of an A/A set lie in ``dir/launch_NNN``, those of an
    A/B in ``dir/<leg>/launch_NNN``; ``dir`` is relative to the run.
    """

    dir: str
    legs: Mapping[Leg, Settings]
    launches: int
    repeats: int
    workload: Workload
    known_tok_s: float = 0.0
    """Output tok/s already measured of the reference; with the pilot it sizes the repeats."""
    min_repeat_s: float = 3.0
    """Shortest timed repeat, seconds (design: Noise, launches, odds)."""

    @property
    def total_launches(self) -> int:
        """Launches of all legs together."""
        return self.launches * len(self.legs)

    @property
    def leg_names(self) -> tuple[Leg, ...]:
        """The legs in their canonical order: ``aa``, ``ref``, ``cand``, then the others by name."""
        return tuple(sorted(self.legs, key=lambda leg: (FIRST.index(leg) if leg in FIRST else len(FIRST), leg)))

    @property
    def under_test(self) -> Leg:
        """The leg that a pilot sizes the repeats by: the candidate, or the only one."""
        return "cand" if "cand" in self.legs else self.leg_names[0]


@dataclass(frozen=True, slots=True)
class Slot:
    """One place in a plan's order: the launch ``launch_id`` belongs to ``pair`` and runs at ``position``."""

    launch_id: str
    leg: Leg
    pair: int
    position: int


def draw_order(plan: Plan, seed: int) -> list[Leg]:
    """The leg of each launch, in time order: A B B A A B ..., a seeded draw says which leg is A; with more legs A B C C B A ...

    Running every other round backwards keeps a slow drift from falling on one leg (taxonomy M05, M21).
    """
    names = list(plan.leg_names)
    if len(names) == 1:
        return names * plan.launches
    random.Random(f"order:{seed}").shuffle(names)
    order: list[Leg] = []
    for pair in range(plan.launches):
        order.extend(names if pair % 2 == 0 else reversed(names))
    return order


SIZE_MARGIN = 1.5
"""A pilot is one launch, and equal launches differ: by up to 1.5 times on a machine shared with others."""


def size_repeat(plan: Plan, pilot_tok_s: float) -> int:
    """Requests of one timed repeat, the same for both legs: enough that the faster leg takes ``min_repeat_s``.

    The workload's own count is the floor.
    """
    fastest = max(plan.known_tok_s, pilot_tok_s)
    return max(plan.workload.requests_per_repeat, math.ceil(SIZE_MARGIN * plan.min_repeat_s * fastest / plan.workload.output_len))


def slots(plan: Plan, order: list[Leg]) -> list[Slot]:
    """Launch directories and pairs of an order: the n-th launch of each leg forms pair n."""
    counts: dict[Leg, int] = {}
    result: list[Slot] = []
    for position, leg in enumerate(order):
        index = counts.get(leg, 0)
        counts[leg] = index + 1
        folder = plan.dir if leg == "aa" else f"{plan.dir}/{leg}"
        result.append(Slot(f"{folder}/launch_{index:03d}", leg, index, position))
    return result


def estimate_seconds(plan: Plan, seconds_per_launch: float) -> float:
    """Seconds a plan will take, for the announcement; an estimate, nothing is decided by it."""
    return plan.total_launches * seconds_per_launch
