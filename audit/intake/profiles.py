"""Profiles: torch Chrome traces (plain, gz), the Top-N tables that were made of them, and what was routed on their word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.contract import Source
from audit.errors import DamageError
from audit.intake import files, strict
from audit.intake.model import Damage
from audit.intake.places import Places
from audit.policy import Policy

if TYPE_CHECKING:
    from audit.intake import topn, traces

SUFFIXES = (".json", ".json.gz")


@dataclass(frozen=True, slots=True)
class Profiles:
    """What was found; ``files`` maps every file read to its sha256."""

    traces: tuple[traces.TraceFacts, ...] = ()
    tables: tuple[topn.Table, ...] = ()
    routed: tuple[topn.Routed, ...] = ()
    benched: tuple[tuple[str, str], ...] = ()
    """Settings of the server that was benched, from ``server_info.json`` beside the profile."""
    damage: tuple[Damage, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


@dataclass
class _Found:
    traces: list[traces.TraceFacts] = field(default_factory=list)
    tables: list[topn.Table] = field(default_factory=list)
    routed: list[topn.Routed] = field(default_factory=list)
    benched: dict[str, str] = field(default_factory=dict)
    damage: list[Damage] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)


def suggests(directory: Path, policy: Policy) -> bool:
    """True where a trace or a Top-N table lies directly in a folder, by name."""
    return any(_named(path.name, policy) for path in files.entries(directory) if path.is_file())


def _named(name: str, policy: Policy) -> bool:
    return any(name.endswith(suffix) for suffix in policy.profile.trace_names) or name in policy.profile.table_names


def read(places: Places, policy: Policy) -> Profiles:
    """Every trace, table and routed list at or below the request's folder, in the order of their paths."""
    found = _Found()
    for path in _walk(places.eval_dir, policy):
        name = files.plain(path.relative_to(places.run_dir).as_posix())
        try:
            data = files.read(places.run_dir, path, policy.limits)
            _take(data, path, name, policy, found)
        except DamageError as error:
            found.files.setdefault(name, "")
            found.damage.append(Damage(Source(name, found.files[name] or None), error.what, error.ids))
    return Profiles(
        tuple(found.traces),
        tuple(found.tables),
        tuple(found.routed),
        tuple(sorted(found.benched.items())),
        tuple(found.damage),
        tuple(sorted((name, digest) for name, digest in found.files.items() if digest)),
    )


def _walk(directory: Path, policy: Policy) -> Iterator[Path]:
    todo, walked = [directory], 0
    while todo and walked < policy.limits.walk_dirs:
        place = todo.pop(0)
        walked += 1
        for path in files.entries(place):
            if path.is_dir():
                if not path.is_symlink():
                    todo.append(path)
            elif path.name.endswith(SUFFIXES):
                yield path


def _take(data: bytes, path: Path, name: str, policy: Policy, found: _Found) -> None:
    from audit.intake import topn, traces

    digest = files.sha256(data)
    if any(path.name.endswith(suffix) for suffix in policy.profile.trace_names) or b'"traceEvents"' in data[: 1 << 20]:
        found.files[name] = digest
        found.traces.append(traces.parse(traces.unpack(data, policy.profile), name, policy.profile))
        return
    known = path.name in policy.profile.table_names or path.name in policy.profile.routed_names or path.name == "server_info.json"
    try:
        value: Any = strict.document(data, policy.limits)
    except DamageError:
        if known:
            found.files[name] = digest
            raise
        return
    if topn.is_table(value):
        found.files[name] = digest
        found.tables.append(topn.table(value, name))
    if isinstance(value, dict) and isinstance(value.get("routed"), list):
        found.files[name] = digest
        found.routed += topn.routed(value, name)
    if path.name == "server_info.json" and isinstance(value, dict):
        found.files[name] = digest
        found.benched |= {key: str(item) for key, item in value.items() if isinstance(item, str | int | float | bool)}
