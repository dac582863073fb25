"""Reading files of a run that strangers may have written: regular files inside the run only, up to a size."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path, PurePosixPath

from audit.errors import AuditError, DamageError
from audit.policy import Limits


def plain(path: Path | str) -> str:
    """A path as text that can be printed and encoded; bytes that are not UTF-8 become escapes."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def inside(run_dir: Path, relative: str, what: str) -> Path:
    """The path of a request's folder. Raises AuditError by name when it leads out of the run."""
    parts = PurePosixPath(relative).parts
    broken = "\0" in relative or relative.startswith("/") or ".." in parts or "\\" in relative
    if broken or not leads_inside(run_dir, run_dir / relative):
        raise AuditError("path_refused", f"{what} {relative!r}: leads out of the run directory.", "Name a folder below it.")
    return run_dir / relative


def leads_inside(run_dir: Path, path: Path) -> bool:
    """True when the path, symbolic links followed, stays below the run directory."""
    try:
        return path.resolve().is_relative_to(run_dir.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def read(run_dir: Path, path: Path, limits: Limits) -> bytes:
    """The bytes of a regular file. Raises DamageError: a link out of the run, a device, a pipe, too large, unreadable."""
    if not leads_inside(run_dir, path):
        raise DamageError("leads out of the run directory", ids=("R18",))
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise DamageError("not a regular file")
        if facts.st_size > limits.file_bytes:
            raise DamageError(f"{facts.st_size} bytes, above the limit of {limits.file_bytes}")
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as stream:
            return stream.read(limits.file_bytes + 1)
    except OSError as error:
        raise DamageError(f"cannot be read: {error.strerror}") from error


def sha256(data: bytes) -> str:
    """sha256 (hex)."""
    return hashlib.sha256(data).hexdigest()


def entries(directory: Path) -> list[Path]:
    """What a directory holds, sorted by the bytes of the name; empty when it cannot be listed."""
    try:
        return sorted(directory.iterdir(), key=lambda path: os.fsencode(path.name))
    except OSError:
        return []


def mentions(path: Path, mark: bytes, look: int = 1 << 20) -> bool:
    """True when the first ``look`` bytes of a regular file hold ``mark``."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as stream:
            return mark in stream.read(look)
    except OSError:
        return False
