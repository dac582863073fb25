"""What was declared to differ, and what does: each difference between the legs sorted by what explains it."""

from __future__ import annotations

import json
import re
from typing import Literal, NamedTuple

from audit.contract import Change, Scalar
from audit.evidence import BetweenRow, Evidence
from audit.intake import settings

WORKLOAD = "workload."
Because = Literal["declared", "part of the lever", "side effect", "unrecorded", "confound"]


class Declared(NamedTuple):
    """Settings that may differ: key -> JSON text in the candidate. ``known`` is False when nothing was declared."""

    values: dict[str, str]
    known: bool
    named: frozenset[str]
    """Roots that a change declared by its name alone stands for: their values were not declared."""
    overlay: bool


class Difference(NamedTuple):
    """One key in which the legs differ, and why that may be."""

    row: BetweenRow
    root: str
    because: Because


def text(value: Scalar) -> str:
    """A scalar as the config table holds it."""
    return json.dumps(value, ensure_ascii=False)


def same_value(declared: str, found: str | None) -> bool:
    """Equal as JSON, as numbers, or as words (``audit/intake/settings.py``)."""
    return found is not None and settings.same(declared, found)


def _changes(ev: Evidence) -> list[Change]:
    return [*ev.request.accepted, *([ev.request.change] if ev.request.change is not None else [])]


def declared(ev: Evidence) -> Declared:
    """What the request says may differ: its change, or all accepted parts of a bundle."""
    keys = ev.policy.keys
    values: dict[str, str] = {}
    named: set[str] = set()
    for change in _changes(ev):
        values |= {keys.flag(key): text(value) for key, value in change.flags.items()}
        values |= {f"env.{key}": text(value) for key, value in change.env.items()}
        if not (change.flags or change.env or change.overlay):
            named |= _roots_of_name(ev, change.lever or "")
    overlay = any(change.overlay for change in _changes(ev)) or bool(ev.overlays.traits)
    return Declared(values, bool(_changes(ev)) or ev.request.scope == "bundle", frozenset(named), overlay)


def _roots_of_name(ev: Evidence, lever: str) -> set[str]:
    """Roots of keys that a lever's name speaks of; empty for a name that says nothing about a setting."""
    words = re.sub(r"[^a-z0-9]+", " ", lever.lower()).strip()
    found = {
        root
        for name, roots in ev.policy.levers.names.items()
        if re.sub(r"[^a-z0-9]+", " ", name.lower()).strip() in words
        for root in roots
    }
    return found | {ev.policy.keys.root(words.replace(" ", "_"))} if words else found


def taken_as_lever(ev: Evidence) -> str | None:
    """With nothing declared, the one setting whose change explains all differences; None when there is none, or no single one."""
    if declared(ev).known:
        return None
    roots = {ev.policy.keys.root(row.key) for row in _apart(ev) if not _log_alone(ev, row)}
    keys = ev.policy.keys

    def explains(lever: str) -> bool:
        rest = roots - {lever}
        return all(keys.follows(root, lever, "own") or keys.follows(root, lever, "side") for root in rest)

    able = [root for root in sorted(roots) if not root.startswith(WORKLOAD) and (len(roots) == 1 or _could_lead(ev, root))]
    found = [root for root in able if explains(root)]
    return found[0] if len(found) == 1 else None


def _could_lead(ev: Evidence, root: str) -> bool:
    """False for a capacity: it is measured, nobody sets it, so it cannot be the change under audit beside others."""
    return ev.policy.keys.resource(root) != "kv_tokens" or root == "max_total_tokens"


def _log_alone(ev: Evidence, row: BetweenRow) -> bool:
    """True where one leg's log states what nothing in the other leg's evidence states: a log that is silent denies nothing.

    A log that says the choice was left to the engine is silent only about a choice that the first leg left to it as well.
    """
    sides = (("ref", row.ref, row.ref_file), ("cand", row.cand, row.cand_file))
    for (role, value, file), (_, other, place) in (sides, sides[::-1]):
        if value is None or not (file or "").endswith(".log") or (other is not None and other not in settings.OPEN):
            continue
        if other is None or not (place or "").endswith(".log") or _settled(ev, role, row.key):
            return True
    return False


def _settled(ev: Evidence, role: str, key: str) -> bool:
    """True where a log of the leg shows that the engine chose the value."""
    logs = [launch.log for launch in ev.legs[role].launches if launch.log is not None]
    return any(ev.policy.keys.flag(name) == key for log in logs for name in log.settled)


def _apart(ev: Evidence) -> list[BetweenRow]:
    """Differences, without capacities that differ by no more than launches of the same thing do."""
    return [row for row in ev.tables.between if not near(ev, row.key, row.ref, row.cand)]


def near(ev: Evidence, key: str, one: str | None, other: str | None) -> bool:
    """True for two measured capacities within the policy's percentage of each other."""
    if one is None or other is None or ev.policy.keys.resource(key) != "kv_tokens":
        return False
    try:
        a, b = float(one), float(other)
    except ValueError:
        return False
    return abs(a - b) <= ev.policy.keys.capacity_pct / 100 * max(abs(a), abs(b))


def differences(ev: Evidence) -> list[Difference]:
    """Every difference between the legs, sorted by what explains it."""
    keys, wanted = ev.policy.keys, declared(ev)
    only = taken_as_lever(ev)
    levers = {*wanted.values, *wanted.named, *([only] if only else []), *(["overlay"] if wanted.overlay else [])}
    found = []
    for row in _apart(ev):
        root = keys.root(row.key)
        found.append(Difference(row, root, _because(ev, row, root, levers)))
    return found


def _because(ev: Evidence, row: BetweenRow, root: str, levers: set[str]) -> Because:
    keys, wanted = ev.policy.keys, declared(ev)
    if _log_alone(ev, row):
        return "unrecorded"
    if root in wanted.values:
        if row.cand == settings.DEFAULT and not same_value(wanted.values[root], row.cand):
            return "declared" if {wanted.values[root], row.ref} == {"true", "false"} else "unrecorded"
        resolved_copy = keys.bare(row.key) != root
        return "declared" if same_value(wanted.values[root], row.cand) or resolved_copy else "confound"
    if root in levers:
        return "declared"
    if row.key.startswith(WORKLOAD):
        return "confound"
    if any(keys.follows(row.key, lever, "own") for lever in levers):
        return "part of the lever"
    if any(keys.follows(row.key, lever, "side") for lever in levers):
        return "side effect"
    return "confound"
