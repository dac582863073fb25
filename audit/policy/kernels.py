"""Sources of kernels and the harnesses that time them."""

from __future__ import annotations

from msgspec import Struct


class Sources(Struct, frozen=True, forbid_unknown_fields=True):
    """How overlay and bench sources are read: limits, and shell patterns over dotted names (``docs/harness.md``)."""

    file_bytes: int
    max_files: int
    max_nodes: int
    """Syntax nodes of one file."""
    detail_chars: int
    kernel_suffixes: list[str]
    kernel_marks: list[str]
    """Texts that make C++, CUDA or HIP a kernel."""
    table_suffixes: list[str]
    table_keys: list[str]
    table_min_keys: int
    """Different tuning keys from which a dict, JSON or CSV file is a table."""
    kernel_decorators: list[str]
    kernel_calls: list[str]
    register_calls: list[str]
    not_rebound: list[str]
    """Attributes of imported modules that are ordinary settings."""
    validators: list[str]
    timers: list[str]
    serving_names: list[str]
    backend_names: list[str]
    graph_calls: list[str]
    graph_modes: list[str]
    """Modes of ``torch.compile`` that replay graphs."""
    decoders: list[str]
    decode_methods: list[str]
    code_makers: list[str]
    """Calls that make code from bytes: no source shows what it does."""
    code_carriers: list[str]
    """Calls that run or compile what they are given."""
    unpackers: list[str]
    """Calls that turn packed bytes into what they were."""
    stack_calls: list[str]
    reference_names: list[str]
    kernel_like: list[str]
    library_calls: list[str]
    rank: str
    """Regular expression: the worker that a log line names."""
    counter: str
    """Regular expression: calls of the overlay's code that a log line counts."""
    worker_keys: list[list[str]]
    """Sizes whose product is the number of workers; of each group the first key on record counts."""


class Device(Struct, frozen=True, forbid_unknown_fields=True):
    """Memory bandwidth in GB/s and last-level cache in MB, as the vendor states them."""

    gb_s: float
    cache_mb: float


class Harness(Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator benchmark may look like; times in ms, ``_pct`` in percent."""

    self_speedup_pct: float
    """Deviation from 1 up to which a backend against itself claims nothing."""
    speedup_pct: float
    """Rounding between a quoted speed-up and the two times it stands on."""
    row_speedup_pct: float
    """The same against the rows of the two backends."""
    ceiling_pct: float
    max_error: dict[str, float]
    """dtype (pattern, first match counts) -> largest relative error against the reference."""
    accumulating: list[str]
    """Operations whose floating-point result depends on the order of summation: no two kernels agree on all bits."""
    exact_dtypes: list[str]
    exact_share: float
    """Iterations of one shape that may agree with the baseline on all bits by chance."""
    spread_share: float
    """Variance of an output over the reference's below which part of it was never computed: errors in tolerance leave more."""
    repeats_share: float
    """Different outputs over the baseline's, below which repeats are no chance where the baseline's own outputs repeat too."""
    floor_ms: float
    """Less than any launch takes."""
    launch_ms: float
    launch_times: float
    """As little as an empty launch takes: no time for work that takes the baseline so many times as long."""
    gap_ms: float
    gap_share: float
    wall_ratio: float
    """Wall clock beyond device clock: this much in all, this share of the baseline's time, this ratio."""
    near_ms: float
    near_times: float
    """The same where launching alone might cost it: this much in all, so many times what the device clock saw."""
    grown_share: float
    grown_spread: float
    grown_rows: int
    """The same where it grows with the work: this share of the baseline's time, the shares of so many shapes this near to
    each other, over shapes whose times are further apart than that squared."""
    wall_under_pct: float
    idle_share: float
    idle_rows: float
    idle_of_baseline: float
    min_iterations: int
    """Iterations below this share of the longest are idle; so many of them, this far below the baseline's median."""
    mode_times: float
    mode_share: float
    mode_real: float
    """A first iteration so many times the others, which stay below this share of the baseline's median, is a computed answer
    and its copies where it lies within this factor of that median: a first launch that compiles or warms up takes longer."""
    batch_of_baseline: float
    batch_rows: float
    batch_mean: float
    """Iterations below this share of the baseline's median do no work; so many of them, where the mean of all still is this
    share of it (and within the factor above), are served by the others. Both rules ask it of half of the shapes: a single
    warm-up or hiccup is no habit."""
    reducer_pct: float
    bandwidth_pct: float
    cache_times: float
    flushed_mb: float
    """Data this many times the cache cannot come from it; less than this says nothing even after a flush (MB)."""
    devices: dict[str, Device]
    uncovered_pct: float
    """Share of the live model's calls, percent, that may lack a row."""
    graph_paths: list[str]
    guards: list[str]
    """Guards that must have run and passed."""
    candidate_not: list[str]
    """File names that are the harness or the reference, not the candidate."""
    vendor_kernels: list[str]
