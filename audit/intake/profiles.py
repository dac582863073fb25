"""Profiles: torch Chrome traces (plain, gz), the Top-N tables that were made of them, and what was routed on their word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from audit.contract import Source
from audit.errors import DamageError
from audit.intake import files, settings, strict
from audit.intake.launch import BENCH, Reader
from audit.intake.model import Damage
from audit.intake.places import Places
from audit.policy import Policy

if TYPE_CHECKING:
    from audit.intake import topn, traces

SUFFIXES = (".json", ".json.gz")
EVENTS = b'"traceEvents"'


class Stated(NamedTuple):
    """Settings that one file states; values are JSON text, volatile ones left out."""

    source: Source
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Profile:
    """What lies together: one run of the profiler, the tables made of it, and what was routed on them."""

    dir: str
    traces: tuple[traces.Trace, ...] = ()
    tables: tuple[topn.Table, ...] = ()
    workloads: tuple[topn.Workload, ...] = ()
    routed: tuple[topn.Routed, ...] = ()
    profiled: tuple[Stated, ...] = ()
    """What the profiled server, or the table, says of the settings."""
    benched: Stated | None = None
    """Settings behind the benchmark's rows."""
    load: tuple[int, int] | None = None
    """Prompt tokens and generated tokens of those rows."""


@dataclass(frozen=True, slots=True)
class Profiles:
    """What was found; ``files`` maps every file read to its sha256."""

    items: tuple[Profile, ...] = ()
    damage: tuple[Damage, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


@dataclass
class _Found:
    """One profile while it is read."""

    traces: list[traces.Trace] = field(default_factory=list)
    tables: list[topn.Table] = field(default_factory=list)
    workloads: list[topn.Workload] = field(default_factory=list)
    routed: list[topn.Routed] = field(default_factory=list)
    profiled: list[Stated] = field(default_factory=list)


def suggests(directory: Path, policy: Policy) -> bool:
    """True where a trace or a Top-N table lies directly in a folder, by name."""
    return any(_named(path.name, policy) for path in files.entries(directory) if path.is_file())


def _named(name: str, policy: Policy) -> bool:
    return name.endswith(tuple(policy.profile.trace_names)) or name in policy.profile.table_names


def read(places: Places, policy: Policy) -> Profiles:
    """Every trace, table and routed list at or below the request's folder, gathered by profile."""
    found: dict[Path, _Found] = {}
    seen: dict[str, str] = {}
    hurt: list[Damage] = []
    for home, path in _walk(places.eval_dir, policy):
        name = files.plain(path.relative_to(places.run_dir).as_posix())
        try:
            _take(places.run_dir, path, found.setdefault(home, _Found()), seen, policy)
        except DamageError as error:
            hurt.append(Damage(Source(name, seen.get(name), error.line), error.what, error.ids))
    items = [_profile(places, home, item, seen, policy) for home, item in found.items()]
    kept = tuple(item for item in items if item.traces or item.tables or item.workloads or item.routed)
    return Profiles(kept, tuple(hurt), tuple(sorted(seen.items())))


def _walk(directory: Path, policy: Policy) -> Iterator[tuple[Path, Path]]:
    """JSON files below a folder, each with the folder of its profile; links and hidden names are not followed."""
    todo, walked = [(directory, directory)], 0
    while todo and walked < policy.limits.walk_dirs:
        home, place = todo.pop(0)
        walked += 1
        for path in files.entries(place):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                own = any(fnmatchcase(path.name, pattern) for pattern in policy.profile.folders)
                if not path.is_symlink():
                    todo.append((path if own else home, path))
            elif path.name.endswith(SUFFIXES):
                yield home, path


def _take(run_dir: Path, path: Path, found: _Found, seen: dict[str, str], policy: Policy) -> None:
    """One file, when it is part of a profile. Raises DamageError when it is and cannot be believed."""
    from audit.intake import traces

    rules = policy.profile
    traced = path.name.endswith(tuple(rules.trace_names)) or files.mentions(path, EVENTS, rules.sniff_bytes)
    known = path.name in {*rules.table_names, *rules.routed_names, *rules.config_names}
    marks = (b'"top_kernels"', b'"hot_kernels"', b'"kernels"', b'"routed"')
    if not traced and not known and not any(files.mentions(path, mark, rules.sniff_bytes) for mark in marks):
        return
    name = files.plain(path.relative_to(run_dir).as_posix())
    data = files.read(run_dir, path, policy.limits)
    source = Source(name, files.sha256(data))
    if traced:
        seen[name] = source.sha256 or ""
        found.traces.append(traces.facts(data, source, rules))
        return
    try:
        value: Any = strict.document(data, policy.limits)
    except DamageError:
        if known:
            seen[name] = source.sha256 or ""
            raise
        return
    if _sort(value, path.name, source, found, policy):
        seen[name] = source.sha256 or ""


def _sort(value: Any, name: str, source: Source, found: _Found, policy: Policy) -> bool:  # noqa: ANN401 - any JSON value
    """Put a document where it belongs; False when it is none of ours."""
    from audit.intake import topn

    if not isinstance(value, dict):
        return False
    if name in policy.profile.config_names:
        found.profiled.append(_stated(value, source, policy))
    elif topn.is_workload(value):
        found.workloads.append(topn.workload(value, source))
    elif topn.is_table(value):
        told = topn.table(value, source, policy.profile)
        found.tables.append(told)
        found.routed += [topn.Routed(source, entry.name, told.pct(entry)) for entry in told.entries if entry.routed]
        if told.config:
            found.profiled.append(_stated(told.config, source, policy))
    elif isinstance(value.get("routed"), list):
        found.routed += topn.routed(value, source)
    else:
        return False
    return True


def _stated(value: dict[str, Any], source: Source, policy: Policy) -> Stated:
    keys = policy.keys
    flat = {keys.flag(key): json.dumps(item) for key, item in value.items() if isinstance(item, str | int | float | bool)}
    return Stated(source, {key: item for key, item in sorted(flat.items()) if not keys.is_volatile(key)})


def _profile(places: Places, home: Path, found: _Found, seen: dict[str, str], policy: Policy) -> Profile:
    """The profile of one folder beside the benchmark nearest to it: the request's ``cand_dir``, its own folder, or one above."""
    above = [place for place in (home, *home.parents) if place == places.run_dir or places.run_dir in place.parents]
    named = [places.cand_dir] if places.cand_dir is not None else above
    place = next((item for item in named if (item / BENCH).is_file()), None)
    benched, load = None, None
    if place is not None:
        reader = Reader(places.run_dir, place, policy)
        launch = reader.read()
        held = settings.held(launch, policy)
        if not reader.damage and launch.rows:
            seen |= launch.files
            values = {key: item.value for key, item in sorted(held.items())}
            benched = Stated(launch.rows[0].source, values) if values else None
            load = _tokens([(row.tokens_in, row.tokens_out) for row in launch.rows])
    name = files.plain(home.relative_to(places.run_dir).as_posix())
    return Profile(
        name,
        tuple(found.traces),
        tuple(found.tables),
        tuple(found.workloads),
        tuple(found.routed),
        tuple(found.profiled),
        benched,
        load,
    )


def _tokens(rows: list[tuple[int | None, int | None]]) -> tuple[int, int] | None:
    known = [(one, other) for one, other in rows if one is not None and other is not None]
    if not known or len(known) < len(rows):
        return None
    return sum(one for one, _ in known), sum(other for _, other in known)
