"""The policy: every threshold, key class and requirement, versioned, with a digest that stands in each verdict."""

from __future__ import annotations

import hashlib
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Literal

import msgspec
from msgspec import Struct

SCHEMA = "countersign.policy/1"  # 1: first form
Requirement = Literal["always", "own", "declared", "never"]
"""When a gate's ``unknown`` is a FAIL: always; for our own runs; for our own runs and whatever was declared; never."""


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """What intake reads at most: bytes, JSON depth, digits of an integer, directories; ``shown``: names in a list."""

    file_bytes: int
    line_bytes: int
    depth: int
    int_digits: int
    walk_dirs: int
    shown: int


class Tolerance(Struct, frozen=True, forbid_unknown_fields=True):
    """Percent by which identities, token counts and work may differ; seconds between two clocks."""

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


class Lifecycle(Struct, frozen=True, forbid_unknown_fields=True):
    """Shortest timed repeat, seconds."""

    min_window_s: float


class Drift(Struct, frozen=True, forbid_unknown_fields=True):
    """Two-sided level of the drift interval."""

    alpha: float


class Delta(Struct, frozen=True, forbid_unknown_fields=True):
    """Launches a side for inference; power, bound, draws and seed of the simulations."""

    min_launches: int
    power: float
    max_launches: int
    simulations: int
    seed: int
    odds_launch_noise_pct: list[float]
    odds_draws: int
    permutations: int


class Headline(Struct, frozen=True, forbid_unknown_fields=True):
    """Percent by which a co-metric may be worse before it flags and before it fails; which metrics count."""

    flag_pct: float
    fail_pct: float
    co_metrics: list[str]
    named_gains: list[str]


class Correctness(Struct, frozen=True, forbid_unknown_fields=True):
    """Share of known answers the reference must give; percentage points lost and McNemar p that fail."""

    floor: float
    loss_points: float
    p: float


class Baseline(Struct, frozen=True, forbid_unknown_fields=True):
    """Spread in bands that is noisy; repeats from which a monotone series counts as a trend."""

    spread_x: float
    trend_repeats: int


class Layout(Struct, frozen=True, forbid_unknown_fields=True):
    """Names of legs, of numbered launch directories, and of claim files (never read)."""

    pairs: list[tuple[str, str]]
    launch_names: list[str]
    claim_files: list[str]


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
        """The key without the prefix of the scheduler's copy of the settings."""
        return key.split("].", 1)[1] if key.startswith("internal_states[") and "]." in key else key

    def flag(self, name: str) -> str:
        """The key that a command-line flag sets: ``--tp`` is ``tp_size``."""
        bare = name.lstrip("-").replace("-", "_")
        return self.flag_names.get(bare, bare)

    def kind(self, key: str) -> Literal["invariant", "unknown"]:
        """What the policy knows of a key that is not volatile."""
        bare = self.bare(key)
        return "invariant" if any(fnmatchcase(bare, pattern) for pattern in self.invariant) else "unknown"

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
        return any(fnmatchcase(self.bare(key), pattern) for pattern in self.volatile)

    def root(self, key: str) -> str:
        """The setting that a key belongs to: resolved copies count as the setting they were resolved from."""
        bare = self.bare(key)
        return next((root for root, names in self.aliases.items() if bare in names), bare)

    def taxonomy(self, key: str) -> list[str]:
        """Taxonomy id of a confound on this key, where there is one."""
        return [found for pattern, found in self.ids.items() if fnmatchcase(self.bare(key), pattern)][:1]


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


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """One policy file."""

    schema: str
    name: str
    limits: Limits
    tolerance: Tolerance
    contention: Contention
    lifecycle: Lifecycle
    drift: Drift
    delta: Delta
    headline: Headline
    correctness: Correctness
    baseline: Baseline
    layout: Layout
    keys: Keys
    levers: Levers
    scopes: dict[str, dict[str, Requirement]]


class Loaded(Struct, frozen=True):
    """A policy and the sha256 of the bytes it was read from."""

    policy: Policy
    digest: str


def load() -> Loaded:
    """The shipped policy. Raises msgspec.ValidationError when the installation is damaged."""
    data = files("audit").joinpath("policy.json").read_bytes()
    return Loaded(msgspec.json.decode(data, type=Policy), hashlib.sha256(data).hexdigest())
