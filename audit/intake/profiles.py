"""Profiles: torch Chrome traces (plain, gz) and the Top-N tables that were made of them."""

from __future__ import annotations

from dataclasses import dataclass

from audit.intake.model import Damage
from audit.intake.places import Places
from audit.policy import Policy


@dataclass(frozen=True, slots=True)
class Profiles:
    """What was found; ``files`` maps every file read to its sha256."""

    damage: tuple[Damage, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


def read(places: Places, policy: Policy) -> Profiles:
    """Every trace and table below the request's folder."""
    return Profiles()
