"""Child processes of tests."""

from __future__ import annotations

import signal

import psutil


def heeds_ctrl_c() -> None:
    """For ``preexec_fn``: a test runner in the background of a script ignores SIGINT, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def alive(child: psutil.Process) -> bool:
    """Whether it still runs: neither gone (it may go between two questions about it) nor a zombie."""
    try:
        return bool(child.is_running() and child.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
