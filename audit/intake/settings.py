"""The settings in force behind the rows: server.json or ``server_info``, resolved values before requested ones, then the log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from audit.intake.model import Launch, Leg, Row
from audit.intake.rows import flatten
from audit.policy import Keys, Policy

OPEN = ("null", '"auto"', '"None"', '""')
"""Values that leave the choice to the engine."""
STATE = "internal_states["


class Setting(NamedTuple):
    """One value of one setting, JSON text, with its place."""

    value: str
    file: str
    line: int | None


class Record(NamedTuple):
    """One configuration that one launch showed: key -> values (two only where rows and log contradict each other)."""

    leg: str
    launch: str
    values: dict[str, list[Setting]]


class Entry(NamedTuple):
    """One line of the table ``config``."""

    leg: str
    launch: str
    record: int
    key: str
    value: str
    file: str
    line: int | None


def entries(legs: Sequence[Leg], policy: Policy) -> Iterator[Entry]:
    """Lines of the table: every key of the load, and every setting that is not the same in all records.

    What all records agree on needs no line: two legs of a server with 280 settings differ in a handful.
    """
    records = [record for leg in legs for record in _records(leg, policy)]
    agreed = _agreed(records)
    for number, record in enumerate(records):
        for key in sorted(record.values):
            if key not in agreed:
                for item in record.values[key]:
                    yield Entry(record.leg, record.launch, number, key, *item)


def _agreed(records: Sequence[Record]) -> set[str]:
    """Settings with one and the same value in every record; keys of the load never count."""
    first = records[0].values if records else {}
    found = set()
    for key, items in first.items():
        if key.startswith("workload."):
            continue
        value = items[0].value
        if all(len(held := record.values.get(key, [])) == 1 and held[0].value == value for record in records):
            found.add(key)
    return found


def _records(leg: Leg, policy: Policy) -> Iterator[Record]:
    """One record per launch and distinct content. A launch that failed never reached the configuration under test."""
    for launch in leg.launches:
        if launch in leg.failed:
            continue
        seen: set[tuple[str | None, str]] = set()
        for row in launch.rows:
            key = (None if launch.server else row.config, json.dumps(row.workload, sort_keys=True))
            if key in seen:
                continue
            seen.add(key)
            yield Record(leg.role, launch.id, _values(launch, row, policy))


def held(launch: Launch, policy: Policy) -> dict[str, Setting]:
    """What was in force in one launch, by the records that lie with it; empty where none does."""
    if launch.rows:
        found = _values(launch, launch.rows[0], policy)
    else:
        found = {}
        if launch.log is not None:
            _from_log(found, launch, policy.keys, alone=True)
    return {key: items[0] for key, items in found.items() if not key.startswith("workload.")}


def _values(launch: Launch, row: Row, policy: Policy) -> dict[str, list[Setting]]:
    keys = policy.keys
    found: dict[str, list[Setting]] = {}
    if launch.server is not None:
        for key, value in _flat(json.dumps(dict(launch.server.effective)), keys).items():
            place = launch.source("server.json", launch.config_lines.get(key))
            found[key] = [Setting(value, place.file, place.line)]
    elif row.config is not None and row.dialect == "vllm":
        handed = {
            keys.flag(key): value for key, value in _flat(row.config, keys).items() if keys.kind(keys.flag(key)) == "invariant"
        }
        found = {key: [Setting(value, row.source.file, row.source.line)] for key, value in handed.items()}
    elif row.config is not None:
        found = {key: [Setting(value, row.source.file, row.source.line)] for key, value in _flat(row.config, keys).items()}
    _resolve(found)
    if launch.log is not None:
        _from_log(found, launch, keys, alone=not found)
    for key, given in row.workload.items():
        found[f"workload.{key}"] = [Setting(json.dumps(given), row.source.file, row.source.line)]
    return found


def _flat(text: str, keys: Keys) -> dict[str, str]:
    return {key: value for key, value in flatten(text).items() if key and not keys.is_volatile(key)}


def _resolve(found: dict[str, list[Setting]]) -> None:
    """The scheduler's own copy of a setting settles what the request left open; a copy that says the same is dropped."""
    for key in [key for key in found if key.startswith(STATE) and "]." in key]:
        bare = key.split("].", 1)[1]
        top = found.get(bare)
        if top is None:
            continue
        if top[0].value in OPEN:
            found[bare] = found[key]
        if found[bare][0].value == found[key][0].value or found[key][0].value in OPEN:
            del found[key]


def _from_log(found: dict[str, list[Setting]], launch: Launch, keys: Keys, *, alone: bool) -> None:
    """The log supplies what the rows leave open, everything where they say nothing, and contradicts them where it differs."""
    log = launch.log
    if log is None:
        return
    for item in log.config:
        if keys.is_volatile(item.key):
            continue
        said = Setting(item.value, log.file, item.line)
        held = found.get(item.key)
        if held is None:
            if alone:
                found[item.key] = [said]
        elif held[0].value in OPEN:
            if item.value not in OPEN:
                found[item.key] = [said]
        elif item.value not in OPEN and keys.kind(item.key) == "invariant" and not same(held[0].value, item.value):
            held.append(said)


def same(one: str, other: str) -> bool:
    """Equal as JSON, as numbers, or as words: ``"0.90"`` is ``0.9``, ``bfloat16`` is ``torch.bfloat16``."""
    left, right = (item.strip('"').lower().removeprefix("torch.") for item in (one, other))
    if left == right:
        return True
    try:
        return float(left) == float(right)
    except ValueError:
        return False
