"""Figures of sealed launches, read back from disk, and the stopwatch's own plain rule."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.ledger import Ledger
from workflow.measure.execute import read_summary
from workflow.measure.plan import Slot

MIN_REPEATS = 2
"""Timed repeats a leg needs before it shows a spread at all."""


@dataclass(frozen=True, slots=True)
class LegFigures:
    """Output tokens per second of every timed repeat of one leg's sealed launches."""

    values: tuple[float, ...]
    launch_medians: tuple[float, ...]
    launches: int
    failed: int
    """Launches that ended with status ``failed``."""

    @property
    def median(self) -> float | None:
        """Median over all timed repeats; None without any."""
        return statistics.median(self.values) if self.values else None

    def as_dict(self) -> dict[str, Any]:
        """For reports: tok/s figures, null where there is no row."""
        return {
            "median_tok_s": self.median,
            "min_tok_s": min(self.values, default=None),
            "max_tok_s": max(self.values, default=None),
            "repeats": len(self.values),
            "launches": self.launches,
            "failed_launches": self.failed,
            "launch_medians_tok_s": list(self.launch_medians),
        }


def leg_figures(run_dir: Path, ledger: Ledger, folder: str) -> LegFigures:
    """Figures of every sealed launch that lies directly in ``folder`` (relative to the run)."""
    ids = [str(entry.body["launch_id"]) for entry in ledger.of_kind("sealed")]
    summaries = [read_summary(run_dir, Slot(item, "aa", 0, 0)) for item in sorted(ids) if item.rpartition("/")[0] == folder]
    return LegFigures(
        values=tuple(value for item in summaries for value in item.output_throughputs),
        launch_medians=tuple(statistics.median(item.output_throughputs) for item in summaries if item.output_throughputs),
        launches=len(summaries),
        failed=sum(item.status != "complete" for item in summaries),
    )


def delta_pct(ref: LegFigures, cand: LegFigures) -> float | None:
    """Gain of the medians in percent; None when a leg has no row."""
    if not ref.median or cand.median is None:
        return None
    return 100.0 * (cand.median / ref.median - 1.0)


@dataclass(frozen=True, slots=True)
class PlainResult:
    """What the plain rule says, and why, in one sentence."""

    bank: bool
    refuted: bool
    reason: str


def plain_rule(ref: LegFigures, cand: LegFigures, band_pct: float) -> PlainResult:
    """The stopwatch's own rule, used when there is no auditor: gain above the declared band and ranges disjoint.

    It infers nothing and proves nothing. Only a candidate whose server failed counts as refuted: everything
    else was merely not shown.
    """
    if cand.failed:
        return PlainResult(False, True, "the candidate's server failed; its launch is sealed with the cause")
    gain = delta_pct(ref, cand)
    if gain is None or min(len(ref.values), len(cand.values)) < MIN_REPEATS:
        return PlainResult(False, False, "too few timed repeats to see a spread")
    figures = f"{gain:+.1f} % ({ref.median:.1f} -> {cand.median:.1f} tok/s)"
    if gain <= band_pct:
        return PlainResult(False, False, f"{figures} is not above the declared band of {band_pct:g} %")
    if min(cand.values) <= max(ref.values):
        return PlainResult(False, False, f"{figures}, but the ranges overlap")
    return PlainResult(True, False, f"{figures}, above the declared band of {band_pct:g} %, ranges disjoint")
