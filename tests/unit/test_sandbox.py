"""What confined code can and cannot do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workflow.sandbox import Job, Sandbox, detect

pytestmark = pytest.mark.sandbox


def run(sandbox: Sandbox, code: str, **extra: object) -> subprocess.CompletedProcess[str]:
    job = Job(argv=[sys.executable, "-c", code], env={"SEEN": "yes"}, **extra)  # type: ignore[arg-type]  # test shorthand
    return subprocess.run(
        sandbox.command(job),
        env=sandbox.environment(job, Path("/nonexistent")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_runs_our_interpreter_as_nobody_with_a_cleared_environment(
    bubblewrap: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    done = run(bubblewrap, "import os; print(os.getuid(), sorted(os.environ))")
    assert done.stdout.startswith("65534 "), done.stderr
    assert "SECRET_KEY" not in done.stdout
    assert "SEEN" in done.stdout


def test_the_run_directory_is_not_there_and_the_model_cannot_be_written(bubblewrap: Sandbox, tmp_path: Path) -> None:
    model, run_dir = tmp_path / "model", tmp_path / "model" / "runs"
    run_dir.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (run_dir / "ledger.jsonl").write_text("secret")
    code = f"""
from pathlib import Path
print("model", Path({str(model)!r}, "config.json").read_text())
print("ledger", Path({str(run_dir)!r}, "ledger.jsonl").exists())
try:
    Path({str(model)!r}, "x").write_text("x"); print("WROTE")
except OSError as error:
    print("refused", error.errno)
"""
    done = run(bubblewrap, code, readable=[model], hidden=[run_dir])
    assert done.stdout.splitlines() == ["model {}", "ledger False", "refused 30"], done.stderr


def test_other_processes_and_the_network_are_out_of_sight(bubblewrap: Sandbox) -> None:
    code = """
import os, socket
print(sum(name.isdigit() for name in os.listdir("/proc")))
s = socket.socket(); s.settimeout(2)
try:
    s.connect(("127.0.0.1", 9)); print("CONNECTED")
except OSError as error:
    print(type(error).__name__)
print([name for _, name in socket.if_nameindex()])
"""
    lines = run(bubblewrap, code).stdout.splitlines()
    assert int(lines[0]) <= 2
    assert lines[2] in ("['lo']", "[]")


def test_no_namespace_inside_a_namespace(bubblewrap: Sandbox) -> None:
    done = run(bubblewrap, "import os; os.unshare(os.CLONE_NEWUSER)" if hasattr(os, "unshare") else UNSHARE)
    assert done.returncode != 0


UNSHARE = """
import ctypes, sys
sys.exit(1 if ctypes.CDLL(None, use_errno=True).unshare(0x10000000) != 0 else 0)
"""


def test_private_tmp_is_of_limited_size(bubblewrap: Sandbox) -> None:
    code = """
try:
    open("/tmp/big", "wb").write(b"x" * (8 * 2**20)); print("WROTE")
except OSError as error:
    print("refused", error.errno)
"""
    assert run(bubblewrap, code, tmp_mib=4).stdout.strip() == "refused 28"


def test_without_bubblewrap_the_fallback_says_that_it_is_weaker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = detect()
    assert found.kind == "none"
    assert "not installed" in found.detail
    job = Job(argv=["/usr/bin/true"], env={"A": "b"})
    assert found.command(job) == ["/usr/bin/true"]
    assert found.environment(job, tmp_path) == {"A": "b", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
