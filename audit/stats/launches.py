"""Inference over launches: estimate, bounds, pairs, permutations, drift, what two groups of the same thing differ by."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from audit.stats import student


class Pooled(NamedTuple):
    """Launch-to-launch standard deviation on the log scale, and its degrees of freedom."""

    sd: float
    df: int


class Interval(NamedTuple):
    """Estimate, bounds and standard error on the log scale."""

    estimate: float
    lower: float
    upper: float
    error: float
    df: int

    @property
    def p(self) -> float:
        """One-sided p of no gain; NaN without scatter."""
        return student.tail(self.estimate / self.error, self.df) if self.error > 0 else float("nan")


def pct(log_ratio: float) -> float:
    """Percent gain of a log ratio."""
    return 100.0 * math.expm1(log_ratio)


def significant(value: float | None, digits: int = 6) -> float | None:
    """``value`` to so many significant digits; None stays None."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{digits}g}")


def pool(groups: Sequence[Sequence[float]]) -> Pooled | None:
    """Pooled SD of log launch medians (tok/s) over groups, each about its own mean.

    Classical pooled variance: sum of squares within groups over sum of (n - 1). Assumes that launches of every group
    scatter alike on the log scale and are independent. None without degrees of freedom.
    """
    squares, df = 0.0, 0
    for group in groups:
        if len(group) < 2:
            continue
        logs = [math.log(value) for value in group]
        mean = math.fsum(logs) / len(logs)
        squares += math.fsum((value - mean) ** 2 for value in logs)
        df += len(logs) - 1
    return Pooled(math.sqrt(squares / df), df) if df else None


def gain(ref: Sequence[float], cand: Sequence[float], pooled: Pooled, alpha: float) -> Interval:
    """Gain of candidate over reference launches: Student's t with pooled variance, and never less scatter than a leg shows.

    Estimate: difference of mean log launch medians (tok/s). ``lower`` and ``upper`` are one-sided bounds, each at
    level ``alpha``; ``p`` is one-sided against no gain. Assumes independent, roughly normal log medians. Where a leg scatters
    more than the pool, its own variance stands for its part of the error: pooling must not lend a restless leg the calm of the
    others (docs/decisions/0011). With equal scatter that makes the bounds a little wider than they need be.
    """
    estimate = _mean_log(cand) - _mean_log(ref)
    error = math.sqrt(sum(max(pooled.sd**2, _variance(leg)) / len(leg) for leg in (ref, cand)))
    return _interval(estimate, error, pooled.df, alpha)


def _variance(leg: Sequence[float]) -> float:
    """Sample variance of log launch medians; 0 below two launches."""
    if len(leg) < 2:
        return 0.0
    mean = _mean_log(leg)
    return math.fsum((math.log(value) - mean) ** 2 for value in leg) / (len(leg) - 1)


def _mean_log(values: Sequence[float]) -> float:
    return math.fsum(math.log(value) for value in values) / len(values)


def _interval(estimate: float, error: float, df: int, alpha: float) -> Interval:
    half = student.quantile(alpha, df) * error
    return Interval(estimate, estimate - half, estimate + half, error, df)


def paired(ref: Sequence[float], cand: Sequence[float], alpha: float) -> Interval | None:
    """Sensitivity line: the same question pair by pair (paired t). None below two pairs or without scatter."""
    differences = [math.log(c) - math.log(r) for r, c in zip(ref, cand, strict=True)]
    n = len(differences)
    if n < 2:
        return None
    mean = math.fsum(differences) / n
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in differences) / (n - 1))
    return _interval(mean, sd / math.sqrt(n), n - 1, alpha) if sd > 0 else None


def permutation_p(ref: Sequence[float], cand: Sequence[float], limit: int) -> float | None:
    """Exact one-sided permutation p of the difference of mean logs (Fisher-Pitman); None above ``limit`` arrangements.

    Assumes that the units are exchangeable. With n on each side it cannot go below one in C(2n, n): n = 2 is 1/6, 3 is 1/20,
    4 is 1/70; it is exactly that where every candidate beats every reference, however many arrangements there are.
    """
    total = math.comb(len(ref) + len(cand), len(cand))
    if min(cand) > max(ref):
        return 1 / total
    if total > limit:
        return None
    values = [math.log(value) for value in (*cand, *ref)]
    k = len(cand)
    observed = math.fsum(values[:k])
    slack = 1e-12 * max(1.0, abs(observed))
    hits = sum(math.fsum(group) >= observed - slack for group in itertools.combinations(values, k))
    return hits / total


def drift_interval(log_ratio: float, pooled: Pooled, n: int, n_given: int, alpha: float) -> Interval:
    """Two-sided interval (alpha/2 a side) of ``n`` reference launches against a number that stands on ``n_given`` launches."""
    return _interval(log_ratio, pooled.sd * math.sqrt(1 / n + 1 / n_given), pooled.df, alpha / 2)


def same_band(pooled: Pooled, n_ref: int, n_cand: int, level: float) -> float:
    """A/A band, percent: two groups of launches of the same thing differ by more with chance ``level`` alone (two-sided).

    Student's t of the difference of mean log medians; assumes what ``gain`` assumes.
    """
    error = pooled.sd * math.sqrt(1 / n_ref + 1 / n_cand)
    return pct(student.quantile(level / 2, pooled.df) * error)


def worst_loss(ref: Sequence[float], cand: Sequence[float], alpha: float) -> float | None:
    """Upper bound, percent, of how much larger the candidate's values may be than the reference's: one side of TOST.

    "No regression" beyond a margin may be said when this bound stays below it (two one-sided tests, Schuirmann 1987). Log
    scale, Student's t, variance pooled over the two groups; one value a launch, or a repeat where launches are unknown (then it
    bounds the repeats alone). None without degrees of freedom or with a value that is not positive.
    """
    if min((*ref, *cand), default=0.0) <= 0:
        return None
    pooled = pool([ref, cand])
    return None if pooled is None else pct(gain(ref, cand, pooled, alpha).upper)
