"""The command around the proof: what may be accepted, and that nothing of it outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from proof import figures
from proof.figures import Fall
from tests.support.children import alive
from workflow.commands import proof as command
from workflow.errors import UsageError

LOWER = [Fall("lies caught", 1.0, 0.5)]
CODE = """
import sys, time
from proof.pool import pool
if __name__ == "__main__":
    with pool(2) as workers:
        print("ready", list(workers.map(abs, [1, 2])), flush=True)
        list(workers.map(time.sleep, [60, 60]))
"""


@pytest.mark.parametrize("note", ["none", "README.md", "docs/decisions/", "/etc/hostname", "docs/decisions/0000-not-there.md"])
def test_only_a_decision_note_lowers_a_figure(note: str) -> None:
    """A file that exists somewhere is no reason; nothing is written."""
    before = figures.FIGURES.read_bytes()
    with pytest.raises(UsageError, match="no decision note"):
        command._accepted(note, LOWER, {})
    assert figures.FIGURES.read_bytes() == before


@pytest.mark.parametrize(
    "asked",
    [
        command.Asked("full", accept="docs/decisions/0011-x.md"),
        command.Asked("quick", seed=1, accept="docs/decisions/0011-x.md"),
        command.Asked("quick", worlds=False, accept="docs/decisions/0011-x.md"),
    ],
)
def test_only_the_standard_quick_proof_commits_figures(asked: command.Asked) -> None:
    """Anything else is refused before any work, not ignored after it."""
    with pytest.raises(UsageError, match="--accept"):
        command.proof_command(asked, "text")


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """SIGKILL leaves no time to say goodbye; the workers notice within seconds."""
    script = tmp_path / "parent.py"
    script.write_text(CODE, encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(Path(command.__file__).parents[2])}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=env) as parent:
        assert parent.stdout is not None and parent.stdout.readline().startswith(b"ready")
        workers = psutil.Process(parent.pid).children(recursive=True)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert workers
    deadline = time.monotonic() + 20
    while any(map(alive, workers)):
        assert time.monotonic() < deadline, workers
        time.sleep(0.2)
