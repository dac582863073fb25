"""The life of one server process: start, watch, stop, and a search for whatever outlives the stop.

The campaign process becomes the reaper of orphans (Linux ``PR_SET_CHILD_SUBREAPER``), so a server that forks away from
its parent is still found among our descendants; a token in the environment finds it by another way.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import psutil

from workflow.errors import InfrastructureError, ServerFailedError

LAUNCH_MARK = "COUNTERSIGN_LAUNCH"
TERM_GRACE_S = 10.0
KILL_GRACE_S = 10.0
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class StopReport:
    """How a server ended: ``signal`` is the last one sent (None: it was gone already)."""

    exit_code: int | None
    signal: str | None
    seconds: float
    survivors: tuple[dict[str, Any], ...]
    port_closed: bool


class ProcessFacts(NamedTuple):
    """Command line, environment and thread count of a live process."""

    cmdline: tuple[str, ...]
    environ: dict[str, str]
    threads: int


def adopt_orphans() -> None:
    """Make this process the parent of orphaned descendants. Raises InfrastructureError where the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise InfrastructureError(f"prctl failed: {os.strerror(ctypes.get_errno())}", "Countersign campaigns need Linux.")


def free_port(wanted: int) -> int:
    """A loopback port nobody listens on: ``wanted``, or any for 0. Raises InfrastructureError when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise InfrastructureError(
                f"port {wanted} on 127.0.0.1 is taken ({error.strerror})",
                "Set `port: 0` in campaign.yaml to use any free port, or stop the process that holds it.",
            ) from error
        return int(probe.getsockname()[1])


def port_open(port: int) -> bool:
    """True when something accepts connections on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class ServerProcess:
    """One running server. Use as a context manager: leaving it stops the server and everything it started."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], log: IO[bytes], port: int) -> None:
        self.port = port
        self.token = uuid.uuid4().hex
        self._seen: dict[int, psutil.Process] = {}
        self.stopped: StopReport | None = None
        self.started_unix = time.time()
        self._before = {child.pid for child in psutil.Process().children(recursive=True)}
        try:
            self._child = subprocess.Popen(
                list(argv),
                env={**env, LAUNCH_MARK: self.token},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise InfrastructureError(
                f"cannot start {argv[0]!r}: {error.strerror}", "Install the engine and try again."
            ) from error

    @property
    def url(self) -> str:
        """Where it is to listen."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._child.poll()

    def tree(self) -> list[psutil.Process]:
        """The server, what it was started through, and their descendants; every process ever seen is remembered."""
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self._child.pid)
            for process in [root, *root.children(recursive=True)]:
                self._seen.setdefault(process.pid, process)
        return [process for process in self._seen.values() if process.is_running()]

    def server(self) -> psutil.Process | None:
        """The process that listens, or the youngest in line when none is known to: the one whose command line counts."""
        alive = self.tree()
        for process in alive:
            with contextlib.suppress(psutil.Error):
                if any(c.laddr and c.laddr.port == self.port and c.status == "LISTEN" for c in process.net_connections("tcp")):
                    return process
        below = [process for process in alive if process.pid != self._child.pid] or alive
        return below[-1] if below else None

    def facts(self) -> ProcessFacts | None:
        """What the live server runs with, read from the kernel; None when it is gone."""
        process = self.server()
        with contextlib.suppress(psutil.Error):
            if process is not None:
                return ProcessFacts(tuple(process.cmdline()), dict(process.environ()), process.num_threads())
        return None

    def require_alive(self, phase: str, log: Path) -> None:
        """Raise ServerFailedError with the end of the log when the server has exited."""
        if self.exit_code is not None:
            raise ServerFailedError(phase, "died", f"exit code {self.exit_code}; log ends: {tail(log)}")

    def stop(self) -> StopReport:
        """Ask the server to end, kill what does not, and report what was still alive after that. Safe to call twice."""
        if self.stopped is not None:
            return self.stopped
        began = time.monotonic()
        last = self._end()
        survivors = self._survivors()
        report = StopReport(self.exit_code, last, time.monotonic() - began, tuple(survivors), not port_open(self.port))
        self._kill_all()
        self.stopped = report
        return report

    def _end(self) -> str | None:
        """SIGTERM to the server itself, SIGKILL to the whole group when that is not enough; the last signal's name."""
        if self.exit_code is not None:
            return None
        target = self.server()
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if target is not None:
                target.send_signal(signal.SIGTERM)
        try:
            self._child.wait(TERM_GRACE_S)
            return "SIGTERM"
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(KILL_GRACE_S)
            return "SIGKILL"

    def _survivors(self) -> list[dict[str, Any]]:
        """Processes of this launch that live on after the stop, by descent or by token."""
        time.sleep(0.05)  # a namespace that was killed takes a moment to be gone
        found: dict[int, psutil.Process] = {p.pid: p for p in self._seen.values() if _alive(p)}
        for process in psutil.Process().children(recursive=True):
            if process.pid not in self._before and process.pid != self._child.pid and _alive(process):
                found[process.pid] = process
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(LAUNCH_MARK) == self.token and _alive(process):
                    found[process.pid] = process
        self._seen.update(found)
        return [{"pid": pid, "command": _command(process)} for pid, process in sorted(found.items())]

    def _kill_all(self) -> None:
        for process in self._seen.values():
            if process.pid == self._child.pid:
                continue
            with contextlib.suppress(psutil.Error):
                process.kill()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, 0 if _adopted(process) else os.WNOHANG)


def _adopted(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.ppid() == os.getpid()
    return False


def _alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _command(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(" ".join(process.cmdline()).split())[:200] or process.name()
    return "?"


def tail(path: Path, limit: int = 600) -> str:
    """The last lines of a log as one short text, for error messages."""
    data = path.read_bytes()[-limit:]
    return " | ".join(line.strip() for line in data.decode(errors="replace").splitlines() if line.strip()) or "(empty log)"
