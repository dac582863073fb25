"""Server processes: what is alive after a stop is found, named and killed."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import psutil
import pytest

from workflow.errors import InfrastructureError, ServerFailedError
from workflow.measure.processes import ServerProcess, adopt_orphans, free_port, port_open

LISTEN = """
import socket, sys, time, signal, os
{before}
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen()
print("up", flush=True)
while True: time.sleep(0.1)
"""
FORK_AWAY = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        {wipe}
        time.sleep(60)
    os._exit(0)
os.wait()
"""
WIPE = "os.execve(sys.executable, [sys.executable, '-c', 'import time; time.sleep(60)'], {})"


def start(tmp_path: Path, before: str = "") -> ServerProcess:
    adopt_orphans()
    port = free_port(0)
    with (tmp_path / "log").open("wb") as log:
        process = ServerProcess([sys.executable, "-c", LISTEN.format(before=before), str(port)], {}, log, port)
    deadline = time.monotonic() + 10
    while not port_open(port) and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def test_a_well_behaved_server_ends_on_sigterm(tmp_path: Path) -> None:
    process = start(tmp_path)
    found = process.server()
    assert found is not None
    assert str(process.port) in found.cmdline()
    report = process.stop()
    assert (report.signal, report.exit_code, report.survivors, report.port_closed) == ("SIGTERM", -15, (), True)
    assert process.stop() is report


@pytest.mark.parametrize("wipe", ["pass", WIPE], ids=["keeps the token", "wipes its environment"])
def test_a_process_that_forked_away_is_named_and_killed(tmp_path: Path, wipe: str) -> None:
    process = start(tmp_path, FORK_AWAY.format(wipe=wipe))
    time.sleep(0.3)
    report = process.stop()
    assert len(report.survivors) == 1
    survivor = report.survivors[0]
    assert "python" in survivor["command"]
    deadline = time.monotonic() + 3
    while psutil.pid_exists(survivor["pid"]) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not psutil.pid_exists(survivor["pid"])


def test_a_server_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflow.measure.processes.TERM_GRACE_S", 0.3)
    process = start(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    report = process.stop()
    assert (report.signal, report.port_closed) == ("SIGKILL", True)


def test_a_server_that_died_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    process = start(tmp_path, "print('no such kernel', flush=True); sys.exit(7)")
    try:
        with pytest.raises(ServerFailedError, match="exit code 7; log ends: no such kernel") as caught:
            process.require_alive("start", tmp_path / "log")
        assert caught.value.phase == "start"
    finally:
        process.stop()


def test_a_taken_port_is_said_before_anything_starts() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(InfrastructureError, match="is taken"):
            free_port(holder.getsockname()[1])
