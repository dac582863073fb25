"""Campaigns whose roles ask models: recorded and replayed to the same bytes, stopped by a failing model and resumed, bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.campaigns import ListSink, services, small_config, tree
from tests.support.fake_model import FakeModel, fake_model
from tests.support.killed import later
from tests.support.scripted_model import sensible
from tests.support.simulated import World
from workflow.campaign import resume, run
from workflow.config import CampaignConfig, ModelsConfig
from workflow.errors import InfrastructureError
from workflow.ledger import Ledger

KEY = "sk-very-secret-key-0123456789"
NAME = "openai/fake"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("agents.llm.PAUSE_S", 0.05)


@pytest.fixture
def fake() -> Iterator[FakeModel]:
    """A model that answers as the built-in policies would."""
    with fake_model(sensible) as server:
        yield server


def config(fake: FakeModel, **more: Any) -> CampaignConfig:
    """The small campaign with an auditor, and a model behind every producer; ``roles={}``: behind the auditor, too."""
    models = ModelsConfig(default=NAME, roles={"auditor": None}, api_base=fake.base("well"), deadline_s=20.0)
    return small_config(use_auditor=True, models=models.model_copy(update=more))


def kinds(run_dir: Path) -> list[tuple[str, str]]:
    """Kind and key of every ledgered line."""
    ledger = Ledger(run_dir / "ledger.jsonl", lambda: 0.0, read_only=True)
    return [(entry.kind, entry.key) for entry in ledger.entries]


def calls(run_dir: Path) -> list[dict[str, Any]]:
    """What was recorded, a call a line."""
    path = run_dir / "calls.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_replay_needs_no_model_and_ends_with_the_same_bytes(fake: FakeModel, tmp_path: Path) -> None:
    """Ledger, evidence, verdicts and reports; the calls, too. The second file of a recording is the first one's copy."""
    asked, tape = config(fake, roles={}), tmp_path / "tape.jsonl"
    first = run(asked, replace(services(), record=tape), tmp_path / "a")
    assert first.banked and tape.read_bytes() == (first.run_dir / "calls.jsonl").read_bytes()
    requests = len(fake.seen)
    fake.close()
    again = run(asked, replace(services(), tape=tape), tmp_path / "b")
    assert len(fake.seen) == requests == len(calls(first.run_dir))
    mine, theirs = tree(first.run_dir), tree(again.run_dir)
    assert mine.pop("campaign.json") != theirs.pop("campaign.json")  # it tells that answers were replayed
    assert mine == theirs and {"ledger.jsonl", "report.html", "report.json", "calls.jsonl", "verdicts.json"} <= set(mine)


def test_without_models_the_same_levers_are_tried(fake: FakeModel, tmp_path: Path) -> None:
    """One graph: the sensible model and the built-in policy come to the same end."""
    modelled = run(config(fake), services(), tmp_path / "a")
    builtin = run(small_config(use_auditor=True), services(), tmp_path / "b")
    assert (modelled.banked, modelled.dropped, modelled.stopped) == (builtin.banked, builtin.dropped, builtin.stopped)


@pytest.mark.parametrize(("way", "kind"), [("401", "denied"), ("500", "down"), ("hang", "timeout"), ("429-long", "busy")])
@pytest.mark.parametrize("answered", [0, 1, 2])
def test_a_model_that_fails_stops_the_campaign_and_nobody_is_blamed(
    fake: FakeModel, tmp_path: Path, way: str, kind: str, answered: int
) -> None:
    """An infrastructure error, nothing dropped for it; resume goes on to the end it had come to, and asks nothing twice."""
    whole = run(config(fake), services(), tmp_path / "whole")
    wanted = [call["request_sha256"] for call in calls(whole.run_dir)]
    fake.seen.clear()
    asked, good = config(fake, deadline_s=2.0 if kind == "timeout" else 20.0), 0

    def sometimes(body: dict[str, Any]) -> str:
        nonlocal good
        good += 1
        fake.mood = way if good == answered else fake.mood
        return sensible(body)

    fake.answer, fake.mood = sometimes, way if answered == 0 else None
    with pytest.raises(InfrastructureError, match=f"the model of role .*: {kind}: ") as caught:
        run(asked, services(), tmp_path)
    run_dir = tmp_path / "sim"
    assert caught.value.exit_code == 1 and "resume" in caught.value.next_step
    before = kinds(run_dir)
    assert "finished" not in dict(before) and all(call["outcome"] == "answered" for call in calls(run_dir)[:answered])
    assert calls(run_dir)[-1]["outcome"] == kind and len(calls(run_dir)) == answered + 1
    assert {key for name, key in before if name == "drop"} <= {key for name, key in kinds(whole.run_dir) if name == "drop"}
    fake.answer, fake.mood = sensible, None
    asked_before = len(fake.seen)
    done = resume(run_dir, services(clock=later(run_dir)))
    assert (done.banked, done.dropped, done.stopped) == (whole.banked, whole.dropped, whole.stopped)
    told = [call["request_sha256"] for call in calls(run_dir) if call["outcome"] == "answered"]
    assert told == wanted and len(set(told)) == len(told) and len(fake.seen) - asked_before == len(wanted) - answered


def test_no_key_is_written_anywhere(fake: FakeModel, tmp_path: Path) -> None:
    """Though the server sends the header back that it was sent."""
    fake.mood, sink = "echo-401", ListSink()
    with pytest.raises(InfrastructureError) as caught:
        run(config(fake), services(sink=sink), tmp_path)
    said = "\n".join([str(caught.value), caught.value.next_step, *sink.said]).encode()
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"log.jsonl", "calls.jsonl"} <= {path.name for path in files}
    assert not [path for path, data in files.items() if KEY.encode() in data] and KEY.encode() not in said


def test_a_spent_budget_ends_the_campaign_as_far_as_it_came(fake: FakeModel, tmp_path: Path) -> None:
    """With a report that says partial; a proposal that is under way is measured and decided."""
    done = run(config(fake, max_tokens=30), services(), tmp_path)
    assert done.stopped == "money" and done.as_dict()["partial"] and len(fake.seen) == 2
    assert done.report.exists() and len(done.banked) + len(done.dropped) == 1


def test_a_replay_among_other_measurements(fake: FakeModel, tmp_path: Path) -> None:
    """Other figures in the requests: answered by their place in the recording, marked so, and judged by fresh rows."""
    asked = config(fake)
    first = run(asked, services(), tmp_path / "a")
    requests = len(fake.seen)
    done = run(asked, replace(services(World(seed=8)), tape=first.run_dir / "calls.jsonl"), tmp_path / "b")
    assert (done.banked, done.dropped, done.stopped) == (first.banked, first.dropped, first.stopped)
    calls = [json.loads(line) for line in (done.run_dir / "calls.jsonl").read_bytes().splitlines()]
    assert any(call["by_place"] for call in calls) and len(fake.seen) == requests


def test_a_recording_that_ends_too_early_says_so(fake: FakeModel, tmp_path: Path) -> None:
    """An error with the role, nothing dropped for it; the record so far is kept, and a model can go on."""
    asked, cut = config(fake), tmp_path / "cut.jsonl"
    first = run(asked, services(), tmp_path / "a")
    requests = len(fake.seen)
    cut.write_bytes((first.run_dir / "calls.jsonl").read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(
        InfrastructureError, match=r"cut\.jsonl: the campaign goes another way .*no further answer of role"
    ) as caught:
        run(asked, replace(services(), tape=cut), tmp_path / "b")
    assert "--replay" in caught.value.next_step and len(fake.seen) == requests
    done = resume(tmp_path / "b" / "sim", services(clock=later(tmp_path / "b" / "sim")))
    assert done.stopped == first.stopped and done.banked == first.banked


@pytest.mark.parametrize("damage", ["garbage", "cut"])
def test_own_calls_that_are_damaged(fake: FakeModel, tmp_path: Path, damage: str) -> None:
    """A line that was cut off by a crash is forgotten and its request made again; other damage is named with its line."""
    fake.answer, fake.mood = sensible, None
    done = run(config(fake), services(), tmp_path)
    path = done.run_dir / "calls.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"{}\n" if damage == "garbage" else b"".join(lines)[:-20])
    if damage == "cut":
        assert resume(done.run_dir, services(clock=later(done.run_dir))).banked == done.banked
        return
    with pytest.raises(InfrastructureError, match=r"calls\.jsonl:2: not a recorded call"):
        resume(done.run_dir, services(clock=later(done.run_dir)))
