"""One owner per campaign: a lock that the kernel releases when its holder dies, with the holder's name in it.

A lock whose file was deleted or replaced keeps nobody out any more. So its holder asks before every step and every line of
the ledger whether the file in its place is still the one that it holds, and ends when it is not.
"""

from __future__ import annotations

import fcntl
import os
import platform
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from workflow.errors import CountersignError, OwnedError

FILE = "owner.lock"
TRIES = 10
PAUSE_S = 0.05


@contextmanager
def owned(run_dir: Path) -> Iterator[Callable[[], None]]:
    """Hold the campaign's lock. Raises OwnedError naming the process that has it.

    What it gives raises OwnedError when the lock was taken away meanwhile; so does whatever fails because of that. A few tries
    half a second long: ``campaign status`` takes the lock for a moment to see whether it is free.
    """
    path = run_dir / ".state" / FILE
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _take(handle):
            holder = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
            raise OwnedError(
                f"{run_dir}: this campaign is being run by {holder}",
                f"Wait for it (`countersign campaign status {run_dir}`), or end that process and resume.",
            )
        _still_held(run_dir, handle)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"pid {os.getpid()} on {platform.node()}\n".encode(), 0)
        try:
            yield partial(_still_held, run_dir, handle)
        except (OSError, sqlite3.Error, CountersignError):
            _still_held(run_dir, handle)  # another owner moves files and writes rows: that is the reason, not what came of it
            raise
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _still_held(run_dir: Path, handle: int) -> None:
    try:
        held = os.path.samestat(os.fstat(handle), (run_dir / ".state" / FILE).stat())
    except FileNotFoundError:
        held = False
    if not held:
        raise OwnedError(
            f"{run_dir}: the lock of this campaign was deleted or replaced while this process ran it",
            f"Another process may have it now (`countersign campaign status {run_dir}`); resume when none has.",
        )


def _take(handle: int) -> bool:
    for _ in range(TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE_S)
        else:
            return True
    return False


def owner(run_dir: Path) -> str | None:
    """Who runs the campaign now (pid and host), or None. Writes nothing."""
    try:
        handle = os.open(run_dir / ".state" / FILE, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
    else:
        return None
    finally:
        os.close(handle)
