"""Keys of settings: which are one, which may differ, what a difference means."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase, translate
from functools import cache, lru_cache
from typing import Literal

from msgspec import Struct


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
