"""What the acceptance rule can prove: its chance to accept a true gain, by integration over the whole rule."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from audit.stats import student
from audit.stats.launches import Pooled, pct

STEPS = 256
"""Points of the integral over the scatter that an experiment happens to see."""


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

    The estimate is normal about the gain, the pooled variance an independent scaled chi-square: the chance given the variance
    is exact, its mean over the variance a midpoint sum. Same assumptions as ``gain``; tests simulate it.
    """
    error = sd * math.sqrt(1 / design.n_ref + 1 / design.n_cand)
    band = math.log1p(rule.band_pct / 100)
    if error <= 0:
        return float(gain > max(band, 0.0))
    reach = student.quantile(rule.alpha, design.df) * error
    scale = math.sqrt(0.5) / error
    return 0.5 * math.fsum(weight * math.erfc(scale * (max(band, reach * seen) - gain)) for seen, weight in _scatter(design.df))


@lru_cache(maxsize=128)
def _scatter(df: int) -> tuple[tuple[float, float], ...]:
    """Observed over true SD, and its weight: chi with ``df`` degrees of freedom over root ``df``.

    The sum ends where Laurent and Massart (2000) bound the rest by 1e-12.
    """
    x = 12 * math.log(10)
    top = math.sqrt(1 + 2 * math.sqrt(x / df) + 2 * x / df)
    places = [top * (index + 0.5) / STEPS for index in range(STEPS)]
    logs = [(df - 1) * math.log(place) - df * place * place / 2 for place in places]
    peak = max(logs)
    weights = [math.exp(value - peak) for value in logs]
    total = math.fsum(weights)
    return tuple((place, weight / total) for place, weight in zip(places, weights, strict=True))


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
