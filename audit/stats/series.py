"""What a series of repeats shows beside its median: first, trend, outlier, two modes, memory, clock."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from audit.stats import student
from audit.stats.launches import pct


class First(NamedTuple):
    """How much the first repeat of a launch is off the rest, percent, and the two-sided p that it is not."""

    shift_pct: float
    p: float


class Trend(NamedTuple):
    """Kendall's tau, its two-sided p without a trend, and the change from first to last repeat, percent."""

    tau: float
    p: float
    change_pct: float


class Outlier(NamedTuple):
    """The repeat that stands out most: its place, how far from the median of the others (percent), its p."""

    place: int
    off_pct: float
    p: float


class Modes(NamedTuple):
    """Two clusters: their means, sizes, and the share of the variance that lies between them."""

    low: float
    high: float
    n_low: int
    n_high: int
    between: float


def _sd(values: Sequence[float]) -> float:
    """Sample standard deviation of two or more values, summed without loss; ``statistics.stdev`` works in fractions."""
    if min(values) == max(values):
        return 0.0
    mean = statistics.fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def first_repeat(launches: Sequence[Sequence[float]]) -> First | None:
    """Is the first timed repeat of each launch drawn from the same as the rest?

    Difference d of log first and mean log rest. From three launches on: one-sample t of the d over
    launches. Below: the prediction t of d against the scatter of the rest, pooled over the launches (with three repeats of one
    launch one degree of freedom). Assumes roughly normal logs. None where nothing is left to measure the scatter by.
    """
    used = [[math.log(value) for value in values] for values in launches if len(values) >= 2]
    if not used:
        return None
    offs = [values[0] - statistics.fmean(values[1:]) for values in used]
    shift = statistics.fmean(offs)
    if len(offs) >= 3:
        error, df = _sd(offs) / math.sqrt(len(offs)), len(offs) - 1
    else:
        df = sum(len(values) - 2 for values in used)
        squares = math.fsum(
            (value - mean) ** 2 for values in used for mean in [statistics.fmean(values[1:])] for value in values[1:]
        )
        each = math.fsum(1 + 1 / (len(values) - 1) for values in used) / len(used) ** 2
        error = math.sqrt(squares / df * each) if df else 0.0
    if df == 0 or error == 0:
        return None
    return First(pct(shift), 2 * student.tail(abs(shift) / error, df))


def trend(launches: Sequence[Sequence[float]]) -> Trend | None:
    """Mann-Kendall over the repeats of each launch, summed over launches (Hirsch and Slack's seasonal Kendall), exact p.

    The distribution of the sum without a trend is the convolution of the counts of inversions; ties count as neither, which
    keeps p too large rather than too small. Change: median of all pairwise slopes (Theil-Sen) times the steps of the longest
    launch. Assumes exchangeable repeats within a launch, nothing about their distribution. None below three repeats.
    """
    used = [values for values in launches if len(values) >= 3]
    if not used:
        return None
    score = sum((later > earlier) - (later < earlier) for values in used for earlier, later in itertools.combinations(values, 2))
    pairs = sum(math.comb(len(values), 2) for values in used)
    counts = _inversions(tuple(sorted(len(values) for values in used)))
    tail = sum(counts[: (pairs - abs(score)) // 2 + 1])
    slopes = [
        (math.log(values[j]) - math.log(values[i])) / (j - i)
        for values in used
        for i, j in itertools.combinations(range(len(values)), 2)
    ]
    change = statistics.median(slopes) * (max(len(values) for values in used) - 1)
    return Trend(score / pairs, min(1.0, 2 * tail / sum(counts)), pct(change))


@lru_cache(maxsize=64)
def _inversions(lengths: tuple[int, ...]) -> tuple[int, ...]:
    """How many orders of series of these lengths have 0, 1, 2, ... inversions in all."""
    counts = [1]
    for size in (step for length in lengths for step in range(2, length + 1)):
        wider = [0] * (len(counts) + size - 1)
        for place, count in enumerate(counts):
            for more in range(size):
                wider[place + more] += count
        counts = wider
    return tuple(counts)


def outlier(values: Sequence[float]) -> Outlier | None:
    """The repeat furthest from the rest: Grubbs' test on the log scale as the largest deleted t, two-sided, Bonferroni over n.

    Assumes normal logs but for one value (Grubbs 1950); two faults hide each other. None below four values or without scatter.
    """
    n = len(values)
    if n < 4 or min(values) <= 0:
        return None
    logs = [math.log(value) for value in values]
    mean, sd = statistics.fmean(logs), _sd(logs)
    if sd == 0:
        return None
    place = max(range(n), key=lambda index: abs(logs[index] - mean))
    rest = [*logs[:place], *logs[place + 1 :]]
    inner = _sd(rest)
    off = pct(logs[place] - statistics.median(rest))
    if inner == 0:
        return Outlier(place, off, 0.0)
    t = abs(logs[place] - statistics.fmean(rest)) / (inner * math.sqrt(1 + 1 / (n - 1)))
    return Outlier(place, off, min(1.0, 2 * n * student.tail(t, n - 2)))


def two_modes(values: Sequence[float], critical: Mapping[str, float]) -> Modes | None:
    """Two clusters, where the best cut in two explains more than one normal cluster of this size does by chance.

    Statistic: largest share of the sum of squares between two parts of the sorted values (Engelman and Hartigan 1969), each
    part at least a quarter. ``critical``: size -> value that a normal sample exceeds with the policy's chance (a test
    simulates it); sizes between are read from the next smaller one. None where it does not, or below the smallest size.
    """
    n = len(values)
    known = [size for size in map(int, critical) if size <= n]
    if not known:
        return None
    ordered = sorted(values)
    mean = statistics.fmean(ordered)
    total = math.fsum((value - mean) ** 2 for value in ordered)
    if total == 0:
        return None
    least = max(2, n // 4)
    best: Modes | None = None
    for cut in range(least, n - least + 1):
        low, high = statistics.fmean(ordered[:cut]), statistics.fmean(ordered[cut:])
        between = (cut * (low - mean) ** 2 + (n - cut) * (high - mean) ** 2) / total
        if best is None or between > best.between:
            best = Modes(low, high, cut, n - cut, between)
    return best if best is not None and best.between > critical[str(max(known))] else None


def memory_p(launches: Sequence[Sequence[float]], least: int) -> float | None:
    """One-sided p that neighbouring repeats are not alike: lag-1 serial correlation summed over launches of ``least`` repeats.

    Normal approximation with Moran's (1948) mean -1/n and variance (n - 2)^2 / (n^2 (n - 1)). None without such a launch.
    """
    z, variance = 0.0, 0.0
    for values in launches:
        n = len(values)
        mean = statistics.fmean(values) if values else 0.0
        total = math.fsum((value - mean) ** 2 for value in values)
        if n < max(least, 4) or total == 0:
            continue
        r = math.fsum((a - mean) * (b - mean) for a, b in itertools.pairwise(values)) / total
        z += r + 1 / n
        variance += (n - 2) ** 2 / (n * n * (n - 1))
    return 0.5 * math.erfc(z / math.sqrt(2 * variance)) if variance else None


def tick(durations: Sequence[float], places: int = 6) -> float | None:
    """Step, in seconds, of the clock behind these durations: the decimal place in which all of them end; None for a fine one."""
    for place in range(places + 1):
        if all(abs(value * 10**place - round(value * 10**place)) < 1e-6 for value in durations):
            return 10.0**-place
    return None


def gain_if_missing(ref: Sequence[float], cand: Sequence[float]) -> float:
    """Gain of the medians, percent, if every repeat that one leg has less than the other had been against the claim.

    The worst case of one-sided trimming: missing candidate repeats count as slow as the slowest repeat of all,
    missing reference repeats as fast as the fastest.
    """
    lack = len(ref) - len(cand)
    slow, fast = min(*ref, *cand), max(*ref, *cand)
    full_ref, full_cand = [*ref, *([fast] * max(0, -lack))], [*cand, *([slow] * max(0, lack))]
    return 100 * (statistics.median(full_cand) / statistics.median(full_ref) - 1)
