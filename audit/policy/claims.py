"""Claim files and how their words translate."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


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
