"""The settings in force behind the rows: server.json or ``server_info``, resolved values before requested ones, then the log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from audit.intake.model import Launch, Leg, Row, Server
from audit.intake.rows import flatten
from audit.policy import Keys, Policy

OVERLAYS, PATH = "COUNTERSIGN_OVERLAYS", "PYTHONPATH"
"""How the stopwatch tells a server of its overlays, and what makes the server look."""
OPEN = ("null", '"auto"', '"None"', '""')
"""Values that leave the choice to the engine."""
STATE = "internal_states["
DEFAULT = '"default"'
"""Of a setting that a server's list of non-default arguments leaves out."""
UNKNOWN = "unknown"
"""Source of a setting that the stopwatch could not know; its value says the same."""


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
    default: Setting | None
    """Stands for a setting that the server's own list of arguments leaves out; None without such a list."""


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
    _complete(records)
    agreed = _agreed(records)
    for number, record in enumerate(records):
        for key in sorted(record.values):
            if key not in agreed:
                for item in record.values[key]:
                    yield Entry(record.leg, record.launch, number, key, *item)


def _complete(records: Sequence[Record]) -> None:
    """Silence that means something: a list of arguments leaves out defaults, and logs of one leg speak for its silent launches.

    What the logs of a leg state stands for a launch whose own evidence is silent; where they disagree, that is told anyway.
    """
    listed = {
        key for record in records for key, items in record.values.items() if any(_same_place(item, record) for item in items)
    }
    for record in records:
        if record.default is not None:
            for key in listed - record.values.keys():
                record.values[key] = [record.default]
    for leg in dict.fromkeys(record.leg for record in records):
        mine = [record for record in records if record.leg == leg]
        said: dict[str, list[Setting]] = {}
        for record in mine:
            for key, items in record.values.items():
                said.setdefault(key, []).extend(items)
        for key, items in said.items():
            if all(item.file.endswith(".log") for item in items):
                for record in mine:
                    record.values.setdefault(key, items[:1])


def _same_place(item: Setting, record: Record) -> bool:
    return record.default is not None and (item.file, item.line) == (record.default.file, record.default.line)


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
            yield Record(leg.role, launch.id, _values(launch, row, policy), _default(launch))


def _default(launch: Launch) -> Setting | None:
    if launch.server is not None or launch.log is None or launch.log.arguments is None:
        return None
    return Setting(DEFAULT, launch.log.file, launch.log.arguments)


def held(launch: Launch, policy: Policy) -> dict[str, Setting]:
    """What was in force in one launch, by the records that lie with it; empty where none does."""
    if launch.rows:
        found = _values(launch, launch.rows[0], policy)
    else:
        found = {}
        _from_log(found, launch, policy.keys)
    return {key: items[0] for key, items in found.items() if not key.startswith("workload.")}


def _values(launch: Launch, row: Row, policy: Policy) -> dict[str, list[Setting]]:
    keys = policy.keys
    found: dict[str, list[Setting]] = {}
    if launch.server is not None:
        unknown = hidden(launch.server)
        known = {key: value for key, value in launch.server.effective.items() if key not in unknown}
        for key, value in _flat(json.dumps(known), keys).items():
            place = launch.source("server.json", launch.config_lines.get(key))
            found[key] = [Setting(value, place.file, place.line)]
        for key, text in _beside(launch.server, keys).items():
            if key not in found:
                place = launch.source("server.json", launch.config_lines.get(key.partition(".")[2]))
                found[key] = [Setting(json.dumps(text), place.file, place.line)]
    elif row.config is not None and row.dialect == "vllm":
        handed = {
            keys.flag(key): value for key, value in _flat(row.config, keys).items() if keys.kind(keys.flag(key)) == "invariant"
        }
        found = {key: [Setting(value, row.source.file, row.source.line)] for key, value in handed.items()}
    elif row.config is not None:
        found = {key: [Setting(value, row.source.file, row.source.line)] for key, value in _flat(row.config, keys).items()}
    _resolve(found)
    if launch.server is None:
        _from_log(found, launch, keys)
    for key, given in row.workload.items():
        found[f"workload.{key}"] = [Setting(json.dumps(given), row.source.file, row.source.line)]
    return found


def hidden(server: Server) -> frozenset[str]:
    """Settings of which the record says that they cannot be known: no value, and no source."""
    sources = server.effective_source
    return frozenset(key for key, value in server.effective.items() if value == UNKNOWN == sources.get(key))


def _beside(server: Server, keys: Keys) -> dict[str, str]:
    """What the stopwatch saw of a server beside its settings: packages, environment, options that are no settings of it."""
    found = {f"versions.{name}": value for name, value in server.versions.items()}
    told = _told(server)
    found |= {f"env.{name}": value for name, value in server.env.items() if name not in told}
    for place, word in enumerate(server.argv):
        if not word.startswith("--"):
            continue
        name, has_value, value = word[2:].partition("=")
        bare = name.replace("-", "_")
        after = server.argv[place + 1 :][:1]
        if bare not in server.effective and not keys.is_volatile(bare):
            found[f"argv.{bare}"] = value if has_value else "".join(item for item in after if not item.startswith("--"))
    return found


def _told(server: Server) -> tuple[str, ...]:
    """Environment that says nothing beyond the overlays that the stopwatch recorded, letter for letter; else none of it."""
    folders = r"/overlay/\d+" if server.sandbox.kind == "bubblewrap" else r"/.+/overlay"
    boot = r"/overlay/boot" if server.sandbox.kind == "bubblewrap" else r"/.+/workflow/serving/overlay_boot"
    try:
        given = msgspec.json.decode(server.env.get(OVERLAYS, ""), type=list[_Given])
    except msgspec.DecodeError:
        return ()
    said = [(item.name, item.target, item.entry, item.rebind) for item in given]
    known = [(item.name, item.target, item.entry, item.rebind) for item in server.overlays or []]
    plain = all(re.fullmatch(folders, item.folder) for item in given) and re.fullmatch(boot, server.env.get(PATH, ""))
    return (OVERLAYS, PATH) if said and said == known and plain else ()


class _Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One overlay as the server was told of it."""

    name: str
    folder: str
    target: str
    entry: str
    rebind: bool


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


def _from_log(found: dict[str, list[Setting]], launch: Launch, keys: Keys) -> None:
    """The log supplies what the rows do not say or leave open, and contradicts them where it differs.

    How many requests may run is asked for in the rows and settled by the engine: there the log's value stands alone. A start
    before the one described, in the same file, contradicts it like another launch would.
    """
    log = launch.log
    if log is None:
        return
    for item in (*log.config, *log.earlier):
        key = keys.flag(item.key)
        if keys.is_volatile(key):
            continue
        said = Setting(item.value, log.file, item.line)
        held = found.get(key)
        if held is None or (held[0].value in OPEN and item.value not in OPEN):
            found[key] = [said]
        elif item.value not in OPEN and keys.kind(key) == "invariant" and not same(held[0].value, item.value):
            if keys.resource(key) == "running" and not held[0].file.endswith(".log"):
                found[key] = [said]
            else:
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
