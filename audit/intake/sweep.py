"""Rows of one leg that were measured under different loads are no repeats of each other."""

from __future__ import annotations

import dataclasses
import json
from typing import NamedTuple

from audit.intake.model import Leg


class Swept(NamedTuple):
    """Legs cut down to the load that both have, or why there is no telling which load is meant."""

    legs: dict[str, Leg]
    problems: list[str]
    left_out: tuple[str, ...] = ()
    """Rows (file:line) of other loads, which take no part in the comparison."""


def _loads(leg: Leg) -> list[str]:
    return list(dict.fromkeys(json.dumps(row.workload, sort_keys=True) for _, row in leg.rows))


def common(legs: dict[str, Leg]) -> Swept:
    """Legs with one load each pass through; of a sweep only a single load that every leg has can be compared."""
    loads = {role: _loads(leg) for role, leg in legs.items()}
    if all(len(found) <= 1 for found in loads.values()):
        return Swept(legs, [])
    shared = [load for load in next(iter(loads.values())) if all(load in found for found in loads.values())]
    if len(shared) == 1 and len(legs) > 1:
        kept = {role: _only(leg, shared[0]) for role, leg in legs.items()}
        held = {id(row) for leg in kept.values() for _, row in leg.rows}
        out = [row.source for leg in legs.values() for _, row in leg.rows if id(row) not in held]
        return Swept(kept, [], tuple(f"{source.file}:{source.line}" for source in out))
    counts = ", ".join(f"{len(found)} in {role}" for role, found in sorted(loads.items()))
    what = f"a sweep, not repeats: the rows were measured under several loads ({counts}; {len(shared)} common to all legs)"
    return Swept(legs, [f"{what}: which one is meant?"])


def _only(leg: Leg, load: str) -> Leg:
    launches = tuple(
        dataclasses.replace(launch, rows=tuple(row for row in launch.rows if json.dumps(row.workload, sort_keys=True) == load))
        for launch in leg.launches
    )
    return dataclasses.replace(leg, launches=launches)
