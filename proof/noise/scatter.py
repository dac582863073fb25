"""How much launches and repeats scatter: components of variance over several sets, for whoever fits a world."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Scatter(NamedTuple):
    """Variance components of the log: one-way random effects, method of moments (Searle 1971, ch. 9); negative is 0."""

    launch_sd: float
    within_sd: float
    launch_df: int
    within_df: int


def scatter(groups: Sequence[Sequence[Sequence[float]]]) -> Scatter:
    """Components over several sets of launches of log values, each set about its own mean.

    Mean squares are pooled over sets; with unequal repeats their number is the usual n0.
    """
    between = within = 0.0
    launch_df = within_df = 0
    weight = 0.0
    for launches in groups:
        counts = [len(values) for values in launches]
        mean = statistics.fmean(value for values in launches for value in values)
        between += math.fsum(len(values) * (statistics.fmean(values) - mean) ** 2 for values in launches)
        within += math.fsum((value - statistics.fmean(values)) ** 2 for values in launches for value in values)
        launch_df += len(launches) - 1
        within_df += sum(counts) - len(launches)
        weight += sum(counts) - sum(count**2 for count in counts) / sum(counts)
    inner = within / within_df if within_df else 0.0
    outer = max(0.0, (between / launch_df - inner) / (weight / launch_df)) if launch_df else 0.0
    return Scatter(math.sqrt(outer), math.sqrt(inner), launch_df, within_df)


def rounded(value: float, digits: int = 4) -> float:
    """To so many significant digits; 0 for what is no number."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else 0.0
