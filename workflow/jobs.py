"""Running one job in the sandbox to its end: what it is given, what it may say at most, and how long it may take.

What a job says is foreign text. It is cut at a limit while it is said, so that a job can fill neither memory nor disk.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from workflow.errors import WorkerFailedError
from workflow.sandbox import Job, Sandbox

BLOCK = 1 << 16
LAST_WORDS = 1 << 16
"""Bytes kept of what a job writes to stderr."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds until the job is killed, and bytes that it may write to stdout."""

    seconds: float
    bytes: int


class Finished(NamedTuple):
    """A job that has ended by itself: exit code, stdout, the end of stderr."""

    code: int
    out: bytes
    words: str


def run(job: Job, sandbox: Sandbox, given: bytes, limits: Limits) -> Finished:
    """Run a job to its end with these bytes on stdin. Nothing of it survives.

    Raises WorkerFailedError when it takes too long or says too much, OSError when it cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="countersign-") as private:
        process = subprocess.Popen(
            sandbox.command(job),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=sandbox.environment(job, Path(private)),
            start_new_session=True,
        )
        with process:
            try:
                return _listened(process, given, limits)
            finally:
                _kill(process)


def _listened(process: subprocess.Popen[bytes], given: bytes, limits: Limits) -> Finished:
    """Feed stdin and read both outputs as they come."""
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None  # noqa: S101 - pipes were asked for
    out, words, deadline = bytearray(), b"", time.monotonic() + limits.seconds
    left = memoryview(given)
    with selectors.DefaultSelector() as ready:
        for stream in (process.stdout, process.stderr):
            ready.register(stream, selectors.EVENT_READ)
        os.set_blocking(process.stdin.fileno(), False)
        ready.register(process.stdin, selectors.EVENT_WRITE)
        while ready.get_map():
            found = ready.select(max(0.0, deadline - time.monotonic()))
            if time.monotonic() >= deadline:
                raise WorkerFailedError(f"it did not end within {limits.seconds:g} s{_tail(words)}")
            for key, _ in found:
                if key.fileobj is process.stdin:
                    left = _written(process, left)
                    if not left:
                        ready.unregister(process.stdin)
                        process.stdin.close()
                    continue
                block = os.read(key.fd, BLOCK)
                if not block:
                    ready.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    out += block
                    if len(out) > limits.bytes:
                        raise WorkerFailedError(f"it said more than {limits.bytes} bytes{_tail(words)}")
                else:
                    words = (words + block)[-LAST_WORDS:]
    try:
        code = process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise WorkerFailedError(f"it did not end within {limits.seconds:g} s{_tail(words)}") from None
    return Finished(code, bytes(out), words.decode(errors="replace"))


def _written(process: subprocess.Popen[bytes], left: memoryview) -> memoryview:
    """What is still to be written; nothing once the job does not listen any more."""
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    try:
        return left[os.write(process.stdin.fileno(), left[:BLOCK]) :] if left else left
    except BrokenPipeError:
        return left[:0]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the job and everything that it left in its session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _tail(words: bytes) -> str:
    return f": {last_words(words.decode(errors='replace'))}" if words.strip() else ""


def last_words(text: str, lines: int = 3) -> str:
    """The last lines of what a job wrote to stderr, as one short text."""
    return " | ".join(line.strip() for line in text.strip().splitlines()[-lines:])[:400]
