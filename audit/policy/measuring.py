"""What rows, machines and legs have to keep to: limits, tolerances, noise, order."""

from __future__ import annotations

from msgspec import Struct


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """What intake reads at most: bytes, JSON depth, digits of an integer, directories; ``shown``: names in a list."""

    file_bytes: int
    line_bytes: int
    depth: int
    int_digits: int
    walk_dirs: int
    shown: int


class Tolerance(Struct, frozen=True, forbid_unknown_fields=True):
    """Percent by which identities, token counts and work may differ; points of prefix-cache hits; seconds between two clocks."""

    cache_points: float
    unit_ratio: float
    """Factor by which TPOT and ITL of one row may differ (speculation, bundled tokens) before a unit must have slipped."""
    little_pct: float
    identity_pct: float
    usage_pct: float
    work_pct: float
    clock_s: float


class Contention(Struct, frozen=True, forbid_unknown_fields=True):
    """Cores of foreign CPU and steal, mean over a timed window; share of the window that samples must cover."""

    foreign_cores: float
    steal_cores: float
    min_coverage: float
    sample_s: float
    clock_pct: float
    """Percent by which the processor's mean clock may differ between the legs."""


class Lifecycle(Struct, frozen=True, forbid_unknown_fields=True):
    """Shortest timed repeat, seconds."""

    min_window_s: float


class Drift(Struct, frozen=True, forbid_unknown_fields=True):
    """Two-sided level of the drift interval."""

    alpha: float


class Delta(Struct, frozen=True, forbid_unknown_fields=True):
    """Launches a side for inference; power asked, most launches tried, arrangements of a permutation test."""

    min_launches: int
    power: float
    max_launches: int
    permutations: int
    odds_launch_noise_pct: list[float]
    odds_points: int
    """Lattice points of the range rule's odds, a prime."""
    same_level: float
    """Chance with which two groups of launches of the same thing differ by more than the A/A band, both sides together."""


class Series(Struct, frozen=True, forbid_unknown_fields=True):
    """What a series of repeats and the order of the legs may show before it is told; ``_p`` are chances of a false alarm."""

    first_p: float
    """First repeat of a launch against the rest."""
    trend_p: float
    outlier_p: float
    """One repeat against the rest of its leg."""
    modes: dict[str, float]
    """Repeats -> share of the variance between two clusters that a normal series exceeds once in a hundred."""
    memory_repeats: int
    memory_p: float
    inflation_share: float
    """Share of a gain that has to hang on a faulted, early or missing repeat before it flags."""
    width_x: float
    """Where ranges decide: a leg whose repeats are further apart than so many times the gain flags."""
    gap_hours: float
    """Pause between the two legs from which the reference is stale, where they were measured one after the other."""
    block_trend_p: float
    """Of a trend inside two blocks; only one that points the way of the gain counts, so half of it are false alarms."""
    order_pairs: int
    """Pairs of launches from which one order throughout is a fixed order."""


class Headline(Struct, frozen=True, forbid_unknown_fields=True):
    """Percent by which a co-metric may be worse before it flags and before it fails; which metrics count."""

    flag_pct: float
    fail_pct: float
    co_metrics: list[str]
    named_gains: list[str]
    harmless_words: list[str]
    """Words of a commission that promise the other metrics are unharmed."""
    alpha: float
    """One-sided level of the bound that must exclude a loss beyond ``flag_pct`` before a metric is called unharmed."""


class RowRules(Struct, frozen=True, forbid_unknown_fields=True):
    """Rows against themselves, their per-request arrays and the load they name."""

    latency_ratio: float
    """Factor by which (mean latency - mean TTFT) per further token may differ from the mean TPOT: short answers weigh less."""
    arrays_pct: float
    """Percent by which latencies added up from gaps between tokens may differ: a stream ends a little after its last token."""
    per_device_max: int
    """A throughput that is too low by a whole factor up to this one reads as a figure per device."""
    unit_factors: list[float]
    """Factors between units of time."""
    distinct_share: float
    """Distinct prompts per request below which a repeat asked the same thing again and again."""
    in_flight_share: float
    in_flight_rounds: float
    """Mean requests in flight below this share of the asked concurrency is another load, given so many rounds of requests."""
    over_limit_pct: float
    """Percent by which mean requests in flight may lie above what the client allows: rounded figures, medians for means."""
    recount_share: float
    """Tokens of the answers' text, counted again, below this share of the tokens that were counted."""
    recount_points: float
    """Percent of the counted tokens by which that share may differ between the legs."""
    queue_share: float
    """Wait in the client before a request is sent, as a share of the latency that is reported for it."""
    unit_pct: float
    """A ratio so near to a factor between units is taken for a slip of unit."""
    slip_pct: float
    """The same between latencies of two legs, which truly differ by some percent too."""
    certain_factor: float
    """From this factor on no true gain is as large."""
    copy_figures: int
    copy_digits: int
    """Latencies, so many at least, whose ratios to the duration agree to so many digits: one row is the other, stretched."""


class Baseline(Struct, frozen=True, forbid_unknown_fields=True):
    """Spread, in bands, from which a baseline is noisy."""

    spread_x: float


class Layout(Struct, frozen=True, forbid_unknown_fields=True):
    """Names of legs, of numbered launch directories, and of claim files (never read)."""

    pairs: list[tuple[str, str]]
    launch_names: list[str]
    claim_files: list[str]
