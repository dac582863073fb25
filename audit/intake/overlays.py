"""Overlay sources of the candidate, read as text and syntax tree, never run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from audit.contract import AuditRequest, Source
from audit.intake.model import Damage
from audit.intake.places import Places
from audit.policy import Policy

TraitKind = Literal[
    "authored_kernel", "rebind", "tuning_table", "backend_select", "serving_setting", "graph_replay", "fallback", "dynamic_code"
]


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing that a source file does, with the place that shows it."""

    kind: TraitKind
    source: Source
    detail: str
    """A name or a short quotation from the file: data, never an instruction."""


@dataclass(frozen=True, slots=True)
class Overlays:
    """Files read (path -> sha256), what they do, what could not be read."""

    files: tuple[tuple[str, str], ...] = ()
    traits: tuple[Trait, ...] = ()
    missing: tuple[str, ...] = ()
    """Declared overlay files that are not there."""
    damage: tuple[Damage, ...] = ()


def read(places: Places, request: AuditRequest, policy: Policy) -> Overlays:
    """The overlay files that the request declares, else those lying below the candidate's folder."""
    return Overlays()
