"""Launch-level inference: pure functions of arrays, each with its method, assumptions and source.

The unit of replication is the server launch: repeats on one launch share its luck (pseudo-replication, Hurlbert
1984). All gains are differences of log launch medians, so a ratio of 1.10 and one of 1/1.10 are equally far from none.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple


class Pooled(NamedTuple):
    """Launch-to-launch standard deviation on the log scale, and its degrees of freedom."""

    sd: float
    df: int


class Interval(NamedTuple):
    """Estimate and bounds on the log scale, and the one-sided p of no gain."""

    estimate: float
    lower: float
    upper: float
    p: float
    df: int


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
    """Gain of candidate over reference launches: Student's t with pooled variance.

    Estimate: difference of mean log launch medians (tok/s). ``lower`` and ``upper`` are one-sided bounds, each at
    level ``alpha``; ``p`` is one-sided against no gain. Assumes independent, roughly normal log medians.
    """
    estimate = _mean_log(cand) - _mean_log(ref)
    return _interval(estimate, pooled.sd * math.sqrt(1 / len(ref) + 1 / len(cand)), pooled.df, alpha)


def _mean_log(values: Sequence[float]) -> float:
    return math.fsum(math.log(value) for value in values) / len(values)


def _interval(estimate: float, error: float, df: int, alpha: float) -> Interval:
    from scipy.special import stdtr, stdtrit

    half = float(stdtrit(df, 1 - alpha)) * error
    p = float(stdtr(df, -estimate / error)) if error > 0 else float("nan")
    return Interval(estimate, estimate - half, estimate + half, p, df)


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

    With 3 launches a side it cannot go below 1/20.
    """
    values = [math.log(value) for value in (*cand, *ref)]
    k = len(cand)
    total = math.comb(len(values), k)
    if total > limit:
        return None
    observed = math.fsum(values[:k])
    slack = 1e-12 * max(1.0, abs(observed))
    hits = sum(math.fsum(group) >= observed - slack for group in itertools.combinations(values, k))
    return hits / total


def detectable(pooled: Pooled, n: int, alpha: float, power: float, band_pct: float) -> float:
    """Smallest true gain (percent) that ``n`` launches a side prove with this power: (t_alpha + t_power) standard errors.

    The usual shifted-t approximation, and never below the band plus what the point estimate needs to clear it.
    """
    from scipy.special import stdtrit

    error = pooled.sd * math.sqrt(2 / n)
    t_power = float(stdtrit(pooled.df, power))
    by_bound = (float(stdtrit(pooled.df, 1 - alpha)) + t_power) * error
    return pct(max(by_bound, math.log1p(band_pct / 100) + t_power * error))


class Rule(NamedTuple):
    """The acceptance rule that a simulation plays out: level, band (percent), power asked, most launches tried, draws, seed."""

    alpha: float
    band_pct: float
    power: float
    max_launches: int
    draws: int
    seed: int


def launches_needed(estimate: float, pooled: Pooled, outside_df: int, rule: Rule) -> int | None:
    """Launches a side at which the whole rule (bound above zero and estimate above the band) would accept this gain.

    Monte Carlo: for each n, the difference of means is normal around ``estimate`` (log ratio), the pooled variance is
    a scaled chi-square with ``outside_df`` (A/A sets) plus 2 (n - 1) degrees of freedom; the same seed for every n.
    None when not even ``max_launches`` reach the power, as for a gain inside the band.
    """
    import numpy as np
    from scipy.special import stdtrit

    band = math.log1p(rule.band_pct / 100)
    if estimate <= band or pooled.sd <= 0:
        return None
    for n in range(3, rule.max_launches + 1):
        generator = np.random.Generator(np.random.PCG64(rule.seed))
        df = outside_df + 2 * (n - 1)
        error = pooled.sd * math.sqrt(2 / n)
        gains = estimate + error * generator.standard_normal(rule.draws)
        spread = np.sqrt(generator.chisquare(df, rule.draws) / df)
        accepted = (gains > band) & (gains - float(stdtrit(df, 1 - rule.alpha)) * error * spread > 0)
        if float(accepted.mean()) >= rule.power:
            return n
    return None


class RangeDesign(NamedTuple):
    """How many launches and repeats stand on each side of a range comparison; within-launch SD on the log scale."""

    launches: int
    ref_repeats: int
    cand_repeats: int
    within_sd: float


def range_odds(design: RangeDesign, launch_noise_pct: float, band_pct: float, draws: int, seed: int) -> float:
    """Chance that ``delta > band and cand_min > ref_max`` accepts when nothing changed, at this launch-to-launch noise.

    Monte Carlo on the log scale: each launch draws its luck from a normal with SD ``launch_noise_pct``, each repeat
    adds the within-launch SD seen in the rows. Repeats are spread over the launches in turn.
    """
    import numpy as np

    generator = np.random.Generator(np.random.PCG64(seed))
    noise = math.log1p(launch_noise_pct / 100)

    def leg(repeats: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        luck = noise * generator.standard_normal((draws, design.launches))
        place = np.arange(repeats) % design.launches
        return np.asarray(luck[:, place] + design.within_sd * generator.standard_normal((draws, repeats)))

    ref, cand = leg(design.ref_repeats), leg(design.cand_repeats)
    delta = np.median(cand, axis=1) - np.median(ref, axis=1)
    accepted = (delta > math.log1p(band_pct / 100)) & (cand.min(axis=1) > ref.max(axis=1))
    return float(accepted.mean())


def drift_interval(log_ratio: float, pooled: Pooled, n: int, n_given: int, alpha: float) -> Interval:
    """Two-sided interval (alpha/2 a side) of ``n`` reference launches against a number that stands on ``n_given`` launches."""
    return _interval(log_ratio, pooled.sd * math.sqrt(1 / n + 1 / n_given), pooled.df, alpha / 2)


def mcnemar_p(lost: int, won: int) -> float:
    """Exact one-sided McNemar p that answers were lost: binomial tail over the discordant pairs (McNemar 1947)."""
    from scipy.special import bdtrc

    return 1.0 if lost == 0 else float(bdtrc(lost - 1, lost + won, 0.5))


def share_upper(k: int, n: int, confidence: float) -> float:
    """One-sided upper bound of a share after ``k`` of ``n`` (Clopper and Pearson 1934); 1 without trials."""
    from scipy.special import betaincinv

    return 1.0 if k >= n else float(betaincinv(k + 1, n - k, confidence))


def share_lower(k: int, n: int, confidence: float) -> float:
    """One-sided lower bound of a share, likewise."""
    return 1.0 - share_upper(n - k, n, confidence)


def loss_upper(lost: int, won: int, n: int, confidence: float) -> float:
    """Upper bound of a paired loss (share lost minus share won) over ``n`` items.

    Clopper bounds of both shares at half the error each (Bonferroni): never too small, and without discordant items
    still what ``n`` items leave open.
    """
    half = 1 - (1 - confidence) / 2
    return share_upper(lost, n, half) - share_lower(won, n, half)


def visible_loss(n: int, p: float, power: float) -> float:
    """Smallest share of ``n`` items lost, none won, that exact McNemar at level ``p`` sees with this power; 1 when none is."""
    from scipy.special import bdtrc

    least = next(k for k in range(1, 64) if mcnemar_p(k, 0) < p)
    return next((q / 1000 for q in range(1, 1000) if n >= least and float(bdtrc(least - 1, n, q / 1000)) >= power), 1.0)


def monotone(values: Sequence[float]) -> bool:
    """True for a series that only rises or only falls; by chance 2/n! of random orders do."""
    steps = [b - a for a, b in itertools.pairwise(values)]
    return bool(steps) and (all(step > 0 for step in steps) or all(step < 0 for step in steps))
