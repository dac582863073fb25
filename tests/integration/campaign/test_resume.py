"""kill -9 anywhere, then resume: nothing sealed is measured twice, nothing is recorded twice, the end is the same."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.campaigns import services, small_config, tree
from tests.support.comparing import keys, seals
from tests.support.killed import later, whole_config, whole_world
from tests.support.simulated import FakeClock, SimulatedDriver, World
from workflow.campaign import FILE, Outcome, resume, run
from workflow.ledger import Ledger

LATER = 1_800_500_000.0


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The campaign as it ends when nobody kills it."""
    return run(small_config(), services(), tmp_path_factory.mktemp("undisturbed"))


def resumed_alike(out: Path, undisturbed: Outcome) -> None:
    """Resume and compare ledger, evidence and outcome with the undisturbed run."""
    run_dir = out / "sim"
    before = seals(run_dir) if (run_dir / "ledger.jsonl").exists() else {}
    drivers: list[SimulatedDriver] = []
    done = resume(run_dir, services(clock=FakeClock(LATER), drivers=drivers))
    assert keys(run_dir) == keys(undisturbed.run_dir)
    assert set(tree(run_dir)) == set(tree(undisturbed.run_dir))
    assert (done.banked, done.dropped, done.stopped) == (undisturbed.banked, undisturbed.dropped, undisturbed.stopped)
    after = seals(run_dir)
    assert {key: after[key] for key in before} == before, "a sealed launch was replaced"
    again = {f"sealed/{launch}" for launch in drivers[0].launched} & set(before)
    assert not again, f"measured twice: {again}"
    assert len(drivers[0].launched) == len(set(drivers[0].launched))


@pytest.mark.parametrize(
    "where",
    [
        "write:campaign.json",
        "append:0:after",
        "launch:2:before",
        "launch:2:after",
        "rename:3",
        "append:12:after",
        "node:propose:after",
        "node:measure:after",
        "node:decide:before",
        "node:decide:after",
        "node:bank:after",
        "write:audit_request.json",
        "write:report.md",
        "write:report.html",
        "node:report:after",
    ],
)
def test_kill_9(tmp_path: Path, where: str, undisturbed: Outcome) -> None:
    """A real process is killed at the named point and the campaign is resumed by another."""
    ended = subprocess.run([sys.executable, "-m", "tests.support.killed", str(tmp_path), where], check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    if where == "write:campaign.json":  # nothing was created yet: the same command starts it again
        done = run(small_config(), services(), tmp_path)
        assert keys(done.run_dir) == keys(undisturbed.run_dir)
        return
    resumed_alike(tmp_path, undisturbed)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A campaign with everything in it, as it ends when nobody kills it."""
    done = run(whole_config(), services(whole_world()), tmp_path_factory.mktemp("whole"))
    assert done.banked == ("c01-continuous-batching", "c02-packed_swiglu") and len(done.verdicts) == 8
    return done


def test_kill_9_at_three_random_moments(tmp_path: Path, whole: Outcome) -> None:
    """One session after the other is killed, each at a moment of its own; profiles, legs and verdicts end alike."""
    seed = random.SystemRandom().getrandbits(32)
    drawn = random.Random(seed)
    killed = 0
    for among in (250, 150, 100):  # of some 350 moments; a late first death leaves the others fewer
        where = f"moment:{drawn.randrange(among)}"
        command = [sys.executable, "-m", "tests.support.killed", str(tmp_path), where, "--whole"]
        killed += subprocess.run(command, check=False, timeout=120).returncode == -signal.SIGKILL
    assert killed, f"seed {seed}"
    before = seals(tmp_path / "sim")
    drivers: list[SimulatedDriver] = []
    if (tmp_path / "sim" / FILE).exists():
        done = resume(tmp_path / "sim", services(whole_world(), clock=later(tmp_path / "sim"), drivers=drivers))
    else:
        done = run(whole_config(), services(whole_world(), drivers=drivers), tmp_path)
    assert keys(done.run_dir) == keys(whole.run_dir), f"seed {seed}"
    assert set(tree(done.run_dir)) == set(tree(whole.run_dir)), f"seed {seed}"
    assert done.verdicts == whole.verdicts and done.banked == whole.banked, f"seed {seed}"
    assert {key: seals(done.run_dir)[key] for key in before} == before, f"seed {seed}: a sealed launch was replaced"
    assert len({*drivers[0].launched}) == len(drivers[0].launched), f"seed {seed}"


class Death(BaseException):
    """Ends a session at a ledger line without leaving the test process."""


@pytest.mark.parametrize("when", ["before", "after"])
def test_every_ledger_line_is_a_safe_place_to_stop(
    tmp_path: Path, when: str, undisturbed: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after each line that is recorded, one session after the other: every session records one line more."""
    real = Ledger.append
    budget = 0

    def append(self: Ledger, kind: str, key: str, body: dict[str, object]) -> object:
        nonlocal budget
        fresh = self.get(key) is None
        if fresh and budget == 0 and when == "before":
            raise Death
        entry = real(self, kind, key, body)  # type: ignore[arg-type]
        budget -= fresh
        if fresh and budget < 0:
            raise Death
        return entry

    monkeypatch.setattr(Ledger, "append", append)
    sessions, clock = 0, FakeClock()
    while True:
        sessions += 1
        budget = 1 if when == "before" else 0
        try:
            if (tmp_path / "sim/campaign.json").exists():
                done = resume(tmp_path / "sim", services(clock=clock))
            else:
                done = run(small_config(), services(clock=clock), tmp_path)
        except Death:
            assert sessions < 100
            continue
        break
    assert keys(done.run_dir) == keys(undisturbed.run_dir)
    assert set(tree(done.run_dir)) == set(tree(undisturbed.run_dir))
    assert sessions > 30


def test_a_candidate_that_failed_is_not_measured_again(tmp_path: Path) -> None:
    """A failed candidate launch is evidence too: sealed, and left alone by resume."""
    world = World(fail={"config/c01-continuous-batching/cand/*": "start"})

    def stop(_: int, launch: str) -> None:
        if launch.startswith("config/c02"):
            raise KeyboardInterrupt

    world.on_launch = stop
    with pytest.raises(KeyboardInterrupt):
        run(small_config(), services(world), tmp_path)
    drivers: list[SimulatedDriver] = []
    done = resume(tmp_path / "sim", services(World(), FakeClock(LATER), drivers))
    assert not any(name.startswith("config/c01") for name in drivers[0].launched)
    assert done.dropped == ("c01-continuous-batching", "c02-dtype-bfloat16")
