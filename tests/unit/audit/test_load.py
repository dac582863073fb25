"""Gates on the load: identical prompts, concurrency that was not reached, tokens without text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from audit import engine, requests
from audit.evidence import Evidence
from audit.gates import load as load_gate
from audit.gates import prompts as prompts_gate
from audit.policy import load
from tests.unit.audit.build import Files, Run, Server, foreign, recompute, sglang_row, sha
from tests.unit.audit.test_result_files import CAND, INFO, REF, declared

POLICY = load().policy


def evidence(root: Path) -> Evidence:
    """What the gates would be given for the first request of a run."""
    request = requests.read(root, POLICY).requests[0]
    return engine._evidence(request, POLICY, engine._read(root, request, load()))


def own(root: Path, touch: Callable[[Files], None] | None = None) -> Path:
    """Our own A/B; ``touch`` edits launches before they are sealed."""
    run = Run(root)
    run.aa("baseline/set_1", Server())
    run.ab("config/c01", Server(), Server(tok_s=1100.0, effective={"attn_implementation": "eager"}), touch=touch)
    run.patch("config/c01", {"attn_implementation": "eager"}, short_name="c01")
    return run.finish()


def few_prompts(kinds: int) -> Callable[[Files], None]:
    """Only so many different prompts in each repeat, in both legs alike."""

    def touch(files_: Files) -> None:
        for item in files_.requests:
            item["prompt"] = f"Find {item['index'] % kinds}."
            item["prompt_sha256"] = sha(item["prompt"].encode())
        recompute(files_)

    return touch


def test_identical_prompts_are_told(tmp_path: Path) -> None:
    """Four prompts for all requests of a repeat: W02; as many as requests: ok; prompts not on record: n/a."""
    (found, *_) = prompts_gate.check(evidence(own(tmp_path / "few", few_prompts(4))))
    assert (found.status, found.ids) == ("fail", ["W02"])
    assert "4 different prompts in 128 requests (config/c01/cand/launch_000/requests.jsonl), 'Find 3.' 32 times" in found.reason
    assert [item.status for item in prompts_gate.check(evidence(own(tmp_path / "all")))] == ["ok"]
    assert [item.status for item in prompts_gate.check(evidence(declared(tmp_path / "foreign")))] == ["n/a"]


def loaded(root: Path, **keys: Any) -> Path:
    """Two legs of whole SGLang rows."""
    for leg, values, backend in (("ref", REF, "fa3"), ("cand", CAND, "triton")):
        rows = []
        for value in values:
            row = {**sglang_row(value, {**INFO, "attention_backend": backend}), **keys}
            rows.append({**row, "mean_e2e_latency_ms": 1000 * row["concurrency"] / row["request_throughput"]})
        foreign(root / leg, rows)
    return root


def test_the_load_that_was_named(tmp_path: Path) -> None:
    """Three in flight where sixteen were asked, answers without text: flags. A trickle of requests by design is none."""

    def told(name: str, **keys: Any) -> list[tuple[str, list[str]]]:
        return [(item.status, item.ids) for item in load_gate.check(evidence(loaded(tmp_path / name, **keys)))]

    assert told("full", concurrency=14.0) == [("ok", ["W21"])]
    assert told("low", concurrency=3.0) == [("flag", ["W21"])]
    assert told("rate", concurrency=3.0, request_rate=4.0) == [("ok", ["W21"])]
    assert told("short", concurrency=60.0, max_concurrency=128) == [("ok", ["W21"])]
    assert told("text", concurrency=14.0, total_output_tokens_retokenized=50000) == [("ok", ["W21"])]
    assert told("empty", concurrency=14.0, total_output_tokens_retokenized=500) == [("flag", ["W17", "W18"])] * 2
    assert [item.status for item in load_gate.check(evidence(own(tmp_path / "own")))] == ["ok"]
    assert [item.status for item in load_gate.check(evidence(declared(tmp_path / "vllm")))] == ["n/a"]
