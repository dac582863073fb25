"""Servers that misbehave, end to end: real processes, real evidence, the auditor names what happened."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from audit import Verdict, audit_path
from tests.unit.measure.test_runner import LOAD, Letters, driver
from workflow.ledger import Ledger
from workflow.measure.execute import Bench, execute
from workflow.measure.plan import Plan
from workflow.measure.types import Leg, Settings
from workflow.sandbox import Sandbox


def measured(run_dir: Path, mode: str) -> Verdict:
    """One pair of launches, the candidate in this mode, and the verdict on it."""
    bench = Bench(driver(run_dir, Sandbox("none", "test")), Letters(), lambda: 1.0, lambda: 7, lambda *_: None)
    legs: dict[Leg, Settings] = {"ref": Settings({"mode": "fine"}), "cand": Settings({"mode": mode})}
    ledger = Ledger(run_dir / "ledger.jsonl", lambda: 1.0)
    execute(Plan("config/c01", legs, 1, 2, LOAD, min_repeat_s=0.5), run_dir, ledger, bench)
    request = {"scope": "patch", "cand_dir": "config/c01", "short_name": "c01", "change": {"flags": {"mode": mode}}}
    (run_dir / "audit_request.json").write_text(json.dumps(request))
    (verdict,) = audit_path(run_dir)
    return verdict


@pytest.mark.parametrize("mode", ["dies_at_start", "hangs_at_start", "dies_in_the_middle"])
def test_a_candidate_whose_server_fails_is_refuted_for_that_reason_first(tmp_path: Path, mode: str) -> None:
    verdict = measured(tmp_path, mode)
    assert (verdict.verdict, verdict.action, verdict.outcome) == ("FAIL", "eject", "refuted")
    assert "do no harm" in verdict.reasons[0]
    assert "config/c01/cand/launch_000/server.json" in verdict.reasons[0]
    assert not any("confound" in reason for reason in verdict.reasons)


def test_a_server_still_running_after_its_stop_fails_the_verdict_by_name(tmp_path: Path) -> None:
    verdict = measured(tmp_path, "leaves_a_child")
    server = json.loads((tmp_path / "config/c01/cand/launch_000/server.json").read_bytes())
    (survivor,) = server["stop"]["survivors"]
    assert not psutil.pid_exists(survivor["pid"]), "the stopwatch ends what it finds"
    assert verdict.verdict == "FAIL"
    named = [finding for finding in verdict.findings if finding.gate == "lifecycle" and finding.status == "fail"]
    assert any(str(survivor["pid"]) in finding.reason and "cand/launch_000" in finding.reason for finding in named)
