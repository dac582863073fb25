"""Statistics of an audit: pure functions of arrays, each with its method, assumptions and source. Plain Python, no generator.

The unit of replication is the server launch: repeats on one launch share its luck (pseudo-replication, Hurlbert
1984). All gains are differences of log launch medians, so a ratio of 1.10 and one of 1/1.10 are equally far from none.
"""

from audit.stats.answers import loss_upper, mcnemar_p, share_lower, share_upper, tail_p, visible_loss
from audit.stats.launches import (
    Interval,
    Pooled,
    drift_interval,
    gain,
    paired,
    pct,
    permutation_p,
    pool,
    same_band,
    significant,
    worst_loss,
)
from audit.stats.odds import RangeDesign, range_odds
from audit.stats.power import Design, Rule, accept_chance, detectable, launches_needed
from audit.stats.series import (
    First,
    Modes,
    Outlier,
    Trend,
    first_repeat,
    gain_if_missing,
    memory_p,
    outlier,
    tick,
    trend,
    two_modes,
)

__all__ = [
    "Design",
    "First",
    "Interval",
    "Modes",
    "Outlier",
    "Pooled",
    "RangeDesign",
    "Rule",
    "Trend",
    "accept_chance",
    "detectable",
    "drift_interval",
    "first_repeat",
    "gain",
    "gain_if_missing",
    "launches_needed",
    "loss_upper",
    "mcnemar_p",
    "memory_p",
    "outlier",
    "paired",
    "pct",
    "permutation_p",
    "pool",
    "range_odds",
    "same_band",
    "share_lower",
    "share_upper",
    "significant",
    "tail_p",
    "tick",
    "trend",
    "two_modes",
    "visible_loss",
    "worst_loss",
]
