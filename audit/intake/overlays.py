"""Overlay sources of the candidate, read as text and syntax tree, never run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from audit.contract import AuditRequest, Source
from audit.errors import DamageError
from audit.intake import files, source
from audit.intake.model import Damage
from audit.intake.places import Places
from audit.policy import Policy

TraitKind = Literal[
    "authored_kernel", "rebind", "tuning_table", "backend_select", "serving_setting", "graph_replay", "fallback", "dynamic_code"
]
KINDS: dict[str, TraitKind] = {**{kind: kind for kind in get_args(TraitKind)}, "hidden_code": "dynamic_code"}
FOLDER, OFF = "overlay", "off"


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing that a source file does, with the place that shows it."""

    kind: TraitKind
    source: Source
    detail: str
    """A name or a short quotation from the file: data, never an instruction."""


@dataclass(frozen=True, slots=True)
class Overlays:
    """Files read (path -> sha256), what they do, what could not be read."""

    files: tuple[tuple[str, str], ...] = ()
    traits: tuple[Trait, ...] = ()
    missing: tuple[str, ...] = ()
    """Declared overlay files that are not there or cannot be read, with the reason where there is one."""
    folders: tuple[tuple[str, str], ...] = ()
    """Declared folders -> sha256 over name and sha256 of every file, as the stopwatch writes it to server.json."""
    empty: tuple[str, ...] = ()
    """Files without a line that does anything."""
    damage: tuple[Damage, ...] = ()


def read(places: Places, request: AuditRequest, policy: Policy) -> Overlays:
    """The overlay files that the request declares, else those lying below the candidate's folder.

    Raises AuditError when a declared path leads out of the run.
    """
    declared = [name for change in (request.change, *request.accepted) if change for name in change.overlay]
    missing: list[str] = []
    folders: list[tuple[str, str]] = []
    paths: list[Path] = []
    for name in dict.fromkeys(declared):
        path = files.inside(places.run_dir, name, "overlay")
        if path.is_dir():
            paths += source.below(path, policy)
            folders.append((name, _digest(places.run_dir, path, policy)))
        elif path.is_file():
            paths.append(path)
        else:
            missing.append(f"{files.plain(name)}: no such file")
    if not declared:
        paths = list(_found(places, policy))
    read_ = [source.read(places.run_dir, path, policy) for path in dict.fromkeys(paths)]
    missing += [f"{item.source.file}: {item.problem}" for item in read_ if item.problem]
    traits = [Trait(KINDS[fact.kind], Source(item.source.file, item.source.sha256, fact.line), fact.detail)
              for item in read_ for fact in item.facts if fact.kind in KINDS]  # fmt: skip
    traits.sort(key=lambda trait: (trait.source.file, trait.source.line or 0, trait.kind, trait.detail))
    known = {(item.source.file, item.source.sha256) for item in read_ if item.source.sha256}
    return Overlays(
        files=tuple(sorted((name, digest or "") for name, digest in known)),
        traits=tuple(traits),
        missing=tuple(missing),
        folders=tuple(folders),
        empty=tuple(sorted(item.source.file for item in read_ if item.empty)),
    )


def _digest(run_dir: Path, folder: Path, policy: Policy) -> str:
    """sha256 over name and sha256 of every file of a folder, in the stopwatch's canonical form; empty when one cannot be read."""
    found: dict[str, str] = {}
    todo = [folder]
    while todo:
        for path in files.entries(todo.pop(0)):
            if path.is_dir() and not path.is_symlink():
                todo.append(path)
                continue
            try:
                data = files.read(run_dir, path, policy.limits)
            except DamageError:
                return ""
            found[path.relative_to(folder).as_posix()] = files.sha256(data)
    return files.sha256(json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def third_leg(legs: Mapping[str, Path]) -> Path | None:
    """The folder beside a pair of legs in which the overlay was installed and its rebinding switched off."""
    if set(legs) != {"ref", "cand"} or legs["ref"].parent != legs["cand"].parent:
        return None
    path = legs["cand"].parent / OFF
    return path if path.is_dir() and not path.is_symlink() else None


def _found(places: Places, policy: Policy) -> Iterator[Path]:
    """Sources in the ``overlay`` folder beside or in the candidate's leg; programs lying directly in its folder."""
    cand = places.legs.get("cand")
    homes = [places.cand_dir, cand, cand.parent if cand is not None else None]
    for home in dict.fromkeys(home for home in homes if home is not None):
        if not files.leads_inside(places.run_dir, home / FOLDER):
            continue
        skip = tuple(path.name for path in files.entries(home / FOLDER) if path.name.startswith("cand_"))
        yield from source.below(home / FOLDER, policy, skip)
        if home != places.run_dir:
            yield from (path for path in files.entries(home) if path.is_file() and source.is_code(path, policy))
