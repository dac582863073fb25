"""Processes for work in parallel: fresh ones, that end with the process that began them, even when that one is killed."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

LOOK_S = 0.5


def pool(jobs: int) -> ProcessPoolExecutor:
    """An executor of ``jobs`` processes. Fresh interpreters: a fork of one that has audited may inherit a lock of DuckDB's."""
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_follow, initargs=(os.getpid(),))


def _follow(parent: int) -> None:
    """Watch from a thread whether the parent lives."""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    """End this process once it has another parent: a killed one cannot say that its work is no longer wanted."""
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os._exit(1)
