"""Reading files of a run that strangers may have written: regular files inside the run only, up to a size."""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from audit.errors import AuditError, DamageError
from audit.policy import Limits

TRIES = 3
"""A line that is appended while a file is read, like one of a running campaign's ledger, is no reason to refuse the file."""


class ChangedError(DamageError):
    """A file was written to while it was read."""


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
        place, run = _resolved(os.fspath(path)), _resolved(os.fspath(run_dir))
    except (OSError, ValueError):
        return False
    return place == run or place.startswith(run.rstrip(os.sep) + os.sep)


def _resolved(path: str) -> str:
    """``os.path.realpath``; the part of the folder is worked out once, for as long as the name leads to the same folder."""
    folder, _, name = path.rpartition(os.sep)
    try:
        if not folder or name in ("", ".", "..") or stat.S_ISLNK(os.lstat(path).st_mode):
            return os.path.realpath(path)
        facts = os.lstat(f"{folder}{os.sep}.")
    except (OSError, ValueError):
        return os.path.realpath(path)
    return f"{_folder(folder, facts.st_dev, facts.st_ino)}{os.sep}{name}"


@lru_cache(maxsize=1024)
def _folder(folder: str, device: int, inode: int) -> str:  # noqa: ARG001 - device and inode tell another folder of that name
    return os.path.realpath(folder)


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
        for _ in range(TRIES - 1):
            try:
                return _once(path, limits)
            except ChangedError:
                continue
        return _once(path, limits)
    except OSError as error:
        raise DamageError(f"cannot be read: {error.strerror}") from error


def _once(path: Path, limits: Limits) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as stream:
        return whole(stream, limits)


def whole(stream: BinaryIO, limits: Limits) -> bytes:
    """The bytes of an open file. Raises DamageError when it is no regular file, too large, or changed while it was read."""
    before = os.fstat(stream.fileno())
    if not stat.S_ISREG(before.st_mode):
        raise DamageError("not a regular file")
    data = stream.read(limits.file_bytes + 1)
    after = os.fstat(stream.fileno())
    if len(data) > limits.file_bytes:
        raise DamageError(f"{after.st_size} bytes, above the limit of {limits.file_bytes}")
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(data) != before.st_size:
        raise ChangedError("changed while it was read: something still writes to it", ids=("O12",))
    return data


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
    """True when the first ``look`` bytes of a regular file, unpacked where its name ends in ``.gz``, hold ``mark``."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as stream:
            head = stream.read(look)
        return mark in (zlib.decompressobj(31).decompress(head, look) if path.suffix == ".gz" else head)
    except (OSError, zlib.error):
        return False
