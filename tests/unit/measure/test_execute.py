"""Plans carried out: launches that strangers disturbed are set aside and measured once more, by what the neighbours did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.measure.test_runner import Letters
from workflow.ledger import Ledger
from workflow.measure.execute import Bench, execute
from workflow.measure.plan import Plan
from workflow.measure.seal import verify
from workflow.measure.types import LaunchSpec, Observation, Progress, RepeatRecord, RequestRecord, Settings, Workload

LOAD = Workload(concurrency=2, output_len=4, requests_per_repeat=4, warmup_requests=1)


class Recorded:
    """Plays back launches of one second a request; ``foreign`` is what strangers used in each of them, pilot first."""

    def __init__(self, foreign: Sequence[float]) -> None:
        self.foreign = list(foreign)
        self.launches: list[str] = []

    def observe(self, spec: LaunchSpec, progress: Progress) -> Observation:
        progress("playing back", 0.5)
        number = len(self.launches)
        self.launches.append(spec.launch_id)
        repeats = [
            RepeatRecord(
                10.0 * index,
                10.0 * index + 4.0,
                4.0,
                [
                    RequestRecord(n, prompt, n, n, n + 0.5, n + 1.0, tokens_out=4, answer="1234", stop_reason="length")
                    for n, prompt in enumerate(prompts)
                ],
            )
            for index, prompts in enumerate(spec.repeats)
        ]
        samples = [{"t_unix": 1.0 + second, "foreign_cores": self.foreign[number]} for second in range(4)]
        host = {"schema": "countersign.host/1", "samples": samples}
        return Observation("complete", None, {"effective": {}}, [], repeats, host, b"")


@pytest.mark.parametrize(
    ("foreign", "launches", "aside"),
    [
        ([0.0, 0.0, 0.0], ["pilot", "launch_000", "launch_001"], []),
        ([0.9, 0.0, 0.0], ["pilot", "launch_000", "launch_001"], []),
        ([0.0, 0.9, 0.0, 0.04], ["pilot", "launch_000", "launch_000", "launch_001"], ["launch_000"]),
        ([0.0, 0.9, 0.9, 0.0], ["pilot", "launch_000", "launch_000", "launch_001"], ["launch_000"]),
    ],
    ids=["quiet", "a busy pilot does not count", "disturbed once", "disturbed twice: the second stays"],
)
def test_a_disturbed_launch_is_measured_once_more(
    tmp_path: Path, foreign: list[float], launches: list[str], aside: list[str]
) -> None:
    driver = Recorded(foreign)
    ledger = Ledger(tmp_path / "ledger.jsonl", lambda: 1.0)
    bench = Bench(driver, Letters(), lambda: 1.0, lambda: 5, lambda *_: None)
    done = execute(Plan("baseline/set_1", {"aa": Settings()}, 2, 1, LOAD), tmp_path, ledger, bench)
    assert [name.rpartition("/")[2] for name in driver.launches] == launches
    assert [summary.launch_id for summary in done] == ["baseline/set_1/launch_000", "baseline/set_1/launch_001"]
    kept = [entry.body for entry in ledger.of_kind("set_aside")]
    assert [body["launch_id"].rpartition("/")[2] for body in kept] == aside
    for body in kept:
        verify(tmp_path / "set_aside" / body["launch_id"], body["launch_id"], body["seal_sha256"])


def test_a_sealed_launch_is_never_measured_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl", lambda: 1.0)
    plan = Plan("baseline/set_1", {"aa": Settings()}, 2, 1, LOAD)
    first, second = Recorded([0.0] * 3), Recorded([])
    one = execute(plan, tmp_path, ledger, Bench(first, Letters(), lambda: 1.0, lambda: 5, lambda *_: None))
    two = execute(plan, tmp_path, ledger, Bench(second, Letters(), lambda: 1.0, lambda: 6, lambda *_: None))
    assert one == two
    assert second.launches == []


def test_both_legs_of_a_pair_get_the_same_prompts_and_no_two_pairs_do(tmp_path: Path) -> None:
    import json

    ledger = Ledger(tmp_path / "ledger.jsonl", lambda: 1.0)
    seeds = iter(range(100))
    bench = Bench(Recorded([0.0] * 9), Letters(), lambda: 1.0, lambda: next(seeds), lambda *_: None)
    execute(Plan("config/x", {"ref": Settings(), "cand": Settings()}, 3, 1, LOAD), tmp_path, ledger, bench)
    prompts = {
        leg: [
            json.loads((tmp_path / f"config/x/{leg}/launch_{n:03d}/bench_runs.jsonl").read_text())["countersign"][
                "prompts_sha256"
            ]
            for n in range(3)
        ]
        for leg in ("ref", "cand")
    }
    assert prompts["ref"] == prompts["cand"]
    assert len(set(prompts["ref"])) == 3
