"""Child processes of tests."""

from __future__ import annotations

import signal


def heeds_ctrl_c() -> None:
    """For ``preexec_fn``: a test runner in the background of a script ignores SIGINT, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
