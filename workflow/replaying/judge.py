"""One judge: a child process that audits run after run, with a wall clock on every answer."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from workflow.replaying.cage import Cage
from workflow.sandbox import Job, Sandbox

BLOCK = 1 << 20
LAST_WORDS = 300
"""Characters kept of what a dead judge wrote to stderr."""
STOP_S = 5.0


class Answer(NamedTuple):
    """What became of one run: its verdicts, or ``{code, message, next_step}``."""

    verdicts: list[dict[str, Any]]
    error: dict[str, str] | None = None


class JudgeDiedError(Exception):
    """The process ended, or said something that is no answer. Its last words are the message."""


class JudgeLateError(Exception):
    """No answer within the limit."""


def refusal(code: str, message: str, next_step: str = "") -> Answer:
    """An answer that is an error."""
    return Answer([], {"code": code, "message": message, "next_step": next_step})


class Judge:
    """A started process. ``ask`` may be called again and again until it raises; then only ``end`` is left to do."""

    def __init__(self, cage: Cage, runs: Sequence[Path], private_tmp: Path) -> None:
        """Start a judge that can see these runs. Raises OSError when no process can be made."""
        self._cage, self._runs = cage, runs
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end
        self._left = b""
        self._process = start(cage.sandbox, cage.job(runs), private_tmp, self._words.fileno())

    def ask(self, number: int, limit_s: float) -> Answer:
        """The answer on run ``number`` of those given. Raises JudgeDiedError or JudgeLateError."""
        place = self._cage.place(number, self._runs[number])
        question = json.dumps({"id": number, "path": place, "policy": self._cage.asked_policy()})
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        try:
            self._process.stdin.write(question.encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._died() from None
        return self._understood(number, self._line(time.monotonic() + limit_s))

    def _line(self, deadline: float) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        handle, parts = self._process.stdout.fileno(), [self._left]
        ready = select.poll()
        ready.register(handle, select.POLLIN | select.POLLHUP)
        while b"\n" not in parts[-1]:
            left = deadline - time.monotonic()
            if left <= 0 or not ready.poll(1000 * left):
                raise JudgeLateError
            read = os.read(handle, BLOCK)
            if not read:
                raise self._died()
            parts.append(read)
        line, _, self._left = b"".join(parts).partition(b"\n")
        return line

    def _understood(self, number: int, line: bytes) -> Answer:
        try:
            said = json.loads(line)
            if said["id"] != number:
                raise ValueError("an answer to another question")
            if "error" in said:
                return Answer([], {key: str(said["error"][key]) for key in ("code", "message", "next_step")})
            if not all(isinstance(item["verdict"], str) and isinstance(item["reasons"], list) for item in said["verdicts"]):
                raise ValueError("no verdicts in it")
            return Answer(said["verdicts"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise JudgeDiedError(f"the judge said something that is no answer ({type(error).__name__})") from error

    def _died(self) -> JudgeDiedError:
        self.kill()
        code = self._process.wait()
        self._words.seek(max(0, self._words.seek(0, os.SEEK_END) - LAST_WORDS))
        words = self._words.read().decode(errors="replace").strip().rpartition("\n")[2]
        how = f"signal {-code}" if code < 0 else f"exit {code}"
        return JudgeDiedError(f"the judge died ({how})" + (f": {words}" if words else ""))

    def kill(self) -> None:
        """End the process and everything of it at once. May be called from another thread, and again."""
        if self._process.poll() is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return

    def end(self, *, at_once: bool = False) -> None:
        """Let the judge go: it ends with its stdin, or is killed, and is waited for."""
        process = self._process
        try:
            if process.stdin is not None:
                process.stdin.close()
        except OSError:
            at_once = True
        try:
            process.wait(0 if at_once else STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
        self._words.close()


def start(sandbox: Sandbox, job: Job, private_tmp: Path, words: int) -> subprocess.Popen[bytes]:
    """The process, in a session of its own: Ctrl-C is for us, who then end it."""
    listed = os.memfd_create("places")
    try:
        argv, packed = sandbox.packed(job, listed)
        with os.fdopen(os.dup(listed), "wb") as stream:
            stream.write(packed)
        os.lseek(listed, 0, os.SEEK_SET)
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            env=sandbox.environment(job, private_tmp),
            pass_fds=(listed,),
            start_new_session=True,
        )
    finally:
        os.close(listed)
