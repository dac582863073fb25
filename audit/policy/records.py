"""What servers and profilers leave behind: patterns of logs, symbols, profiles, the classes of levers."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct


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
    module_mark: str
    """How an annotation begins that marks a module of the model."""
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
