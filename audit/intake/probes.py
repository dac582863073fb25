"""Correctness evidence beside the rows: parity dumps, task accuracy files, generated texts of detailed rows."""

from __future__ import annotations

from dataclasses import dataclass

from audit.intake.model import Damage
from audit.intake.places import Places
from audit.policy import Policy


@dataclass(frozen=True, slots=True)
class Probes:
    """What was found; ``files`` maps every file read to its sha256."""

    damage: tuple[Damage, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


def read(places: Places, policy: Policy) -> Probes:
    """Every probe that lies in the folders of the request."""
    return Probes()
