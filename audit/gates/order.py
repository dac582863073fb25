"""Gate 1, the order of the legs: blocks or turns, the pause between them, who went first, and how warm each server was."""

from __future__ import annotations

import itertools
import re
import statistics
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec.structs import replace

from audit import effect, rules, stats
from audit.contract import Figure, Finding, Situation, Source
from audit.evidence import Evidence
from audit.intake.model import Launch, Row

GATE = "lifecycle"
STAMP = re.compile(r"(\d{4})(\d{2})(\d{2})-(\d{2})(\d{2})(\d{2})")
ZONELESS = "local time of the client"


class Timed(NamedTuple):
    """One timed repeat on the time line, seconds; ``end`` alone is known where the client wrote only a date."""

    role: str
    start: float
    end: float
    value: float
    source: Source


def check(ev: Evidence) -> list[Finding]:
    """Findings on order; none where a leg is missing, or where nothing says when its repeats ran."""
    line = timeline(ev)
    if line is None:
        return []
    warm = [*_warmth(ev), *_sessions(ev, line)]
    turns = sum(a.role != b.role for a, b in itertools.pairwise(line))
    if turns > 1:
        return [*warm, *_position(ev)] or [_ok(f"the legs took turns {turns} times")]
    first, second = line[0].role, line[-1].role
    over = max(item.end for item in line if item.role == first)
    pause = max(0.0, min(item.start for item in line if item.role == second) - over)
    found = [*warm, *_stale(ev, line, pause), *_drift(ev, line, first)]
    if found:
        return found
    if ev.own and min(len(leg.launches) for leg in ev.legs.values()) > 1:
        words = f"all {first} launches ran before all {second} launches: what drifts between them counts as gain"
        step = "Measure the legs in turns: ref cand cand ref."
        return [_flag(["M05"], words, step, [line[0].source, line[-1].source], kind="noisy")]
    return [_ok(f"all of {first}, then all of {second}, {pause / 60:.3g} min apart: drift between the blocks is not excluded")]


def timeline(ev: Evidence) -> list[Timed] | None:
    """Repeats of both legs in the order of time; None unless each says when it ran, all by one kind of clock."""
    found = []
    kinds = set()
    for role, leg in sorted(ev.legs.items()):
        for _, row in leg.rows:
            when = _when(row)
            if when is None:
                return None
            kinds.add(when[2])
            found.append(Timed(role, when[0], when[1], row.metrics[effect.HEADLINE], row.source))
    if len(kinds) != 1 or {item.role for item in found} != {"ref", "cand"}:
        return None
    return sorted(found, key=lambda item: (item.start, item.end, item.role, item.source.file, item.source.line or 0))


def _when(row: Row) -> tuple[float, float, str] | None:
    """Start, end and kind of clock."""
    if row.ours is not None:
        return (row.ours.start_unix, row.ours.end_unix, "unix")
    if row.start_unix is not None and row.end_unix is not None and row.start_unix <= row.end_unix:
        return (row.start_unix, row.end_unix, "unix")
    match = STAMP.fullmatch(row.stamp or "")
    if match is None:
        return None
    try:
        end = datetime(*(int(part) for part in match.groups()), tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]
    except ValueError:
        return None
    return (end - row.duration, end, ZONELESS)


def _ok(reason: str) -> Finding:
    return Finding(gate=GATE, status="ok", ids=["M04", "M05"], reason=reason)


def _flag(ids: list[str], reason: str, step: str, places: list[Source], *, kind: Situation = "flagged") -> Finding:
    return Finding(gate=GATE, status="flag", situation=kind, ids=ids, reason=reason, next_step=step, evidence=places)


def _stale(ev: Evidence, line: list[Timed], pause: float) -> list[Finding]:
    """One leg long after the other: nobody knows what the machine did in between."""
    limit = ev.policy.series.gap_hours
    if pause <= 3600 * limit:
        return []
    first, second = line[0], line[-1]
    reason = (
        f"leg {second.role} ran {pause / 3600:.3g} h after leg {first.role} ({first.source.file}:{first.source.line}, "
        f"{second.source.file}:{second.source.line}), more than {limit:g} h: the reference is stale"
    )
    step = "Measure both legs in one session, in turns."
    finding = _flag(["M04"], reason, step, [first.source, second.source], kind="noisy")
    return [replace(finding, figures={"pause": Figure(stats.significant(pause), "s")})]


def _sessions(ev: Evidence, line: list[Timed]) -> list[Finding]:
    """Rows of one leg from sessions hours apart, where a session lacks the other leg: left over from another day."""
    limit = 3600 * ev.policy.series.gap_hours
    sessions: list[list[Timed]] = [[line[0]]]
    for one, other in itertools.pairwise(line):
        if other.start - one.end > limit:
            sessions.append([])
        sessions[-1].append(other)
    split = {role for role in ("ref", "cand") if sum(any(item.role == role for item in part) for part in sessions) > 1}
    alone = [part for part in sessions if len({item.role for item in part}) == 1 and part[0].role in split]
    if not alone:
        return []
    part = alone[0]
    role, first = part[0].role, part[0]
    mine = [item for item in line if item.role == role]
    other = next(item for item in mine if item not in part)
    hours = abs(other.start - first.start) / 3600
    reason = (
        f"rows of two sessions in leg {role}: {len(part)} of {len(mine)} repeats ({first.source.file}:{first.source.line}) lie "
        f"{hours:.3g} h from the others ({other.source.file}:{other.source.line}), and the other leg has none there"
    )
    left = {name: [item.value for item in line if item.role == name and item not in part] for name in ("ref", "cand")}
    delta = 100 * (statistics.median(left["cand"]) / statistics.median(left["ref"]) - 1)
    kept = rules.ranges(left["ref"], left["cand"], delta, ev.request.noise_band_pct) == "proven"
    step = "Leave out the rows of the other session, or measure both legs in it."
    return [_flag(["M04", "R18"], reason, step, [first.source, other.source], kind="flagged" if kept else "noisy")]


def _drift(ev: Evidence, line: list[Timed], first: str) -> list[Finding]:
    """A trend inside the blocks that points the way of the gain, and is larger than the band."""
    blocks = [[item for item in line if item.role == role] for role in (first, line[-1].role)]
    found = stats.trend([[item.value for item in block] for block in blocks])
    if found is None or found.p > ev.policy.series.block_trend_p or abs(found.change_pct) <= ev.request.noise_band_pct:
        return []
    pair = ev.tables.pair(effect.HEADLINE)
    gain = pair.delta_pct if pair is not None and pair.delta_pct is not None else 0.0
    along = found.change_pct if first == "ref" else -found.change_pct
    if gain * along <= 0:
        return []
    reason = (
        f"both legs were measured in one block each, and the repeats move {found.change_pct:+.2f} % inside the blocks "
        f"(p {found.p:.2g}), the way of the gain of {gain:+.2f} %: drift and gain cannot be told apart"
    )
    step = "Measure the legs in turns: ref cand cand ref."
    return [_flag(["M05", "M01"], reason, step, [line[0].source, line[-1].source], kind="noisy")]


def _position(ev: Evidence) -> list[Finding]:
    """Pairs of launches in which one leg always went first."""
    starts: dict[int, dict[str, float]] = {}
    for role, leg in ev.legs.items():
        for launch in leg.launches:
            if launch.server is not None:
                starts.setdefault(launch.server.plan.pair, {})[role] = launch.server.started_unix
    pairs = [item for item in starts.values() if set(item) == {"ref", "cand"}]
    ahead = sum(item["ref"] < item["cand"] for item in pairs)
    if len(pairs) < ev.policy.series.order_pairs or 0 < ahead < len(pairs):
        return []
    who = "ref" if ahead else "cand"
    places = [launch.source("server.json") for role in ("ref", "cand") for launch in ev.legs[role].launches[:1]]
    reason = f"{who} went first in all {len(pairs)} pairs of launches: what the second place costs or brings counts as gain"
    return [_flag(["M21"], reason, "Let the legs change places: ref cand cand ref.", places, kind="noisy")]


def _warmth(ev: Evidence) -> list[Finding]:
    """Warm-up requests before the first timed repeat: both legs must have had as many."""
    asked: dict[str, dict[int, Launch]] = {"ref": {}, "cand": {}}
    for role, leg in ev.legs.items():
        for launch in leg.launches:
            if launch.server is not None:
                asked[role].setdefault(launch.server.plan.warmup_requests, launch)
    if not all(asked.values()) or set(asked["ref"]) == set(asked["cand"]):
        return []
    counts = " and ".join(f"{'/'.join(map(str, sorted(found)))} in {role}" for role, found in sorted(asked.items()))
    places = [launch.source("server.json") for found in asked.values() for launch in found.values()]
    reason = f"unequal warm-up: {counts} requests before the first timed repeat: the legs were not measured in the same state"
    return [
        Finding(
            gate=GATE, status="fail", situation="not_comparable", ids=["M03"], reason=reason, evidence=places,
            next_step="Warm both legs with the same number of requests, then measure again.",
        )
    ]  # fmt: skip
