"""What gate 6 holds a claim against: levels of the timed repeats, gains between the legs, settings in force."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from audit.contract import Source
from audit.effect import HEADLINE
from audit.evidence import Evidence
from audit.intake.claims import Claim
from audit.intake.model import Launch, Leg
from audit.intake.rows import flatten

UNNAMED = "throughput"
"""A figure in tok/s whose basis (output or total tokens) the field does not name."""
LEVELS = ("median", "mean", "min", "max", "spread_pct")


class Point(NamedTuple):
    """One timed repeat of one metric."""

    value: float
    source: Source
    launch: str


class Answer(NamedTuple):
    """Does a claim hold? None: no raw evidence speaks of it."""

    holds: bool | None
    raw: str = ""
    """What the raw evidence says, or why it says nothing."""
    ids: tuple[str, ...] = ()
    evidence: tuple[Source, ...] = ()
    figure: float | None = None
    slip: str = ""
    """The slip that explains the claim exactly, in words."""


class Value(NamedTuple):
    """One effective setting (JSON text) and where it stands."""

    value: str
    source: Source


Settings = dict[str, dict[str, dict[str, list[Value]]]]
"""Leg -> key in lower case -> launch -> values that this launch reports for it."""


def number(value: object) -> float | None:
    """A claim's value as a number: numbers, and texts that are nothing but one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        found = float(value) if isinstance(value, str) and len(value) < 40 else None
    except ValueError:
        return None
    return found if found is not None and abs(found) < float("inf") else None


def unit_of(value: object) -> float:
    """The last digit written: 0.01 for 3.14, 1 for 3."""
    exponent = Decimal(str(value)).as_tuple().exponent
    return 10.0 ** min(exponent, 0) if isinstance(exponent, int) else 1.0


def where(source: Source) -> str:
    """A place as people write it."""
    return source.file if source.line is None else f"{source.file}:{source.line}"


def basis(ev: Evidence, claim: Claim, leg: str) -> str:
    """The metric that a claim speaks of; empty when its basis is none that the rows hold.

    Where the field does not name it: the ``metric_basis`` of its own file, else of the leg's own summary, else output tokens.
    """
    if claim.metric != UNNAMED:
        return claim.metric
    stated = [item for item in ev.claims.items if item.subject == "basis"]
    own = [item for item in stated if item.source.file == claim.source.file]
    beside = [item for item in stated if item.about == "leg" and item.leg == leg]
    found = next(iter([*own, *beside]), None)
    return HEADLINE if found is None else ev.policy.claims.bases.get(str(found.value), "")


def points(ev: Evidence, leg: str, metric: str, launch: str | None = None) -> list[Point]:
    """Every timed repeat of a leg, or of one launch (or folder of launches) of it, that holds this metric."""
    if leg not in ev.legs:
        return []
    return [
        Point(row.metrics[metric], row.source, at.id)
        for at, row in ev.legs[leg].rows
        if metric in row.metrics and (launch is None or at.id == launch or at.id.startswith(f"{launch}/"))
    ]


def views(leg: Leg | None, found: Sequence[Point]) -> list[list[float]]:
    """The same repeats as producers count them: one by one, and where launches are known, as medians of launches."""
    rows = [point.value for point in found]
    by_launch: dict[str, list[float]] = {}
    for point in found:
        by_launch.setdefault(point.launch, []).append(point.value)
    if leg is None or not leg.launches_known or len(by_launch) < 2 or len(by_launch) == len(rows):
        return [rows] if rows else []
    return [rows, [statistics.median(values) for values in by_launch.values()]]


def level(subject: str, values: Sequence[float]) -> float | None:
    """A statistic of repeats by its name; a spread of fewer than two is none."""
    if subject == "spread_pct":
        middle = statistics.median(values)
        return 100 * (max(values) - min(values)) / middle if len(values) > 1 and middle > 0 else None
    if subject == "mean":
        return statistics.fmean(values)
    return min(values) if subject == "min" else max(values) if subject == "max" else statistics.median(values)


def measured(ev: Evidence, subject: str, leg: str, metric: str) -> float | None:
    """The same statistic of a whole leg as leg_metrics.sql gives it; None for what the question does not hold."""
    row = ev.tables.metric(leg, metric)
    if row is None:
        return None
    return {"median": row.median, "min": row.low, "max": row.high, "spread_pct": row.spread_pct}.get(subject)


def nearest(found: Sequence[Point], value: float, shown: int) -> tuple[Source, ...]:
    """The rows that stand nearest to a figure, at most ``shown``: the one row, or the two that a median lies between."""
    ranked = sorted(found, key=lambda point: (abs(point.value - value), point.source.file, point.source.line or 0))
    even = len(ranked) % 2 == 0 and len(ranked) > 1 and ranked[0].value != value
    return tuple(point.source for point in ranked[: min(2 if even else 1, shown)])


def settings(ev: Evidence) -> Settings:
    """Every effective setting of both legs: server.json, ``server_info``, the load's arguments, the log. Nulls say nothing."""
    return {role: _of_leg(ev, leg) for role, leg in ev.legs.items()}


def _of_leg(ev: Evidence, leg: Leg) -> dict[str, dict[str, list[Value]]]:
    found: dict[str, dict[str, list[Value]]] = {}

    def add(launch: Launch, key: str, value: str, source: Source) -> None:
        values = found.setdefault(ev.policy.keys.bare(key).lower(), {}).setdefault(launch.id, [])
        if value != "null" and all(item.value != value for item in values):
            values.append(Value(value, source))

    import json

    for launch in leg.launches:
        if launch in leg.failed:
            continue
        if launch.server is not None:
            for key, given in launch.server.effective.items():
                add(launch, key, json.dumps(given), launch.source("server.json", launch.config_lines.get(key)))
        seen: set[str] = set()
        for row in launch.rows:
            for key, load in row.workload.items():
                add(launch, f"workload.{key}", json.dumps(load), row.source)
            if row.config is not None and row.config not in seen:
                seen.add(row.config)
                for key, text in flatten(row.config).items():
                    add(launch, key, text, row.source)
        for item in launch.log.config if launch.log else ():
            add(launch, item.key, item.value, Source(launch.log.file, None, item.line) if launch.log else Source(launch.id))
    return found
