"""The command line over the real embedded engine: the smallest campaign there is, and Ctrl-C in the middle of one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support.children import alive, heeds_ctrl_c
from workflow.ledger import Ledger
from workflow.stopping import TOLD

CONFIG = """
workload: {concurrency: 4, output_len: 8, requests_per_repeat: 8, warmup_requests: 4}
measure: {aa_launches: 2, launches: 1, repeats: 1, min_repeat_s: 0.5}
max_candidates: 0
"""
WARMUP = 4
pytestmark = [pytest.mark.server, pytest.mark.usefixtures("bubblewrap")]


def command(tmp_path: Path, *words: str) -> list[str]:
    (tmp_path / "c.yaml").write_text(CONFIG)
    return [sys.executable, "-m", "workflow", "campaign", *words]


def test_json_is_one_object_on_stdout(tmp_path: Path) -> None:
    """Everything else goes to stderr; status agrees; the exit code is 0."""
    words = command(tmp_path, "run", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "runs"), "--id", "x", "--json")
    ended = subprocess.run(words, check=False, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    done = json.loads(ended.stdout)
    assert done["campaign_id"] == "x" and done["audited"] is False and Path(done["report"]).is_file()
    assert "Plan:" in ended.stderr and "baseline median" in ended.stderr
    status = subprocess.run(command(tmp_path, "status", done["run_dir"], "--json"), check=True, capture_output=True, text=True)
    assert json.loads(status.stdout)["phase"] == "finished"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_server_behind(tmp_path: Path, number: signal.Signals) -> None:
    """Exit 130, the next step named, no process left, nothing sealed that is not whole."""
    words = command(tmp_path, "run", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "runs"), "--id", "x")
    running = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeds_ctrl_c,  # noqa: PLW1509 - a signal disposition, nothing that could deadlock
    )
    run_dir = tmp_path / "runs" / "x"
    deadline = time.monotonic() + 120
    while not list(run_dir.glob("baseline/set_1/.launch_000.partial")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.0)
    servers = psutil.Process(running.pid).children(recursive=True)
    assert servers
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert f"next: countersign campaign resume {run_dir}" in err and "Traceback" not in err
    psutil.wait_procs(servers, timeout=5)
    assert not any(map(alive, servers))
    assert not list(run_dir.rglob("*.partial"))
    assert not Ledger(run_dir / "ledger.jsonl", time.time, read_only=True).of_kind("sealed")


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_in_a_timed_repeat(tmp_path: Path, presses: int) -> None:
    """Once: the repeat comes to its end, and the launch that is whole with it is sealed. Twice: it is aborted."""
    words = command(tmp_path, "run", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "runs"), "--id", "x")
    (tmp_path / "c.yaml").write_text(CONFIG.replace("min_repeat_s: 0.5", "min_repeat_s: 4.0"))
    running = subprocess.Popen(
        words,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeds_ctrl_c,  # noqa: PLW1509 - a signal disposition, nothing that could deadlock
    )
    run_dir = tmp_path / "runs" / "x"
    asked = run_dir / ".state" / "server.log"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        begun = (run_dir / "baseline/set_1/.launch_000.partial").exists()
        if begun and asked.read_text(errors="replace").count("[Request received]") > WARMUP + 4:
            break
        time.sleep(0.05)
    servers = psutil.Process(running.pid).children(recursive=True)
    for _ in range(presses):
        running.send_signal(signal.SIGINT)
        time.sleep(0.5)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert f"next: countersign campaign resume {run_dir}" in err and "Traceback" not in err
    psutil.wait_procs(servers, timeout=5)
    assert servers and not any(map(alive, servers)) and not list(run_dir.rglob("*.partial"))
    sealed = Ledger(run_dir / "ledger.jsonl", time.time, read_only=True).of_kind("sealed")
    if presses == 1:
        assert TOLD in err and [entry.body["launch_id"] for entry in sealed] == ["baseline/set_1/launch_000"]
        (row,) = (run_dir / "baseline/set_1/launch_000/bench_runs.jsonl").read_text().splitlines()
        assert json.loads(row)["duration"] >= 2.0
    else:
        assert not sealed
