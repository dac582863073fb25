"""The campaign with its auditor: no bank without a verdict, and the same verdicts again from the directory alone."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import workflow.audit_nodes
from audit import Verdicts, audit_path, canonical_json
from tests.support.campaigns import ListSink, services, small_config, tree
from tests.support.simulated import FakeClock, SimulatedDriver, World
from workflow.campaign import Outcome, resume, run
from workflow.cli import main
from workflow.config import MeasureConfig
from workflow.ledger import Ledger

MEASURE = MeasureConfig(aa_launches=4, launches=3, repeats=2, final_launches=3, min_repeat_s=3.0)


def ledger_of(run_dir: Path) -> Ledger:
    return Ledger(run_dir / "ledger.jsonl", lambda: 0.0, read_only=True)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One audited campaign: batching is a true gain, bfloat16 a true loss."""
    return run(small_config(use_auditor=True, measure=MEASURE), services(), tmp_path_factory.mktemp("audited"))


def test_a_true_gain_is_banked_on_its_verdict(audited: Outcome) -> None:
    """The bank names the digest of the verdict it rests on."""
    ledger = ledger_of(audited.run_dir)
    bank = ledger.get("bank/c01-continuous-batching")
    verdicts = {verdict.short_name: verdict for verdict in audit_path(audited.run_dir)}
    assert bank is not None and bank.body["audited"] is True
    signed = verdicts["c01-continuous-batching"]
    assert signed.verdict in ("PASS", "FLAG")
    assert bank.body["verdict_sha256"] == hashlib.sha256(canonical_json(signed).encode()).hexdigest()
    assert audited.dropped == ("c02-dtype-bfloat16",)


def test_a_loss_is_refuted(audited: Outcome) -> None:
    """And says so in the report, with its reasons."""
    drop = ledger_of(audited.run_dir).get("drop/c02-dtype-bfloat16")
    assert drop is not None and drop.body["refuted"] is True
    text = audited.report.read_text()
    assert "**Audited.**" in text and "UNAUDITED" not in text and "refuted" in text


def test_the_reports_come_again_from_the_directory_alone(audited: Outcome) -> None:
    """Byte for byte what the campaign wrote; every verdict is the one that the ledger recorded."""
    names = ("report.html", "report.md", "report.json")
    before = {name: (audited.run_dir / name).read_bytes() for name in names}
    assert audited.page == audited.run_dir / "report.html" and audited.as_dict()["page"] == str(audited.page)
    assert main(["campaign", "report", str(audited.run_dir)]) == 0
    assert {name: (audited.run_dir / name).read_bytes() for name in names} == before
    facts = json.loads(before["report.json"])
    assert {item["verdict_file"] for item in (*facts["baseline"], *facts["candidates"], facts["final"])} == {"as recorded"}
    assert facts["stopped"] == "levers" and "25 launches ran without a sandbox" in before["report.html"].decode()


def test_the_verdicts_come_again_from_the_directory_alone(audited: Outcome, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Byte for byte what ``countersign audit DIR --format json`` prints; also with every claim file blanked."""
    stored = (audited.run_dir / "verdicts.json").read_bytes()
    main(["audit", str(audited.run_dir), "--format", "json"])
    assert capfdbinary.readouterr().out == stored
    assert [item["short_name"] for item in json.loads(stored)] == [name for name, _, _ in audited.verdicts]


def test_a_judge_that_crashes_has_not_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is banked, the campaign ends, the traceback is in the log."""

    def broken(_: Path) -> Verdicts:
        raise ZeroDivisionError("no rows")

    monkeypatch.setattr(workflow.audit_nodes, "audit_path", broken)
    done = run(small_config(use_auditor=True, auditor_max_fix=0), services(), tmp_path)
    assert done.banked == () and set(done.dropped) == {"c01-continuous-batching", "c02-dtype-bfloat16"}
    assert "the auditor crashed: ZeroDivisionError" in done.report.read_text()
    assert "Traceback" in (done.run_dir / "log.jsonl").read_text()


def test_what_was_left_open_is_measured_afresh_and_then_dropped(tmp_path: Path) -> None:
    """A gain that noise hides goes back once; the second attempt has its own directory, launches and audit."""
    world = World(speed={"continuous_batching=True": 1.06}, launch_noise=0.06)
    sink = ListSink()
    config = small_config(use_auditor=True, measure=MEASURE, auditor_max_fix=1, levers=("continuous-batching",))
    done = run(config, services(world, sink=sink), tmp_path)
    ledger = ledger_of(done.run_dir)
    first = ledger.get("verdict/c01-continuous-batching")
    assert first is not None and first.body["outcome"] in ("underpowered", "not_measured")
    assert ledger.get("sealed/config/c01-continuous-batching-try2/cand/launch_002") is not None
    assert ledger.get("request/c01-continuous-batching-try2") is not None
    assert done.banked == () and done.dropped == ("c01-continuous-batching-try2",)
    assert any("back to its producer" in line for line in sink.said)


def test_a_noisy_baseline_is_measured_again_within_the_bound(tmp_path: Path) -> None:
    """A whole new set, the old one kept; then the campaign goes on, marked."""
    world = World(launch_noise=0.15)
    config = small_config(use_auditor=True, measure=MEASURE, auditor_max_remeasure=1, max_candidates=0, noise_band_pct=2.0)
    done = run(config, services(world), tmp_path)
    names = [name for name, _, _ in done.verdicts]
    assert names == ["baseline", "baseline-set2"]
    assert (done.run_dir / "baseline/set_1").is_dir() and (done.run_dir / "baseline/set_2").is_dir()


@pytest.mark.parametrize("where", ["append:14:after", "node:decide:after", "node:bank:before", "write:verdicts.json"])
def test_kill_9_with_an_auditor(tmp_path: Path, where: str) -> None:
    """After resume no verdict, bank or row is doubled, and every bank has its verdict."""
    command = [sys.executable, "-m", "tests.support.killed", str(tmp_path), where, "--audit"]
    assert subprocess.run(command, check=False, timeout=180).returncode == -signal.SIGKILL
    drivers: list[SimulatedDriver] = []
    done = resume(tmp_path / "sim", services(clock=FakeClock(1_800_500_000.0), drivers=drivers))
    keys = [entry.key for entry in ledger_of(done.run_dir).entries]
    assert len(keys) == len(set(keys)) and keys[-1] == "finished"
    for name in done.banked:
        assert keys.index(f"verdict/{name}") < keys.index(f"bank/{name}")
    assert len(drivers[0].launched) == len(set(drivers[0].launched))
    assert not [name for name in tree(done.run_dir) if name.endswith((".tmp", ".partial"))]
