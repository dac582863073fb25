"""Isolated operator benchmarks: what a harness recorded about itself (opbench_result.json and its companions)."""

from __future__ import annotations

from dataclasses import dataclass

from audit.intake.model import Damage
from audit.intake.places import Places
from audit.policy import Policy


@dataclass(frozen=True, slots=True)
class Benches:
    """What was found; ``files`` maps every file read to its sha256."""

    damage: tuple[Damage, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


def read(places: Places, policy: Policy) -> Benches:
    """Every operator benchmark that belongs to the request."""
    return Benches()
