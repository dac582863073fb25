"""The real driver against servers that die or hang at every stage: one clear failure each, nothing left running."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.script_engine import ScriptEngine
from workflow.errors import InfrastructureError
from workflow.ledger import Ledger
from workflow.measure.building import model_dir
from workflow.measure.execute import Bench, execute
from workflow.measure.plan import Plan
from workflow.measure.prompts import TokenCounter
from workflow.measure.runner import Rig, ServerDriver
from workflow.measure.types import LaunchSpec, Observation, Prompt, Settings, Workload
from workflow.sandbox import Sandbox, detect
from workflow.serving.tiny import TINY_MODEL

LOAD = Workload(concurrency=4, output_len=8, requests_per_repeat=16, warmup_requests=4, request_timeout_s=2.0)


class Letters:
    """Distinct prompts without known answers."""

    def draw(self, seed: int, count: int, output_len: int) -> list[Prompt]:
        return [Prompt(f"{seed} {output_len} {n}", "letters", None) for n in range(count)]


def driver(tmp_path: Path, sandbox: Sandbox) -> ServerDriver:
    counter = TokenCounter(TINY_MODEL)
    return ServerDriver(Rig(ScriptEngine(counter), TINY_MODEL, sandbox, counter, tmp_path, start_timeout_s=3.0))


def observe(tmp_path: Path, mode: str, sandbox: Sandbox) -> Observation:
    prompts = Letters().draw(1, 36, 8)
    spec = LaunchSpec(
        "x/cand/launch_000", "cand", Settings({"mode": mode}), LOAD, prompts[:4], [prompts[4:20], prompts[20:]], 0, 0, []
    )
    return driver(tmp_path, sandbox).observe(spec, lambda *_: None)


CASES = [
    ("dies_at_start", "start", "died", "exit code 3; log ends: cannot load the model"),
    ("hangs_at_start", "start", "hung", "not ready after 3 s"),
    ("dies_in_the_middle", "load", "died", "segmentation fault"),
    ("hangs_in_the_middle", "load", "hung", "no whole answer"),
    ("hangs_at_stop", "stop", "hung", "SIGTERM"),
    ("refuses", "load", "refused", "HTTP 422: unknown field"),
]


@pytest.mark.parametrize(("mode", "phase", "reason", "detail"), CASES, ids=[case[0] for case in CASES])
def test_a_server_that_misbehaves_is_one_clear_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, phase: str, reason: str, detail: str
) -> None:
    monkeypatch.setattr("workflow.measure.processes.TERM_GRACE_S", 1.0)
    seen = observe(tmp_path, mode, Sandbox("none", "test"))
    assert seen.status == "failed"
    assert seen.failure is not None
    assert (seen.failure["phase"], seen.failure["reason"]) == (phase, reason)
    assert detail in seen.failure["detail"]
    assert seen.server["stop"]["survivors"] == []
    assert seen.server["stop"]["port_closed"] is True


@pytest.mark.parametrize("kind", ["none", "bubblewrap"])
def test_a_server_that_behaves_is_measured_and_gone(tmp_path: Path, kind: str) -> None:
    sandbox = detect() if kind == "bubblewrap" else Sandbox("none", "test")
    if sandbox.kind != kind:
        pytest.skip(f"NEEDS BUBBLEWRAP, NOT TESTED HERE: {sandbox.detail}")
    seen = observe(tmp_path, "fine", sandbox)
    assert (seen.status, seen.failure) == ("complete", None)
    assert [len(repeat.requests) for repeat in seen.repeats] == [16, 16]
    assert all(record.answer == "12345678" and record.error is None for repeat in seen.repeats for record in repeat.requests)
    assert seen.server["effective"]["mode"] == "fine"
    assert seen.server["stop"]["survivors"] == []


def test_a_reference_that_fails_stops_the_plan_and_keeps_its_log(tmp_path: Path) -> None:
    """Infrastructure: nothing is sealed, the log is kept and named, the next step is to resume."""
    bench = Bench(driver(tmp_path, Sandbox("none", "test")), Letters(), lambda: 1.0, lambda: 7, lambda *_: None)
    ledger = Ledger(tmp_path / "ledger.jsonl", lambda: 1.0)
    plan = Plan("baseline/set_1", {"aa": Settings({"mode": "dies_in_the_middle"})}, 2, 1, LOAD)
    with pytest.raises(InfrastructureError, match="segmentation fault") as caught:
        execute(plan, tmp_path, ledger, bench)
    assert "resume" in caught.value.next_step
    assert b"segmentation fault" in (tmp_path / ".state/failed/baseline__set_1__launch_000/server.log").read_bytes()
    assert ledger.of_kind("sealed") == []
    assert not list(tmp_path.glob("baseline/set_1/*"))


def test_a_model_that_is_no_model_is_refused_with_the_place(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"no config\.json there"):
        model_dir(str(tmp_path))
    with pytest.raises(Exception, match="not an absolute path"):
        model_dir("some/model")
