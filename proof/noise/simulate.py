"""Counts what the judge does with drawn campaigns: false accepts, what noticed, power, launches needed, odds."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from functools import lru_cache

from audit import rules, stats
from proof.noise import notice
from proof.noise.decide import Judged, by_ranges, judge, sides, terms
from proof.noise.draw import Chunk, Pair, Plan, draw, seed_of
from proof.noise.worlds import DESIGN, World
from proof.rates import Rate

Tally = dict[str, Rate]
"""Name of a rate -> its count; chunks are added up."""
POLICIES = ("range rule", "default", "strict")
"""``strict`` accepts what ``default`` accepts, less what some gate could not say (``Judged.accepted_strictly``)."""
GAINS = (0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0)
"""True gains of the power curves, percent."""
LAUNCH_NOISES = (0.3, 1.0, 2.0)
"""Launch noise, percent, at which odds of the range rule are printed: those of the shipped policy."""
CHUNK = 200
"""Campaigns drawn at once."""
WIN_POWER = 0.98
TIMES = (1.0, 1.25, 1.5, 2.0)
"""True wins at or above the 98 %-power effect: multiples of it."""
HALF_POWERS = (0.2, 0.5)
"""Chances to accept of the gains at which ``launches_needed`` is tried."""
SCATTER_CAMPAIGNS = 2000
PURE = ("contention", "baseline_drift")
SAMPLED = 2
"""Candidates of a campaign on which the slower gates are asked whether they notice, besides every gain that would be proven."""


def add(one: Tally, other: Tally) -> Tally:
    """Both together."""
    return {name: one.get(name, Rate(0, 0)) + other.get(name, Rate(0, 0)) for name in sorted({*one, *other})}


def _count(found: dict[str, list[int]], name: str, hit: bool) -> None:
    both = found.setdefault(name, [0, 0])
    both[0] += hit
    both[1] += 1


def _rates(found: dict[str, list[int]]) -> Tally:
    return {name: Rate(k, n) for name, (k, n) in sorted(found.items())}


def false_accepts(world: World, campaigns: int, seed: int, place: int) -> Tally:
    """Campaigns without any true gain: ``claims/<policy>``, ``campaigns/<policy>``, ``<gate>/<of what>``."""
    chunk = draw(world, Plan(campaigns), seed_of(world, seed, "nothing", place))
    found: dict[str, list[int]] = {}
    for campaign in range(chunk.campaigns):
        _one_campaign(chunk, campaign, found)
    return _rates(found)


def _one_campaign(chunk: Chunk, campaign: int, found: dict[str, list[int]]) -> None:
    world, alpha = chunk.world, DESIGN.alpha_per_look
    by_field, by_us, by_strict = [], [], []
    for place, pair in enumerate(chunk.pairs(campaign)):
        judged = judge(pair, world, alpha)
        by_field.append(by_ranges(pair, world))
        by_us.append(judged.accepted)
        by_strict.append(judged.accepted_strictly)
        if judged.word == "proven":
            _count(found, "any gate/gains that are none", bool(judged.noticed))
        for gate in world.gates if not world.meets else ("baseline_drift",):
            if gate in PURE or place < SAMPLED:
                _notice(pair, world, gate, judged, found)
    for policy, accepted in zip(POLICIES, (by_field, by_us, by_strict), strict=True):
        for value in accepted:
            _count(found, f"claims/{policy}", value)
        _count(found, f"campaigns/{policy}", any(accepted))
    if "spread" in world.gates or world.meets:
        _count(found, "spread/A/A sets", bool(notice.restless(chunk.aa[campaign].tolist(), world)))


def _notice(pair: Pair, world: World, gate: str, judged: Judged, found: dict[str, list[int]]) -> None:
    """One gate that should notice, on the pairs that it should notice."""
    if gate == "baseline_drift":
        _count(found, "baseline_drift/pairs", gate in judged.noticed)
    elif gate == "contention" and pair.hit:
        _count(found, "contention/pairs that met a neighbour", gate in judged.noticed)
    elif gate == "lifecycle" and pair.warmups[0] != pair.warmups[1]:
        _count(found, "lifecycle/pairs", gate in judged.noticed)
    elif gate == "lifecycle" and _gains(pair):
        ev = notice.evidence(pair, world, DESIGN.alpha_per_look)
        _count(found, "lifecycle/pairs that look like a gain", bool(notice.in_order(ev)))
    elif gate == "real_delta" and (pair.hit or not (world.burst_start or world.fault_share)) and _gains(pair):
        ev = notice.evidence(pair, world, DESIGN.alpha_per_look)
        what = "pairs that were hit and look like a gain" if pair.hit else "pairs that look like a gain"
        _count(found, f"real_delta/{what}", bool(notice.doubts(ev)))


def _gains(pair: Pair) -> bool:
    """The medians of all repeats speak for the candidate."""
    ref, cand, _ = sides(pair)
    return statistics.median(cand.repeats) > statistics.median(ref.repeats)


def power(world: World, pairs: int, seed: int, gain_pct: float) -> Tally:
    """Pairs with a true gain, each in a campaign of its own: ``<policy>`` accepts."""
    chunk = draw(world, Plan(pairs, gain_pct, one_slot=True), seed_of(world, seed, f"gain {gain_pct!r}", 0))
    found: dict[str, list[int]] = {}
    for campaign in range(pairs):
        pair = chunk.pairs(campaign)[0]
        _count(found, "range rule", by_ranges(pair, world))
        judged = judge(pair, world, DESIGN.alpha_per_look)
        _count(found, "default", judged.accepted)
        _count(found, "strict", judged.accepted_strictly)
    return _rates(found)


@lru_cache(maxsize=64)
def seen_sd(world: World, seed: int) -> float:
    """SD of log launch medians that the rule meets on average: root of the mean pooled variance of A/A set and both legs."""
    import numpy as np

    chunk = draw(world, Plan(SCATTER_CAMPAIGNS, one_slot=True), seed_of(world, seed, "scatter", 0))
    squares, df = 0.0, 0
    for values in (chunk.aa, chunk.ref[:, 0], chunk.cand[:, 0]):
        logs = np.log(np.median(values, axis=-1))
        squares += float(((logs - logs.mean(axis=1, keepdims=True)) ** 2).sum())
        df += logs.shape[0] * (logs.shape[1] - 1)
    return math.sqrt(squares / df)


def _rule(world: World, chance: float) -> stats.Rule:
    return stats.Rule(DESIGN.alpha_per_look, world.band_pct, chance, notice.shipped().delta.max_launches)


PLAN = stats.Design(DESIGN.launches, DESIGN.launches, DESIGN.aa - 1)


def sure_gain_pct(world: World, seed: int) -> float:
    """The 98 %-power effect of the whole rule, percent, from the world's scatter.

    The whole rule refuses where the gain is not proven or the reference seems to have drifted, which ``drift.alpha`` allows
    it to do by luck; the sum of both chances bounds that of either (Bonferroni).
    """
    chance = WIN_POWER + notice.shipped().drift.alpha
    return float(f"{stats.detectable(seen_sd(world, seed), PLAN, _rule(world, chance)):.4g}")


def wins(world: World, pairs: int, seed: int) -> dict[str, object]:
    """True gains at ``sure_gain_pct`` and above, in equal parts: how many the default policy does not prove.

    ``not_proven`` is over all of them, ``exactly`` over those that lie at the effect itself.
    """
    gain = sure_gain_pct(world, seed)
    lost = []
    for times in TIMES:
        accepted = power(world, pairs // len(TIMES), seed, gain * times)["default"]
        lost.append(Rate(accepted.n - accepted.k, accepted.n))
    return {"gain_pct": gain, "not_proven": sum(lost, Rate(0, 0)), "exactly": lost[0]}


def needed(world: World, pairs: int, seed: int, chance: float) -> dict[str, object] | None:
    """Is ``launches_needed`` right? A gain that is accepted with this chance, what is said, and what so many launches bring.

    None where no pair was told a number.
    """
    gain = float(f"{stats.detectable(seen_sd(world, seed), PLAN, _rule(world, chance)):.3g}")
    asked = notice.shipped().delta.power
    rule, said = _rule(world, asked), []
    chunk = draw(world, Plan(pairs, gain, one_slot=True), seed_of(world, seed, f"needed {chance!r}", 0))
    for campaign in range(pairs):
        pair = chunk.pairs(campaign)[0]
        found = rules.gain(*sides(pair), terms(world, DESIGN.alpha_per_look))
        if found.word == "underpowered" and found.interval is not None and found.pooled is not None:
            outside = found.pooled.df - 2 * (DESIGN.launches - 1)
            said.append(stats.launches_needed(found.interval.estimate, found.pooled, outside, rule))
    numbers = [value for value in said if value is not None]
    if not numbers:
        return None
    launches = statistics.median_high(numbers)
    again = draw(world, Plan(pairs, gain, replace(DESIGN, launches=launches), True), seed_of(world, seed, f"more {chance!r}", 0))
    hits = sum(judge(again.pairs(campaign)[0], world, DESIGN.alpha_per_look).accepted for campaign in range(pairs))
    return {"gain_pct": gain, "said": launches, "asked_power": asked, "power_there": Rate(hits, pairs)}


def odds(world: World, pairs: int, seed: int, launch_noise_pct: float) -> dict[str, object]:
    """Printed odds of the range rule against how often it accepts nothing at all: launches unknown, so one a side.

    As many repeats a side as a campaign has; repeats scatter as in this world.
    """
    repeats = DESIGN.launches * DESIGN.repeats
    design = replace(DESIGN, launches=1, repeats=repeats)
    still = world.quiet(launch_noise_pct)
    chunk = draw(still, Plan(pairs, 0.0, design, True), seed_of(world, seed, f"odds {launch_noise_pct!r}", 0))
    hits = sum(by_ranges(chunk.pairs(campaign)[0], still) for campaign in range(pairs))
    shape = stats.RangeDesign(1, 1, repeats, repeats, world.within_sd_pct / 100)
    printed = stats.range_odds(shape, launch_noise_pct, world.band_pct, notice.shipped().delta.odds_points)
    printed_pct = float(f"{100 * printed:.3g}")
    return {"launch_noise_pct": launch_noise_pct, "printed_pct": printed_pct, "seen": Rate(hits, pairs)}
