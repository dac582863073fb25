"""What the acceptance rule can prove: its chance to accept a true gain, by integration over the whole rule."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from audit.stats import student
from audit.stats.launches import Pooled, pct

POINTS = 509
"""Lattice points over the scatters that an experiment happens to see, a prime."""
STRATA = 127
"""Values that their distribution is condensed to."""
GRID = 2000
"""Steps of the chi-square distributions."""


class Rule(NamedTuple):
    """The acceptance rule: level of the bound, band (percent), power asked, most launches tried."""

    alpha: float
    band_pct: float
    power: float
    max_launches: int


class Design(NamedTuple):
    """Launches a side, and degrees of freedom that A/A sets add to those of the two legs."""

    n_ref: int
    n_cand: int
    outside_df: int

    @property
    def df(self) -> int:
        """Degrees of freedom of the pooled variance."""
        return self.outside_df + self.n_ref + self.n_cand - 2


def accept_chance(gain: float, sd: float, design: Design, rule: Rule) -> float:
    """Chance that bound above zero and estimate above the band both hold for a true gain (log ratio) at launch SD ``sd``.

    The estimate is normal about the gain, the variances of the A/A sets and of both legs are independent scaled chi-squares: the
    chance given the variances is exact, its mean over them a sum over ``STRATA`` values. Same assumptions as ``gain``; tests
    simulate it.
    """
    error = sd * math.sqrt(1 / design.n_ref + 1 / design.n_cand)
    band = math.log1p(rule.band_pct / 100)
    if error <= 0:
        return float(gain > max(band, 0.0))
    reach = student.quantile(rule.alpha, design.df) * error
    scale = math.sqrt(0.5) / error
    seen = _scatter(design)
    return 0.5 * math.fsum(math.erfc(scale * (max(band, reach * value) - gain)) for value in seen) / len(seen)


@lru_cache(maxsize=256)
def _scatter(design: Design) -> tuple[float, ...]:
    """Observed over true standard error of the gain, as equally likely values.

    The error is what ``launches.gain`` takes: each leg's variance is the pooled one or its own, whichever is larger. Over a
    rank-one lattice (Korobov) in the quantiles of the three chi-squares, sorted, and thinned to the middle of each stratum.
    """
    parts = (design.n_ref - 1, design.n_cand - 1, design.outside_df)
    tables = [_squares(df) for df in parts]
    found = []
    for index in range(POINTS):
        ref, cand, outside = (table[(index * pow(STEP, place, POINTS)) % POINTS] for place, table in enumerate(tables))
        pooled = (ref + cand + outside) / design.df
        own = [total / df if df else 0.0 for total, df in zip((ref, cand), parts, strict=False)]
        error = max(pooled, own[0]) / design.n_ref + max(pooled, own[1]) / design.n_cand
        found.append(math.sqrt(error / (1 / design.n_ref + 1 / design.n_cand)))
    found.sort()
    return tuple(found[int((place + 0.5) / STRATA * POINTS)] for place in range(STRATA))


STEP = 189
"""Of the lattice: spreads POINTS points evenly over three dimensions."""


@lru_cache(maxsize=256)
def _squares(df: int) -> tuple[float, ...]:
    """Quantiles of chi-square with ``df`` degrees of freedom at the middles of POINTS equal shares; all 0 without any.

    By midpoint sums of the density of its root, up to where Laurent and Massart (2000) bound the rest by 1e-12.
    """
    if df <= 0:
        return (0.0,) * POINTS
    x = 12 * math.log(10)
    top = math.sqrt(df + 2 * math.sqrt(x * df) + 2 * x)
    step = top / GRID
    places = [step * (index + 0.5) for index in range(GRID)]
    logs = [(df - 1) * math.log(place) - place * place / 2 for place in places]
    peak = max(logs)
    weights = [math.exp(value - peak) for value in logs]
    total, sofar, at = math.fsum(weights), 0.0, 0
    found = []
    for index in range(POINTS):
        wanted = (index + 0.5) / POINTS * total
        while at < GRID - 1 and sofar + weights[at] < wanted:
            sofar += weights[at]
            at += 1
        share = min(1.0, (wanted - sofar) / weights[at]) if weights[at] > 0 else 0.5
        found.append((step * (at + share)) ** 2)
    return tuple(found)


@lru_cache(maxsize=64)
def detectable(sd: float, design: Design, rule: Rule) -> float:
    """Smallest true gain, percent, that the whole rule accepts with the power asked, if ``sd`` is the true launch SD."""
    low, high = 0.0, max(math.log1p(rule.band_pct / 100), sd)
    while accept_chance(high, sd, design, rule) < rule.power:
        low, high = high, 2 * high
    while high - low > 1e-7 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if accept_chance(middle, sd, design, rule) >= rule.power else (middle, high)
    return pct(high)


@lru_cache(maxsize=64)
def launches_needed(estimate: float, pooled: Pooled, outside_df: int, rule: Rule) -> int | None:
    """Launches a side at which the whole rule would accept this gain (log ratio) with the power asked.

    None when not even ``max_launches`` reach it, as for a gain inside the band. The chance rises with n: found by halving.
    """
    if estimate <= math.log1p(rule.band_pct / 100) or pooled.sd <= 0:
        return None

    def enough(n: int) -> bool:
        return accept_chance(estimate, pooled.sd, Design(n, n, outside_df), rule) >= rule.power

    low, high = 3, rule.max_launches
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
