"""The policy: every threshold, key class and requirement, versioned, with a digest that stands in each verdict."""

from __future__ import annotations

import hashlib
import re
from fnmatch import fnmatchcase, translate
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

import msgspec
from msgspec import Struct

SCHEMA = "countersign.policy/1"  # 1: first form
Requirement = Literal["always", "own", "declared", "probed", "never"]
"""When a gate's ``unknown`` is a FAIL: always; for our own runs; for our own runs and whatever was declared;
for our own runs and candidates that were probed for correctness; never."""


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


class ProbeFiles(Struct, frozen=True, forbid_unknown_fields=True):
    """How probes of correctness are named and what their keys are called (``audit/intake/probes.py``)."""

    folders: list[str]
    """Folders below the known ones in which probes lie."""
    names: list[str]
    """Beginnings of file names that announce a probe, whatever the file holds."""
    ref_words: list[str]
    cand_words: list[str]
    repeat_words: list[str]
    status_keys: list[str]
    put_off: list[str]
    """Words under a status key by which a probe was not run."""
    protocol: list[str]
    """Keys of an accuracy summary that must be the same in both legs."""
    stop_keys: list[str]
    token_keys: list[str]
    same_server: list[str]
    """Keys that name one server: two legs with the same value were probed on one."""
    launch_keys: list[str]
    model_keys: list[str]
    port_keys: list[str]
    url_keys: list[str]
    loopback: list[str]
    """Addresses that lead to one's own machine alone."""
    local_hosts: list[str]
    """Addresses that a client on the server's machine may use."""
    rounding: float
    """Largest rounding of ``exact_match`` in a summary."""


class Correctness(Struct, frozen=True, forbid_unknown_fields=True):
    """Share of known answers the reference must give; percentage points lost and McNemar p that fail."""

    floor: float
    loss_points: float
    p: float
    accuracy_floor: float
    """Task accuracy below which a reference answers nothing."""
    margin_points: float
    confidence: float
    """A graded task clears a candidate when the upper bound of its loss, at this confidence, stays within the margin."""
    power: float
    """Chance with which a loss "would be seen"."""
    flip_share: float
    """Share of items that change sides, accuracy equal, from which that is told."""
    parity_min: int
    """Answers from which byte parity counts."""
    longer: float
    """Mean length of the candidate's answers over the reference's from which they are inflated."""
    cut_share: float
    """Share of graded questions cut off at a length limit from which the task measures the limit."""
    near_limit: float
    """Length of an answer that ended by itself over one that was cut, from which other words may have met the limit."""
    no_effect: list[str]
    """Keys that cannot change what a model answers."""
    probes: ProbeFiles


class Text(Struct, frozen=True, forbid_unknown_fields=True):
    """What makes a text a damaged one (``audit/text.py``); rates of error in ``proof/coherence``. Lengths in characters."""

    max_texts: int
    """Texts of a set that are read, from the first."""
    sample_chars: int
    """Of a longer text, scripts and words are read in its first and last half of so many."""
    min_chars: int
    min_texts: int
    min_total_chars: int
    incoherent_share: float
    min_bad: int
    """Texts with faults, as a share and at least, from which a set is incoherent."""
    fault_rate: float
    """Chance with which a sound answer shows a fault that the other leg's does not: the upper bound, at 99 %, of none in 478."""
    strange_words: int
    strange_share: float
    """Words of the shorter answer, and the share of them in the other's, below which two answers have nothing in common."""
    loop_probe: int
    loop_tries: int
    loop_copies: int
    loop_chars: int
    loop_share: float
    """Copies, characters and share of the text that an exact repetition at the end must have."""
    stutter_share: float
    """Share of the text in pieces that stand four times in a row."""
    window_chars: int
    window_min: int
    windows: int
    window_distinct: float
    repeating_share: float
    """Windows: share of different grams below which one repeats itself; share of such windows that is a near-loop."""
    trigram_words: int
    distinct_trigrams: float
    compress_chars: int
    compressed: float
    min_words: int
    lost_min: int
    lost_share: float
    script_share: float
    scripts: int
    glued_min: int
    glued_share: float
    marks_share: float
    prose_marks: float
    """Marks up to which a text is taken for prose, which has small words."""
    code_marks: float
    """Marks from which brackets are expected to close."""
    brackets_min: int
    brackets_share: float
    entropy_chars: int
    char_entropy: float
    odd_min_words: int
    odd_words: float
    consonants: int
    vowels: int
    word_chars: int
    word_turns: int
    run_together: float
    """Letters of a word, and changes between letters and digits in it, that no one writes; share of such text."""
    function_words_min: int
    function_share: float
    padding_marks: int
    end_marks: list[str]
    thought: list[tuple[str, str]]
    common_han: str
    function_words: dict[str, str]


class Judging(Struct, frozen=True, forbid_unknown_fields=True):
    """What a second reader is shown (lines, characters of each), how much it must quote, how much of it is quoted."""

    excerpts: int
    excerpt_chars: int
    quote_chars: int
    reason_chars: int


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


@cache
def _union(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One regular expression for a list of shell patterns: a server reports hundreds of keys."""
    return re.compile("|".join(translate(pattern) for pattern in patterns) or "(?!)")


@lru_cache(maxsize=65536)
def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return _union(patterns).match(name) is not None


COPIES = ("internal_states[", "prefill[", "decode[")
"""Lists under which a server's report repeats its settings: one per scheduler, or one per server behind a router."""
_COPY = re.compile(r"(?:(?:internal_states|prefill|decode)\[\d+\]\.)+")


class Consequence(Struct, frozen=True, forbid_unknown_fields=True):
    """What a lever moves besides its own key: ``own`` is part of the lever, ``side`` has to be proven inert."""

    own: list[str] = []
    side: list[str] = []


class Keys(Struct, frozen=True, forbid_unknown_fields=True):
    """Classes of effective-config keys: shell patterns over the key without its ``internal_states[n].`` prefix."""

    volatile: list[str]
    invariant: list[str]
    """Settings that must not move unless declared. What neither list knows is ``unknown`` and treated alike."""
    aliases: dict[str, list[str]]
    flag_names: dict[str, str]
    """Command-line spelling -> key in the servers' own report."""
    consequences: dict[str, Consequence]
    """Root of a declared lever (pattern; ``overlay`` for one) -> what it is known to move."""
    resources: dict[str, list[str]]
    """``kv_tokens``, ``running`` -> keys that bound it; a difference in one is inert when the resource never bound."""
    capacity_pct: float
    """Capacities that the engine measures at start differ a little between launches of the same thing: percent let pass."""
    usage_rounding: float
    """Half of the last digit in which logs print the share of the KV pool in use."""
    ids: dict[str, str]

    def bare(self, key: str) -> str:
        """The key without the prefix of a copy of the settings: the scheduler's, or a server's behind a router."""
        return _COPY.sub("", key) if key.startswith(COPIES) else key

    def flag(self, name: str) -> str:
        """The key that a command-line flag sets: ``--tp`` is ``tp_size``."""
        bare = name.lstrip("-").replace("-", "_")
        return self.flag_names.get(bare, bare)

    def kind(self, key: str) -> Literal["invariant", "unknown"]:
        """What the policy knows of a key that is not volatile."""
        bare = self.bare(key)
        return "invariant" if _fits(bare, tuple(self.invariant)) else "unknown"

    def resource(self, key: str) -> str | None:
        """The resource whose capacity a key states."""
        bare = self.bare(key)
        return next((name for name, keys in self.resources.items() if any(fnmatchcase(bare, item) for item in keys)), None)

    def follows(self, key: str, lever: str, how: Literal["own", "side"]) -> bool:
        """True when moving ``lever`` is known to move ``key``, as part of it (own) or beside it (side)."""
        bare = self.bare(key)
        return any(
            fnmatchcase(bare, pattern)
            for name, item in self.consequences.items()
            if fnmatchcase(lever, name)
            for pattern in (item.own if how == "own" else item.side)
        )

    def is_volatile(self, key: str) -> bool:
        """True for what differs between any two launches of the same thing."""
        return _fits(self.bare(key), tuple(self.volatile))

    def root(self, key: str) -> str:
        """The setting that a key belongs to: resolved copies count as the setting they were resolved from."""
        bare = self.bare(key)
        return next((root for root, names in self.aliases.items() if bare in names), bare)

    def taxonomy(self, key: str) -> list[str]:
        """Taxonomy id of a confound on this key, where there is one."""
        return [found for pattern, found in self.ids.items() if fnmatchcase(self.bare(key), pattern)][:1]


class LogPattern(Struct, frozen=True, forbid_unknown_fields=True):
    """A line that holds ``mark`` is searched for ``pattern``; its groups are the settings ``keys``, or the figures ``names``."""

    mark: str
    pattern: str
    keys: list[str] = []
    names: list[str] = []
    rank: int = 1
    """A setting of a higher rank stands, of one rank the first; arguments, which were asked for, have rank 0."""


class LogEventPattern(Struct, frozen=True, forbid_unknown_fields=True):
    """A line that holds ``mark``, in any case, and fits ``pattern`` is an event; of several kinds the first listed."""

    kind: str
    mark: str
    pattern: str


class Logs(Struct, frozen=True, forbid_unknown_fields=True):
    """How server logs are read: limits in bytes, characters, items and lines; marks of the engines; patterns of what matters."""

    line_chars: int
    block_bytes: int
    event_chars: int
    events_kept: int
    """Of each kind."""
    arguments_kept: int
    warm_lines: dict[str, int]
    """Lines of load after which a server is no longer warming up."""
    weights_pct: float
    weights_gb: float
    """Device memory that the candidate's model may take beyond the reference's: the larger of a percentage and GB."""
    names: list[str]
    """Names a server's log goes by beside the rows."""
    ready: list[str]
    load: list[str]
    """Texts of lines that tell of work under way."""
    stops: list[str]
    """Texts by which a server says that it was asked to stop."""
    arguments: dict[str, str]
    """What opens a list of arguments -> engine."""
    opens_start: list[str]
    """Which of these open another start of a server."""
    leaves_out_defaults: list[str]
    """Which of these list only what was set to something else than its default."""
    marks: dict[str, list[str]]
    """Engine -> texts that only its server's log holds."""
    renames: dict[str, str]
    synonyms: dict[str, str]
    """Values (JSON text) that mean another spelling."""
    values: list[LogPattern]
    peaks: list[LogPattern]
    not_events: list[str]
    events: list[LogEventPattern]
    fallback_target: str
    """Pattern of the words that name what a server fell back to."""
    preempted_ratio: float
    """Lines about preempted requests in one leg over those in the other from which the legs were not under equal pressure."""


class Symbols(Struct, frozen=True, forbid_unknown_fields=True):
    """How names of kernels become operations; every pattern is a regular expression."""

    name_chars: int
    """Characters of a name that are looked at."""
    cut_chars: int
    """A name of a table that is at least so long may have been cut off by the tool that wrote it."""
    strip: list[str]
    """What tuning and compilation append to a kernel's name."""
    generic: str
    """Kernels whose operation is a template argument."""
    functor: str
    """What names the operation there."""
    fold: dict[str, str]
    """Operation -> pattern of the raw names that are variants of it."""
    families: dict[str, str]
    closed: str
    """Symbols that live in closed or prebuilt libraries."""
    open: str
    """Symbols whose source is certainly at hand."""


class Profiling(Struct, frozen=True, forbid_unknown_fields=True):
    """How profiles are read and judged; ``_pct`` is percent, ``_points`` percentage points, ``_us`` microseconds."""

    trace_names: list[str]
    table_names: list[str]
    routed_names: list[str]
    config_names: list[str]
    """What the profiled server said of itself, beside the trace."""
    config_keys: list[str]
    """The same inside a table."""
    folders: list[str]
    """Folders (patterns) that hold a profile of their own below the request's."""
    sniff_bytes: int
    unpacked_bytes: int
    unpack_ratio: int
    unpack_floor: int
    """A packed trace may grow to so many bytes, at this ratio; a small one to the floor at any ratio."""
    kernel_cats: list[str]
    copy_cats: list[str]
    launch_cats: list[str]
    graph_launch: str
    steps: list[str]
    """Patterns of step annotations; the groups ``mode``, ``context``, ``batch``, ``generation`` tell phase and tokens."""
    modes: dict[str, Literal["prefill", "decode"]]
    symbols: Symbols
    timeless_pct: float
    """Kernels without a duration."""
    blank_pct: float
    named_blank_pct: float
    """Kernel time without shapes; the same of the kernels for which a table names shapes."""
    graph_pct: float
    graph_fail_pct: float
    """Graph launches of which no kernel is seen: to be told, and too many for any share to be believed."""
    overrun_us: float
    overrun_pct: float
    """An event that outlasts its whole successor by this much is broken; time in such events that spoils the rest."""
    one_event_pct: float
    one_event_times: float
    one_event_min: int
    """Share of all time in one launch, so many times the usual launch of its name, among at least so many."""
    idle_pct: float
    hidden_pct: float
    """Copies and collectives that a table leaves out."""
    total_pct: float
    """Between a table's total and the trace's."""
    share_points: float
    wrong_points: float
    """A share that is off by this much is told, and by this much fails."""
    arithmetic_pct: float
    """Beyond what the decimals written allow."""
    slip_decades: float
    """How near to a power of thousand two values must be apart for a slip of units."""
    min_share_pct: float
    dead_pct: float
    """Share below which an operation is not worth routing, and below which routing it fails."""
    steps_pct: float
    steps_min: int
    phase_points: float
    batch_share: float
    """Captured decode batch over the steady one below which a window is no steady state."""
    speedup: float
    """At which ceilings are printed."""
    graph_keys: list[str]
    """Settings that decide whether graphs are used: profiles are often taken without, so a difference is told and no more."""


class Levers(Struct, frozen=True, forbid_unknown_fields=True):
    """Keys that select an implementation (class A); every other setting is serving (B). Words that claim a kernel."""

    A: list[str]
    kernel_words: list[str]
    kernel_denials: list[str]
    """Phrases in which such a word claims nothing: ``no kernel``."""
    names: dict[str, list[str]]
    """Words in a lever's name -> roots of the keys that it stands for, for changes declared by name alone."""
    traits: dict[str, Literal["A", "B"]]
    """What an overlay's source does -> class."""

    def class_of(self, key: str) -> Literal["A", "B"]:
        """Class of one differing key. What is not known to select an implementation is a serving lever."""
        return "A" if any(fnmatchcase(key, pattern) for pattern in self.A) else "B"


class ClaimFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of claim file: what it speaks about, its fields, and the leg that its settings describe when it names none."""

    about: Literal["leg", "pair", "whole", "setup", "sweep", "bench", "probe"]
    fields: dict[str, tuple[str, str, str]] = {}
    """Key at the top of the file -> subject, leg (empty: both, or the leg it lies in), metric."""
    items: dict[str, tuple[str, str, str]] = {}
    """The same for each object of the list ``trials``."""
    settings: dict[str, str] = {}
    """Key that holds settings -> leg."""


class Claims(Struct, frozen=True, forbid_unknown_fields=True):
    """Claim files and how their words translate; how far a claim may be from the rows."""

    tolerance_pct: float
    """Percent of the raw value, beyond what the decimals written allow."""
    rounding_pct: float
    """The most that rounding may move a level or a speed-up, percent."""
    gain_points: float
    """Percentage points that a gain computed from rounded medians may be off."""
    max_items: int
    """Claims read from one file."""
    names: dict[str, str]
    """File name (pattern), first match first -> key of ``files``."""
    files: dict[str, ClaimFile]
    legs: dict[str, str]
    """What producers call a leg -> ``ref`` or ``cand``."""
    places: list[str]
    """Folders below ``eval_dir`` in which files about the whole run lie."""
    final_dirs: list[str]
    """Folders whose legs are the final configuration against the true baseline."""
    baseline_dirs: list[str]
    """Folders whose leg is the true baseline."""
    containers: list[str]
    """Keys that hold settings, per leg or for both."""
    settings: dict[str, list[str]]
    """Producer's key -> effective keys, the first that is recorded counts."""
    setup_settings: list[str]
    """Settings that the set-up of a run fixes for every leg; its flags are those of the baseline alone."""
    same: list[str]
    """Words that say a setting is the same in both legs."""
    path_keys: list[str]
    """Effective keys that are compared by their last path component."""
    bases: dict[str, str]
    """``metric_basis`` -> metric of the rows; empty: a figure that the rows' throughputs do not hold."""
    accepted: list[str]
    """Values that say the change was accepted."""
    failed: list[str]
    """Values that say a check failed."""
    complete: list[str]
    """Values that say nothing is missing."""
    own_figures: list[str]
    """Settings in which a server reports its own speed, tok/s."""
    gpus: list[str]
    """Settings that multiply to the number of devices."""


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


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """One policy file."""

    schema: str
    name: str
    strict: bool
    """True: what a gate itself calls advisory is required too."""
    limits: Limits
    tolerance: Tolerance
    rows: RowRules
    contention: Contention
    lifecycle: Lifecycle
    drift: Drift
    delta: Delta
    series: Series
    headline: Headline
    correctness: Correctness
    text: Text
    judge: Judging
    baseline: Baseline
    layout: Layout
    keys: Keys
    logs: Logs
    profile: Profiling
    levers: Levers
    claims: Claims
    overlays: Sources
    harness: Harness
    scopes: dict[str, dict[str, Requirement]]


class Loaded(Struct, frozen=True):
    """A policy and the sha256 of the bytes it was read from."""

    policy: Policy
    digest: str


@cache
def load() -> Loaded:
    """The shipped policy. Raises msgspec.ValidationError when the installation is damaged."""
    data = files("audit").joinpath("policy.json").read_bytes()
    return Loaded(msgspec.json.decode(data, type=Policy), hashlib.sha256(data).hexdigest())
