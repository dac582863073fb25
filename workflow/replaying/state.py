"""What a replay finished before: one line a run, flushed to the disk, believed only while everything it rests on is the same."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from workflow.canonical import canonical, digest, file_digest
from workflow.errors import UsageError
from workflow.replaying.cage import Cage, covered

SCHEMA = "countersign.replay_state/1"  # 1: first form
SOURCES = (".py", ".sql", ".json")


class State:
    """The file, locked while it is open. A torn or foreign line is cut off or passed over, never believed."""

    def __init__(self, path: Path) -> None:
        """Open or create it. Raises UsageError when it cannot be opened, another replay has it, or it is something else."""
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UsageError(f"{path}: cannot be opened: {error.strerror}", "Give --state a file that can be written.") from error
        try:
            if not stat.S_ISREG(os.fstat(self._handle).st_mode):
                raise UsageError(f"{path}: not a regular file", "Give --state a file.")
            self._lock(path)
            self._kept = self._read(path)
        except BaseException:
            os.close(self._handle)
            raise

    def _lock(self, path: Path) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{path}: another replay is writing it", "Wait for it, or give another --state.") from None

    def _read(self, path: Path) -> dict[str, list[dict[str, Any]]]:
        with os.fdopen(os.dup(self._handle), "rb") as stream:
            data = stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        lines = [_entry(line) for line in whole.splitlines()]
        if data and not any(lines) and not data.startswith(b'{"auditor"'):
            raise UsageError(f"{path}: not a state of a replay", "Give --state a new file, or one that a replay wrote.")
        os.ftruncate(self._handle, len(whole))
        os.lseek(self._handle, 0, os.SEEK_END)
        return {entry["key"]: entry["verdicts"] for entry in lines if entry}

    def get(self, key: str) -> list[dict[str, Any]] | None:
        """The verdicts stored under a key."""
        return self._kept.get(key)

    def put(self, key: str, auditor: str, verdicts: list[dict[str, Any]]) -> None:
        """Store a finished run; on the disk when this returns. Raises UsageError when the disk refuses."""
        body = {"schema": SCHEMA, "auditor": auditor, "key": key, "verdicts": verdicts}
        line = canonical({**body, "digest": digest(body)}) + b"\n"
        try:
            written = 0
            while written < len(line):
                written += os.write(self._handle, line[written:])
            os.fsync(self._handle)
        except OSError as error:
            raise UsageError(f"the state cannot be written: {error.strerror}", "Make room, then go on with it.") from error
        self._kept[key] = verdicts

    def __enter__(self) -> State:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._handle)


def _entry(line: bytes) -> dict[str, Any] | None:
    """One line, when it is whole and vouches for itself."""
    try:
        entry = json.loads(line)
        said = entry.pop("digest")
        good = entry["schema"] == SCHEMA and said == digest(entry) and isinstance(entry["verdicts"], list)
        return entry if good and isinstance(entry["key"], str) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def auditor(home: Path) -> str:
    """sha256 (hex) over the auditor's own files: another version, or one edited line, is another judge."""
    total = hashlib.sha256()
    root = home / "audit"
    for path in sorted(item for item in root.rglob("*") if item.suffix in SOURCES and item.is_file()):
        total.update(canonical([path.relative_to(root).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()]))
    return total.hexdigest()


def key(run: Path, cage: Cage, judged_by: str) -> str:
    """sha256 (hex) of all that a verdict rests on: the run's files, the policy, the auditor, and whether the judge is blind.

    Raises OSError when a file of the run cannot be read.
    """
    total = hashlib.sha256(canonical([SCHEMA, judged_by, cage.policy_digest(), cage.blind]))
    unseen = frozenset(covered(run)) if cage.blind else frozenset[str]()
    for item in _facts(run, unseen):
        total.update(repr(item).encode())
    return total.hexdigest()


def _facts(run: Path, unseen: frozenset[str]) -> Iterator[tuple[bytes, str, int, str]]:
    """Name, kind, size and content of everything in a run, in the order of the names."""
    for folder, folders, names in os.walk(run, onerror=_raise):
        folders.sort()
        place = Path(folder)
        yield os.fsencode(place.relative_to(run)), "folder", 0, ""
        for path in sorted(place / name for name in (*names, *folders)):
            shown, facts = path.relative_to(run).as_posix(), path.lstat()
            if stat.S_ISLNK(facts.st_mode):
                yield os.fsencode(shown), "link", 0, str(path.readlink())
            elif not stat.S_ISREG(facts.st_mode) or shown in unseen:
                yield os.fsencode(shown), f"{stat.S_IFMT(facts.st_mode)}", 0, ""
            else:
                yield os.fsencode(shown), "file", facts.st_size, file_digest(path)


def _raise(error: OSError) -> None:
    raise error
