"""The statistical decisions of the gates as pure functions of numbers: what a gate calls, a simulated world can call too.

Nothing here reads files, words or policies. The proof simulates worlds through these functions and holds them, decision
for decision, against whole audits of the same numbers written to disk.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Literal, NamedTuple

from audit import stats

Word = Literal["proven", "refuted", "underpowered", "not_measured"]


class Leg(NamedTuple):
    """One leg in tok/s: the median of each launch, and every timed repeat."""

    medians: Sequence[float]
    repeats: Sequence[float]


class Terms(NamedTuple):
    """What was fixed before the claim: error budget of this look, declared band (percent), launches a side for inference."""

    alpha: float
    band_pct: float
    min_launches: int


class Call(NamedTuple):
    """What the rows say of a gain: ``interval`` (log scale) where launches decided, ``delta_pct`` of the medians."""

    word: Word
    rule: Literal["launches", "ranges", "none"]
    pooled: stats.Pooled | None = None
    interval: stats.Interval | None = None
    delta_pct: float = 0.0


def leg(launches: Sequence[Sequence[float]]) -> Leg:
    """A leg out of its launches, each a list of repeats in tok/s."""
    return Leg([statistics.median(values) for values in launches], [value for values in launches for value in values])


def gain(ref: Leg, cand: Leg, sets: Sequence[Sequence[float]], terms: Terms, *, known: bool = True) -> Call:
    """Is the candidate faster? design.md, "Noise, launches, odds".

    ``sets`` holds the launch medians of each A/A set; ``known`` says whether it is on record which repeats share a launch. With
    ``min_launches`` a side the lower bound must clear zero and the estimate the band; it is refuted where the upper bound lies
    below the band. With fewer, or unknown launches, the gain of the medians must clear the band with disjoint ranges.
    """
    if not ref.repeats or not cand.repeats:
        return Call("not_measured", "none")
    pooled = stats.pool([*sets, ref.medians, cand.medians] if known else sets)
    delta = 100.0 * (statistics.median(cand.repeats) / statistics.median(ref.repeats) - 1.0)
    if min(len(ref.repeats), len(cand.repeats)) < 2:
        return Call("not_measured", "none", pooled, None, delta)
    if not known or min(len(ref.medians), len(cand.medians)) < terms.min_launches or pooled is None or pooled.sd <= 0:
        return Call(ranges(ref.repeats, cand.repeats, delta, terms.band_pct), "ranges", pooled, None, delta)
    found = stats.gain(ref.medians, cand.medians, pooled, terms.alpha)
    band = math.log1p(terms.band_pct / 100)
    word: Word = "refuted" if found.upper < band else "underpowered"
    if found.lower > 0 and found.estimate > band:
        word = "proven"
    return Call(word, "launches", pooled, found, delta)


def ranges(ref: Sequence[float], cand: Sequence[float], delta_pct: float, band_pct: float) -> Word:
    """The field's rule: gain of the medians above the band, and every candidate repeat above every reference repeat.

    Refuted where every candidate repeat lies below every reference repeat, and the gain is not above the band.
    """
    if delta_pct > band_pct and min(cand) > max(ref):
        return "proven"
    return "refuted" if delta_pct <= band_pct and max(cand) < min(ref) else "underpowered"


def drift(
    ref: Leg, other: Leg, sets: Sequence[Sequence[float]], given: float, terms: Terms, *, known: bool = True
) -> stats.Interval | None:
    """Launch-level interval (log scale, ``terms.alpha`` both sides together) of the reference against a given number, tok/s.

    The given number is taken to stand on as many launches as the smallest A/A set: it is itself a measurement. None without
    such a set, launches enough or scatter.
    """
    sizes = [len(group) for group in sets if len(group) >= 2]
    if not sizes or len(ref.medians) < terms.min_launches or not known:
        return None
    pooled = stats.pool([*sets, ref.medians, other.medians])
    if pooled is None or pooled.sd <= 0:
        return None
    log_ratio = math.fsum(math.log(value / given) for value in ref.medians) / len(ref.medians)
    return stats.drift_interval(log_ratio, pooled, len(ref.medians), min(sizes), terms.alpha)


def drifted(ref: Leg, interval: stats.Interval | None, given: float, band_pct: float) -> bool:
    """True when the reference is off the given number by more than the band and by more than its launches explain."""
    off = 100.0 * (statistics.median(ref.repeats) - given) / given
    return abs(off) > band_pct and (interval is None or interval.lower > 0 or interval.upper < 0)
