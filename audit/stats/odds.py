"""What luck alone does to the range rule. Deterministic: no generator, no seed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

GOLDEN = 0.6180339887498949
"""The lattice's step as a share of its points: far from every simple fraction."""


class RangeDesign(NamedTuple):
    """Launches and repeats of each side of a range comparison; within-launch SD on the log scale."""

    ref_launches: int
    cand_launches: int
    ref_repeats: int
    cand_repeats: int
    within_sd: float


class _Inside(NamedTuple):
    """Lowest, middle and highest repeat of a leg about the leg's mean, log scale."""

    low: float
    median: float
    high: float


@lru_cache(maxsize=64)
def range_odds(design: RangeDesign, launch_noise_pct: float, band_pct: float, points: int) -> float:
    """Chance that ``delta > band and cand_min > ref_max`` accepts when nothing changed, at this launch-to-launch noise.

    On the log scale each launch has a luck of its own (normal, SD ``launch_noise_pct``) and each repeat adds the within-launch
    SD; repeats are spread over the launches in turn. The shift between the means of the legs is independent of what happens
    inside them, so its part is integrated exactly; the rest over ``points`` points (a prime) of a Korobov lattice (Sloan and
    Joe, Lattice Methods for Multiple Integration, 1994). Within 2 % of its value at 509 points (tests simulate it).
    """
    noise, band = math.log1p(launch_noise_pct / 100), math.log1p(band_pct / 100)
    ref = (min(design.ref_launches, design.ref_repeats), design.ref_repeats)
    cand = (min(design.cand_launches, design.cand_repeats), design.cand_repeats)
    within = design.within_sd
    error = math.sqrt(sum(noise**2 / launches + within**2 / repeats for launches, repeats in (ref, cand)))
    if error == 0:
        return 0.0
    luck = noise if max(ref[0], cand[0]) > 1 else 0.0
    scale = math.sqrt(0.5) / error
    total = 0.0
    for one, other in _insides(ref, cand, luck, within, points):
        total += math.erfc(scale * max(band - other.median + one.median, one.high - other.low))
    return total / 2 / points


@lru_cache(maxsize=64)
def _insides(
    ref: tuple[int, int], cand: tuple[int, int], noise: float, within: float, points: int
) -> tuple[tuple[_Inside, _Inside], ...]:
    """Both legs about their own means at every point; ``ref`` and ``cand`` are launches and repeats."""
    found = []
    for draws in _lattice(points, sum(repeats + (launches if launches > 1 else 0) for launches, repeats in (ref, cand))):
        values = iter(draws)
        found.append((_inside(*ref, noise, within, values), _inside(*cand, noise, within, values)))
    return tuple(found)


def _lattice(points: int, dimension: int) -> Iterator[tuple[float, ...]]:
    """Standard normal draws: a rank-one lattice, centred in its cells, through the normal quantile."""
    quantile = NormalDist().inv_cdf
    table = [quantile((index + 0.5) / points) for index in range(points)]
    step = round(points * GOLDEN)
    columns = []
    for place in range(dimension):
        by = pow(step, place, points)
        columns.append([table[(index * by) % points] for index in range(points)])
    return zip(*columns, strict=True)


def _inside(launches: int, repeats: int, noise: float, within: float, values: Iterator[float]) -> _Inside:
    """One leg: luck of its launches and of its repeats, each less its mean."""
    luck = [next(values) for _ in range(launches)] if launches > 1 else [0.0]
    own = [next(values) for _ in range(repeats)]
    middle, mean = sum(luck) / launches, sum(own) / repeats
    ordered = sorted(noise * (luck[place % launches] - middle) + within * (value - mean) for place, value in enumerate(own))
    half = repeats // 2
    median = ordered[half] if repeats % 2 else (ordered[half - 1] + ordered[half]) / 2
    return _Inside(ordered[0], median, ordered[-1])
