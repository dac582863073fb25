"""The whole campaign without an auditor, over simulated servers and an injected clock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.campaigns import ListSink, services, small_config, tree
from tests.support.simulated import FakeClock, SimulatedDriver, World
from workflow.campaign import resume, run
from workflow.errors import ConfigError, EvidenceError, InfrastructureError, OwnedError, UsageError
from workflow.ledger import Ledger
from workflow.owner import owned, owner
from workflow.status import status


def ledger_of(run_dir: Path) -> Ledger:
    return Ledger(run_dir / "ledger.jsonl", lambda: 0.0, read_only=True)


def test_a_gain_is_banked_and_a_loss_is_dropped_on_top_of_it(tmp_path: Path) -> None:
    """The second candidate is measured on top of the first; the final compares the bundle with the true baseline."""
    sink = ListSink()
    done = run(small_config(), services(sink=sink), tmp_path)
    assert (done.banked, done.dropped, done.stopped) == (("c01-continuous-batching",), ("c02-dtype-bfloat16",), "levers")
    ledger = ledger_of(done.run_dir)
    kinds = [entry.kind for entry in ledger.entries]
    assert kinds[0] == "campaign_created" and kinds[-1] == "finished"
    ref = json.loads((done.run_dir / "config/c02-dtype-bfloat16/ref/launch_000/server.json").read_bytes())
    assert ref["requested"]["flags"] == {"continuous_batching": True}
    final = json.loads((done.run_dir / "final/ref/launch_000/server.json").read_bytes())
    assert final["requested"]["flags"] == {}
    bank = ledger.get("bank/c01-continuous-batching")
    assert bank is not None and bank.body["audited"] is False and bank.body["verdict_sha256"] is None
    assert any("UNAUDITED" in line for line in sink.said)
    claim = json.loads((done.run_dir / "config/c02-dtype-bfloat16/proposal.json").read_bytes())
    assert "continuous-batching (+2" in claim["why"] and "on top of it" in claim["why"]


def test_requests_are_written_without_an_auditor(tmp_path: Path) -> None:
    """Anyone can audit later: one request for each thing measured, its digest in the ledger before anything is decided."""
    done = run(small_config(noise_band_pct=4.0), services(), tmp_path)
    requests = json.loads((done.run_dir / "audit_request.json").read_bytes())
    assert [(item["short_name"], item["scope"]) for item in requests] == [
        ("baseline", "baseline"),
        ("c01-continuous-batching", "patch"),
        ("c02-dtype-bfloat16", "patch"),
        ("final", "bundle"),
    ]
    assert requests[2]["baseline_throughput"] == ledger_of(done.run_dir).of_kind("bank")[0].body["median_tok_s"]
    assert requests[1]["change"] == {
        "lever": "continuous-batching",
        "flags": {"continuous_batching": True},
        "env": {},
        "overlay": [],
    }
    assert requests[3]["accepted"] == [requests[1]["change"]] and requests[1]["noise_band_pct"] == 4.0
    keys = [entry.key for entry in ledger_of(done.run_dir).entries]
    assert keys.index("request/c01-continuous-batching") < keys.index("bank/c01-continuous-batching")
    assert not (done.run_dir / "verdicts.json").exists()


def test_the_report_says_what_was_tried_and_that_nobody_audited_it(tmp_path: Path) -> None:
    """Figures, decisions, winning command; the same facts in report.json."""
    done = run(small_config(), services(), tmp_path)
    text, facts = done.report.read_text(), json.loads((done.run_dir / "report.json").read_bytes())
    assert "**UNAUDITED.**" in text and "c01-continuous-batching: banked" in text and "--continuous-batching" in text
    assert facts["winner"]["flags"] == {"continuous_batching": True} and facts["error_budget"]["looks_spent"] == 2
    assert facts["candidates"][0]["cand"]["launches"] == 2 and facts["final"]["measured"] is True


def test_the_auditor_is_never_imported_when_it_is_off(tmp_path: Path) -> None:
    """Not even indirectly: a fresh process ends without ``audit`` in sys.modules."""
    code = (
        "import sys; from pathlib import Path; from tests.support.campaigns import *; from workflow.campaign import run;"
        f"run(small_config(), services(), Path({str(tmp_path)!r}));"
        "sys.exit(any(n.split('.')[0] == 'audit' for n in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_candidate_whose_server_dies_is_dropped_for_good(tmp_path: Path) -> None:
    """Its launch is sealed as failed, its plan ends early, and the campaign goes on with the next lever."""
    world = World(fail={"config/c01-continuous-batching/cand/*": "load"})
    drivers: list[SimulatedDriver] = []
    done = run(small_config(), services(world, drivers=drivers), tmp_path)
    ledger = ledger_of(done.run_dir)
    drop = ledger.get("drop/c01-continuous-batching")
    assert drop is not None and drop.body["refuted"] is True and "server failed" in drop.body["reason"]
    assert not any("c01-continuous-batching/cand/launch_001" in name for name in drivers[0].launched)
    assert ledger.get("proposal/c02-dtype-bfloat16") is not None


def test_nothing_banked_means_no_final(tmp_path: Path) -> None:
    """The final is skipped and the report says so."""
    done = run(small_config(), services(World(speed={})), tmp_path)
    assert done.banked == () and not (done.run_dir / "final").exists()
    assert "Not measured: nothing was banked" in done.report.read_text()


def test_a_reference_that_fails_is_nobodys_candidate(tmp_path: Path) -> None:
    """InfrastructureError with the next step; nothing of it is sealed; resume goes on when the machine is well again."""
    broken = World(fail={"config/c01-continuous-batching/ref/launch_001": "load"})
    with pytest.raises(InfrastructureError) as caught:
        run(small_config(), services(broken), tmp_path)
    assert "resume" in caught.value.next_step
    run_dir = tmp_path / "sim"
    assert not list(run_dir.rglob("*.partial"))
    assert status(run_dir).phase == "c01-continuous-batching" and "resume" in status(run_dir).next_step
    done = resume(run_dir, services(clock=FakeClock(1_800_100_000.0)))
    assert done.banked == ("c01-continuous-batching",)


def test_the_time_budget_ends_proposing_and_the_report_is_partial(tmp_path: Path) -> None:
    """Resting between sessions does not count; only work does."""
    done = run(small_config(wall_minutes=0.6), services(), tmp_path)
    assert done.stopped == "wall" and "**Partial.**" in done.report.read_text()
    assert status(done.run_dir).phase == "finished"


def test_candidates_are_bounded(tmp_path: Path) -> None:
    """max_candidates 0 measures the baseline alone; 1 stops after one direction."""
    none = run(small_config(max_candidates=0), services(), tmp_path / "none")
    one = run(small_config(max_candidates=1), services(), tmp_path / "one")
    assert (none.banked, none.dropped, none.stopped) == ((), (), "candidates")
    assert one.banked == ("c01-continuous-batching",) and one.stopped == "candidates"


def test_a_second_run_on_the_same_directory_says_resume(tmp_path: Path) -> None:
    """And resuming a finished campaign changes no byte."""
    done = run(small_config(), services(), tmp_path)
    with pytest.raises(UsageError) as caught:
        run(small_config(), services(), tmp_path)
    assert "campaign resume" in caught.value.next_step
    before = tree(done.run_dir)
    drivers: list[SimulatedDriver] = []
    assert resume(done.run_dir, services(drivers=drivers)) == done
    assert tree(done.run_dir) == before and drivers[0].launched == []


def test_a_foreign_directory_is_left_alone(tmp_path: Path) -> None:
    """A directory that is no campaign is neither run into nor resumed."""
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError):
        run(small_config(), services(), tmp_path)
    with pytest.raises(UsageError):
        resume(tmp_path / "sim", services())
    assert [path.name for path in (tmp_path / "sim").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("name", ["../up", "", ".hidden", "a/b", "x" * 65])
def test_ids_are_plain_names(tmp_path: Path, name: str) -> None:
    """An id can not leave --out."""
    with pytest.raises(UsageError):
        run(small_config(), services(), tmp_path, name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", [{"levers": ("warp",)}, {"levers": ("compile", "compile")}, {"flags": {"gpu": 1}}])
def test_what_the_engine_does_not_know_is_refused_before_anything_is_created(tmp_path: Path, change: dict[str, object]) -> None:
    """Undeclared levers and flags are configuration errors."""
    with pytest.raises(ConfigError):
        run(small_config(**change), services(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_owner(tmp_path: Path) -> None:
    """A second process on the same directory is told who has it; the lock is free again when its holder is gone."""
    run_dir = tmp_path / "sim"
    caught: list[OwnedError] = []

    def intrude(number: int, _: str) -> None:
        if number == 1:
            assert "pid" in (owner(run_dir) or "") and status(run_dir).next_step == "wait for its owner"
            with pytest.raises(OwnedError) as error, owned(run_dir):
                pass
            caught.append(error.value)

    run(small_config(), services(World(on_launch=intrude)), tmp_path)
    assert f"pid {os.getpid()}" in str(caught[0]) and caught[0].next_step
    assert owner(run_dir) is None


def test_an_interrupt_seals_nothing_half_done(tmp_path: Path) -> None:
    """Ctrl-C in a launch: no partial directory, no ledger line for it; resume measures it and ends as if undisturbed."""

    def stop(number: int, _: str) -> None:
        if number == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(small_config(), services(World(on_launch=stop)), tmp_path / "a")
    run_dir = tmp_path / "a" / "sim"
    assert not list(run_dir.rglob("*.partial")) and owner(run_dir) is None
    resume(run_dir, services(clock=FakeClock(1_800_100_000.0)))
    whole = run(small_config(), services(), tmp_path / "b")
    assert sorted(e.key for e in ledger_of(run_dir).entries) == sorted(e.key for e in ledger_of(whole.run_dir).entries)


def test_an_edited_configuration_stops_a_resume(tmp_path: Path) -> None:
    """campaign.json is checked against the digest in the ledger."""
    done = run(small_config(), services(), tmp_path)
    path = done.run_dir / "campaign.json"
    path.write_text(path.read_text().replace('"noise_band_pct": 5.0', '"noise_band_pct": 0.1'))
    with pytest.raises(EvidenceError):
        resume(done.run_dir, services())


def test_a_doctored_launch_stops_a_resume(tmp_path: Path) -> None:
    """Sealed rows are verified again before a campaign goes on with them."""
    with pytest.raises(InfrastructureError):
        run(small_config(), services(World(fail={"config/c01-continuous-batching/ref/launch_001": "load"})), tmp_path)
    rows = next((tmp_path / "sim/config/c01-continuous-batching/cand").glob("launch_*")) / "bench_runs.jsonl"
    rows.write_bytes(rows.read_bytes().replace(b'"completed"', b'"Completed"'))
    with pytest.raises(EvidenceError, match=r"bench_runs\.jsonl"):
        resume(tmp_path / "sim", services())


def test_a_checkpoint_that_is_no_database_is_one_clear_error(tmp_path: Path) -> None:
    """Neither executed nor overwritten."""
    done = run(small_config(max_candidates=0), services(), tmp_path)
    (done.run_dir / ".state/checkpoint.sqlite").write_bytes(b"import os; os.system('true')" * 100)
    with pytest.raises(EvidenceError, match="checkpoint"):
        resume(done.run_dir, services())


def test_an_out_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    """No traceback from the depths."""
    (tmp_path / "runs").write_text("")
    with pytest.raises(InfrastructureError, match="cannot be written"):
        run(small_config(), services(), tmp_path / "runs")


@pytest.mark.parametrize("line", [1, 4, 20])
def test_a_full_disk_stops_cleanly_and_resume_goes_on(tmp_path: Path, line: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger line that does not fit is taken back; with room again the campaign ends as if nothing had been."""
    real, written = os.write, 0

    def full(handle: int, data: bytes) -> int:
        nonlocal written
        if not data.startswith(b'{"at_unix"'):
            return real(handle, data)
        written += 1
        return real(handle, data[:7] if written == line else data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(InfrastructureError) as caught:
        run(small_config(), services(), tmp_path)
    assert "resume" in caught.value.next_step
    monkeypatch.undo()
    assert not list((tmp_path / "sim").rglob("*.partial"))
    done = resume(tmp_path / "sim", services(clock=FakeClock(1_800_100_000.0)))
    assert done.banked == ("c01-continuous-batching",)


def test_a_disturbed_launch_is_set_aside_and_said(tmp_path: Path) -> None:
    """Kept, ledgered, listed in the report, and not counted in any figure."""
    launch = "config/c01-continuous-batching/cand/launch_001"
    done = run(small_config(), services(World(foreign={launch: 0.7})), tmp_path)
    assert (done.run_dir / "set_aside" / launch / "seal.json").is_file()
    facts = json.loads((done.run_dir / "report.json").read_bytes())
    assert facts["set_aside"] == [{"launch_id": launch, "foreign_cores": 0.7}]
    assert facts["candidates"][0]["cand"]["launches"] == 2
    assert "launch\\_001 (0.70 cores)" in done.report.read_text()


def test_the_time_budget_keeps_room_for_the_final(tmp_path: Path) -> None:
    """A candidate that would leave no time for the final is not begun; what is banked is still measured against the baseline."""
    whole = run(small_config(), services(), tmp_path / "whole")
    seconds = {e.key: e.at_unix for e in Ledger(whole.run_dir / "ledger.jsonl", lambda: 0.0).entries}
    first = (seconds["bank/c01-continuous-batching"] - seconds["campaign"]) / 60
    short = run(small_config(wall_minutes=first + 0.1), services(), tmp_path / "short")
    assert (short.banked, short.dropped, short.stopped) == (("c01-continuous-batching",), (), "wall")
    assert (short.run_dir / "final").exists()
