"""Jobs in the sandbox: what they are given, what they may say at most, how long they may take, and that nothing survives."""

from __future__ import annotations

import sys
import time

import psutil
import pytest

from tests.support.children import alive
from workflow.errors import WorkerFailedError
from workflow.jobs import LAST_WORDS, Limits, last_words, run
from workflow.sandbox import Job, Sandbox, detect

PLAIN = Sandbox("none", "plain")


def job(code: str) -> Job:
    """Python without site packages."""
    return Job([sys.executable, "-I", "-c", code], {"PATH": "/usr/bin:/bin"})


def test_a_job_is_given_bytes_and_says_bytes() -> None:
    """More than a pipe holds, both ways, while it also writes to stderr."""
    code = "import sys; b = sys.stdin.buffer.read(); sys.stderr.write('x' * 200000); sys.stdout.buffer.write(b[::-1])"
    given = bytes(range(256)) * 4000
    found = run(job(code), PLAIN, given, Limits(30, len(given)))
    assert (found.code, found.out) == (0, given[::-1]) and found.words == "x" * LAST_WORDS


def test_a_job_that_does_not_listen() -> None:
    """Closes its stdin, says its word and goes with its own exit code."""
    found = run(job("import os, sys; os.close(0); print('done'); sys.exit(7)"), PLAIN, b"z" * 10**6, Limits(30, 100))
    assert (found.code, found.out) == (7, b"done\n")


@pytest.mark.parametrize("kind", ["plain", pytest.param("confined", marks=pytest.mark.sandbox)])
def test_a_job_that_hangs_is_ended_with_its_children(kind: str, request: pytest.FixtureRequest) -> None:
    """After the limit, also one that ignores signals and leaves a process behind."""
    sandbox = PLAIN if kind == "plain" else request.getfixturevalue("bubblewrap")
    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('why not', file=sys.stderr); "
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)']); time.sleep(99)"
    )
    begun = time.monotonic()
    with pytest.raises(WorkerFailedError, match="did not end within 1 s: why not"):
        run(job(code), sandbox, b"", Limits(1, 100))
    assert time.monotonic() - begun < 15
    while any(map(alive, psutil.Process().children(recursive=True))) and time.monotonic() - begun < 15:
        time.sleep(0.05)  # a process that was killed takes a moment to be gone
    assert not [child for child in psutil.Process().children(recursive=True) if alive(child)]


def test_a_job_that_says_too_much_is_ended() -> None:
    """It cannot fill the memory of the campaign."""
    with pytest.raises(WorkerFailedError, match="said more than 1000000 bytes"):
        run(job("while True: print('x' * 1000)"), PLAIN, b"", Limits(30, 1_000_000))


def test_a_job_that_closes_its_outputs_and_stays() -> None:
    """Silence is not the end."""
    with pytest.raises(WorkerFailedError, match="did not end"):
        run(job("import os, time; os.close(1); os.close(2); time.sleep(99)"), PLAIN, b"", Limits(1, 100))


def test_a_job_that_cannot_be_started() -> None:
    """An operating system's error, as it is."""
    with pytest.raises(OSError, match="nowhere"):
        run(Job(["/nowhere/program"], {}), PLAIN, b"", Limits(1, 100))


def test_last_words_are_short() -> None:
    """Three lines, four hundred letters."""
    assert last_words("a\n b \nc\nd\n") == "b | c | d" and len(last_words("x" * 9999)) == 400


def test_the_sandbox_of_this_machine_runs_jobs() -> None:
    """Whatever there is."""
    assert run(job("print(1)"), detect(), b"", Limits(30, 100)).out == b"1\n"
