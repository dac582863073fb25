"""A server still running after its stop, end to end: real processes, real evidence, the auditor names it."""

from __future__ import annotations

import json
from pathlib import Path

import psutil

from audit import audit_path
from tests.unit.measure.test_runner import LOAD, Letters, driver
from workflow.ledger import Ledger
from workflow.measure.execute import Bench, execute
from workflow.measure.plan import Plan
from workflow.measure.types import Settings
from workflow.sandbox import Sandbox

REQUEST = {"scope": "patch", "cand_dir": "config/c01", "short_name": "c01", "change": {"flags": {"mode": "leaves_a_child"}}}


def test_a_server_still_running_after_its_stop_fails_the_verdict_by_name(tmp_path: Path) -> None:
    bench = Bench(driver(tmp_path, Sandbox("none", "test")), Letters(), lambda: 1.0, lambda: 7, lambda *_: None)
    ledger = Ledger(tmp_path / "ledger.jsonl", lambda: 1.0)
    legs = {"ref": Settings({"mode": "fine"}), "cand": Settings({"mode": "leaves_a_child"})}
    execute(Plan("config/c01", legs, 1, 2, LOAD, min_repeat_s=0.5), tmp_path, ledger, bench)  # type: ignore[arg-type]  # literal keys
    server = json.loads((tmp_path / "config/c01/cand/launch_000/server.json").read_bytes())
    (survivor,) = server["stop"]["survivors"]
    assert not psutil.pid_exists(survivor["pid"]), "the stopwatch ends what it finds"
    (tmp_path / "audit_request.json").write_text(json.dumps(REQUEST))
    (verdict,) = audit_path(tmp_path)
    assert verdict.verdict == "FAIL"
    named = [finding for finding in verdict.findings if finding.gate == "lifecycle" and finding.status == "fail"]
    assert any(f"pid {survivor['pid']}" in finding.reason and "cand/launch_000" in finding.reason for finding in named)
