"""Overlays: code in the place of one ``module:attr`` inside a server, from a read-only folder; the installation stays as it is.

An overlay is a folder with ``overlay.json`` (``{schema, name, op, target, entry, summary}``) and ``overlay.py``, which defines
the entry. ``sitecustomize.py`` of ``overlay_boot`` is put on the server's path and rebinds the target when it is imported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workflow.canonical import digest, file_digest
from workflow.errors import ConfigError

SCHEMA = "countersign.overlay/1"  # 1: first form
MANIFEST, CODE = "overlay.json", "overlay.py"
BOOT = Path(__file__).resolve().parent / "overlay_boot"
VARIABLE = "COUNTERSIGN_OVERLAYS"
INSIDE = "/overlay"
"""Where overlays lie in a sandbox."""
MOST_BYTES = 16 * 1024 * 1024
_KEYS = {"schema", "name", "op", "target", "entry", "summary"}
NAME = re.compile(r"[a-z][a-z0-9_-]{0,48}")
TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True, slots=True)
class Overlay:
    """One overlay as it is installed in a server."""

    name: str
    op: str
    """The operation of the profile that it replaces."""
    target: str
    """``module:attr``; attr may be dotted."""
    entry: str
    """Name in overlay.py that takes the target's place."""
    summary: str
    folder: Path
    sha256: str
    """Over name and sha256 of every file of the folder."""
    rebind: bool = True
    """False: installed and imported, and left switched off (the third leg)."""

    def off(self) -> Overlay:
        """The same with its rebinding switched off."""
        return replace(self, rebind=False)

    def as_dict(self) -> dict[str, Any]:
        """What server.json says of it."""
        return {"name": self.name, "target": self.target, "entry": self.entry, "sha256": self.sha256, "rebind": self.rebind}


def read(folder: Path) -> Overlay:
    """The overlay in a folder. Raises ConfigError naming the file and what is wrong with it."""
    manifest = folder / MANIFEST
    try:
        found = json.loads(manifest.read_bytes())
    except (OSError, ValueError) as error:
        hint = f"An overlay is a folder with {MANIFEST} and {CODE}."
        raise ConfigError(f"{manifest}: cannot be read ({error})", hint) from error
    if not isinstance(found, dict) or found.keys() != _KEYS or not all(isinstance(value, str) for value in found.values()):
        hint = f"It needs exactly these keys, all texts: {', '.join(sorted(_KEYS))}."
        raise ConfigError(f"{manifest}: not an overlay's description", hint)
    if found["schema"] != SCHEMA:
        raise ConfigError(f"{manifest}: schema {found['schema']!r}", f"This version reads {SCHEMA!r}.")
    if not NAME.fullmatch(found["name"]):
        raise ConfigError(f"{manifest}: name {found['name']!r} is not a plain name", "Use small letters, digits, '_' and '-'.")
    if not TARGET.fullmatch(found["target"]) or not found["entry"].isidentifier():
        what = f"{manifest}: target {found['target']!r}, entry {found['entry']!r}"
        raise ConfigError(what, "Name a target as module:attr, an entry as one word.")
    if not (folder / CODE).is_file():
        raise ConfigError(f"{folder}: holds no {CODE}", "Put the overlay's code there.")
    return Overlay(
        found["name"], found["op"], found["target"], found["entry"], found["summary"], folder.resolve(), folder_digest(folder)
    )


def folder_digest(folder: Path) -> str:
    """sha256 (hex) over name and sha256 of every file below a folder. Raises ConfigError on links and on too many bytes."""
    files: dict[str, str] = {}
    total = 0
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise ConfigError(f"{path}: is a link", "An overlay holds plain files only.")
        if path.is_file():
            total += path.stat().st_size
            files[path.relative_to(folder).as_posix()] = file_digest(path)
    if total > MOST_BYTES:
        raise ConfigError(
            f"{folder}: {total} bytes are more than an overlay may have ({MOST_BYTES})", "Leave out what is not needed."
        )
    return digest(files)


@dataclass(frozen=True, slots=True)
class Installed:
    """How overlays come into a server: its further environment, and what is placed in its sandbox."""

    env: Mapping[str, str]
    placed: Mapping[str, Path]


def install(overlays: Iterable[Overlay], *, sandboxed: bool) -> Installed:
    """Environment and places for a server with these overlays; both empty without any.

    Raises ConfigError when a folder is not what it was when it was read, or when two overlays aim at one target.
    """
    items = list(overlays)
    if not items:
        return Installed({}, {})
    targets = [item.target for item in items]
    twice = next((target for target in targets if targets.count(target) > 1), None)
    if twice is not None:
        raise ConfigError(f"two overlays rebind {twice!r}", "Leave one of them out: only the last would count.")
    placed = {f"{INSIDE}/boot": BOOT}
    told = []
    for number, item in enumerate(items):
        if folder_digest(item.folder) != item.sha256:
            raise ConfigError(f"{item.folder}: changed since the overlay was proposed", "Restore it, or propose it anew.")
        place = f"{INSIDE}/{number}"
        placed[place] = item.folder
        folder = place if sandboxed else str(item.folder)
        told.append({"name": item.name, "folder": folder, "target": item.target, "entry": item.entry, "rebind": item.rebind})
    path = f"{INSIDE}/boot" if sandboxed else str(BOOT)
    return Installed({"PYTHONPATH": path, VARIABLE: json.dumps(told, sort_keys=True)}, placed if sandboxed else {})
