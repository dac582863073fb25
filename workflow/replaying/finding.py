"""Which run directories the paths of a command line mean, and how they are called in the output."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from workflow.errors import UsageError

MARKS = ("audit_request.json", "campaign.json", "ledger.jsonl")
"""Files that make a directory a run."""
LEGS = frozenset({"ref", "cand", "base", "final", "before", "after", "control", "treatment", "baseline", "config"})
"""Folders that make their parent a run, unless they are runs themselves."""
ROWS = "bench_runs.jsonl"


class Run(NamedTuple):
    """One run directory; ``name`` is relative to the path it was found by."""

    name: str
    path: Path


class Found(NamedTuple):
    """Runs in the order of their names, and what was passed over, each with its reason."""

    runs: list[Run]
    skipped: list[tuple[str, str]]


def find(paths: Sequence[Path]) -> Found:
    """Runs that the paths are, or that lie directly in them. Raises UsageError when a path is no directory."""
    runs: list[tuple[str, str, Path]] = []
    skipped: list[tuple[str, str]] = []
    for path in dict.fromkeys(paths):
        if not path.is_dir():
            raise UsageError(f"{path}: not a directory", "Give a run, or a folder of runs.")
        own = path.resolve().name or "/"
        if is_run(path):
            runs.append((own, own, path))
            continue
        inside = _children(path)
        if not inside:
            skipped.append((own, "holds no folders, and is no run itself"))
        for child in inside:
            why = _not_a_run(child)
            if why:
                skipped.append((child.name, why))
            else:
                runs.append((child.name, f"{own}/{child.name}", child))
    return Found(sorted(_named(runs), key=lambda run: os.fsencode(run.name)), sorted(skipped))


def is_run(path: Path) -> bool:
    """True for a directory with a request, a ledger or legs, by the names of what lies in it."""
    if any(os.path.lexists(path / mark) for mark in MARKS) or (path / ROWS).is_file():
        return True
    folders = _children(path)
    names = {folder.name for folder in folders}
    legs = [folder for folder in folders if folder.name in LEGS or _paired(folder.name, names)]
    return any(not any(os.path.lexists(leg / mark) for mark in MARKS) for leg in legs)


def _paired(name: str, names: set[str]) -> bool:
    stem = name.removesuffix("_ref")
    return stem != name and f"{stem}_cand" in names


def _children(path: Path) -> list[Path]:
    try:
        return sorted((item for item in path.iterdir() if item.is_dir()), key=lambda item: os.fsencode(item.name))
    except OSError as error:
        raise _UnlistedError(path, error.strerror or type(error).__name__) from error


class _UnlistedError(UsageError):
    """A folder that cannot be listed; ``why`` in the system's words."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: cannot be listed: {why}", "Give a folder that can be read.")
        self.why = why


def _not_a_run(path: Path) -> str:
    """Why a folder is passed over; empty for a run."""
    if path.name.startswith("."):
        return "hidden"
    if path.is_symlink():
        return "a link: name it on the command line if it is meant"
    try:
        return "" if is_run(path) else f"no {MARKS[0]}, and no legs by their usual names"
    except _UnlistedError as error:
        return f"cannot be listed: {error.why}"


def _named(runs: Sequence[tuple[str, str, Path]]) -> list[Run]:
    """Short names where they are different, longer ones where not, numbered where even those are the same."""
    places = {path.resolve(): (short, long, path) for short, long, path in runs}
    short_count = Counter(short for short, _, _ in places.values())
    seen: Counter[str] = Counter()
    found = []
    for short, long, path in places.values():
        name = short if short_count[short] == 1 else long
        seen[name] += 1
        found.append(Run(name if seen[name] == 1 else f"{name} ({seen[name]})", path))
    return found
