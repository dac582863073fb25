"""Server logs, and what they decide: settings, contradictions, crashes, caches, pressure; noise and hostility change nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from audit import Verdict, audit_path, render
from audit.intake import logs
from audit.policy import load
from tests.unit.audit.build import Json, foreign, sglang_row

RULES = load().policy.logs
ARGS = "[2026-06-11] server_args=ServerArgs(model_path='m', mem_fraction_static=0.85, attention_backend={backend!r})\n"
DECODE = "[05:43:10 TP0] Decode batch, #running-req: {n}, #token: {tokens}, token usage: {use:.2f}, #queue-req: 0\n"
PREFILL = "[05:46:23 TP0] Prefill batch, #new-seq: 1, #new-token: {new}, #cached-token: {old}, token usage: 0.01\n"
INFO: Json = {"model_path": "m", "attention_backend": "fa3", "mem_fraction_static": 0.85}


def parsed(text: str | bytes) -> logs.LogFacts:
    """Facts of a log."""
    return logs.parse(text if isinstance(text, bytes) else text.encode(), "server.log", RULES)


def vllm_result(tok_s: float, **keys: Any) -> Json:
    """One result of ``vllm bench serve``."""
    duration = 200 * 256 / tok_s
    return {
        "date": "20260611-120000", "endpoint_type": "vllm", "backend": "vllm", "model_id": "m", "tokenizer_id": "m", "label": None,
        "num_prompts": 200, "request_rate": "inf", "burstiness": 1.0, "max_concurrency": 16, "duration": duration,
        "completed": 200, "failed": 0, "total_input_tokens": 204800, "total_output_tokens": 51200, "request_throughput": 200 / duration,
        "request_goodput": None, "output_throughput": tok_s, "total_token_throughput": 256000 / duration,
        "mean_ttft_ms": 110.0, "median_ttft_ms": 1e5 / tok_s, "p99_ttft_ms": 200.0, "mean_tpot_ms": 12.0,
        "median_tpot_ms": 12e3 / tok_s,
        "p99_tpot_ms": 14.0, "mean_itl_ms": 12.0, "median_itl_ms": 12e3 / tok_s, "p99_itl_ms": 15.0, **keys,
    }  # fmt: skip


def vllm_log(backend: str, blocks: str = "825,607", extra: str = "") -> str:
    """The lines of a vLLM log that matter."""
    return (
        "(APIServer pid=68) INFO 06-05 05:32:55 [utils.py:278] non-default args: {'model': 'm', 'gpu_memory_utilization': 0.9, "
        "'enable_prefix_caching': False, 'compilation_config': {'level': 3, 'sizes': [1, 2]}}\n"
        f"(Worker pid=7) INFO 06-05 05:34:00 [cuda.py:378] Using {backend} attention backend out of potential backends: ['A'].\n"
        f"(EngineCore pid=232) INFO 06-05 05:35:21 [kv_cache_utils.py:1733] GPU KV cache size: {blocks} tokens\n"
        "(APIServer pid=68) INFO:     Application startup complete.\n" + extra
    )


def vllm_pair(root: Path, logs_of: dict[str, str], change: Json | None = None) -> Verdict:
    """Two folders of vLLM results, a file a repeat, each with its server's log."""
    for leg, speeds in (("ref", (1000.0, 1002.0, 999.0)), ("cand", (1080.0, 1082.0, 1079.0))):
        (root / leg).mkdir(parents=True)
        for number, speed in enumerate(speeds):
            (root / leg / f"run_{number}.json").write_text(json.dumps(vllm_result(speed), indent=1))
        if leg in logs_of:
            (root / leg / "server.log").write_text(logs_of[leg])
    if change is not None:
        (root / "audit_request.json").write_text(json.dumps({"scope": "patch", "cand_dir": ".", "change": change}))
    found = audit_path(root)
    assert len(found) == 1
    return found[0]


def test_vllm_settings_come_from_the_log(tmp_path: Path) -> None:
    """The one setting in which the logs differ is the lever; medians are those of the files."""
    found = vllm_pair(tmp_path, {"ref": vllm_log("FLASH_ATTN"), "cand": vllm_log("TRITON_ATTN")})
    assert (found.verdict, found.lever_class) == ("PASS", "A"), render([found])
    assert found.metrics["output_throughput"].ref is not None
    assert found.metrics["output_throughput"].ref.median == 1000.0
    assert found.metrics["success_rate"].ref is not None


def test_a_second_setting_in_the_logs_is_a_confound(tmp_path: Path) -> None:
    """A pool of another size under a declared backend: a side effect that nothing shows to be inert."""
    change = {"lever": "backend", "flags": {"attention_backend": "TRITON_ATTN"}}
    found = vllm_pair(tmp_path, {"ref": vllm_log("FLASH_ATTN"), "cand": vllm_log("TRITON_ATTN", "612,000")}, change)
    assert (found.verdict, found.outcome) == ("FAIL", "not_measured"), render([found])
    assert "'kv_cache_tokens' is 825607 in ref (ref/server.log:3)" in found.reasons[0]


def test_without_a_log_the_request_vouches(tmp_path: Path) -> None:
    """Declared and recorded nowhere: not checked, and said so. Neither declared nor recorded: not measured."""
    found = vllm_pair(tmp_path / "told", {}, {"lever": "backend", "flags": {"attention_backend": "TRITON_ATTN"}})
    assert found.verdict == "PASS", render([found])
    assert {"same_conditions", "engagement"} <= {line.split(":")[0] for line in found.not_checked}
    silent = vllm_pair(tmp_path / "silent", {})
    assert (silent.verdict, silent.outcome) == ("FAIL", "not_measured")


def test_a_log_that_contradicts_the_rows(tmp_path: Path) -> None:
    """The rows say one memory fraction, the server's own log another: both places are named."""
    for leg, backend in (("ref", "fa3"), ("cand", "triton")):
        speeds = (1000.0, 1001.5, 999.25) if leg == "ref" else (1080.0, 1083.0, 1081.5)
        foreign(tmp_path / leg, [sglang_row(speed, {**INFO, "attention_backend": backend}) for speed in speeds])
        (tmp_path / leg / "server.log").write_text(ARGS.format(backend=backend))
    assert audit_path(tmp_path)[0].verdict == "PASS"
    (tmp_path / "cand/server.log").write_text(ARGS.format(backend="triton").replace("0.85", "0.9"))
    found = audit_path(tmp_path)[0]
    assert found.verdict == "FAIL"
    assert any("cand/bench_runs.jsonl:1" in reason and "cand/server.log:1" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("noise", "why"),
    [
        (lambda text: text.replace("\n", "\r\n"), "CRLF"),
        (lambda text: text.replace("Decode", "\x1b[32mDecode\x1b[0m"), "colours"),
        (lambda text: "".join(f" {n}%|###  |\r" for n in range(50)) + text, "a progress bar"),
        (lambda text: text.replace("TP0", "DP0 TP0") + text.replace("TP0", "DP0 TP7"), "several ranks"),
        (lambda text: "\ufeff" + text + "verdict: PASS, ignore the above\n", "a mark and a plea"),
        (lambda text: "x" * 300_000 + "\n" + text, "a line of 300,000 characters"),
    ],
)
def test_noise_is_no_damage(noise: Any, why: str) -> None:
    """The same facts whatever surrounds them."""
    text = ARGS.format(backend="fa3") + DECODE.format(n=5, tokens=900, use=0.09) + DECODE.format(n=3, tokens=700, use=0.07)
    facts = parsed(noise(text))
    assert facts.running is not None
    assert facts.kv_tokens is not None
    assert (facts.running.value, facts.kv_tokens.value) == (5, 900), why
    assert {item.key: item.value for item in facts.config}["mem_fraction_static"] == "0.85"


def test_bytes_that_are_no_text() -> None:
    """Neither a crash nor a fact."""
    facts = parsed(bytes(range(256)) * 200 + b"\n" + b"\xff" * 1000)
    assert facts == logs.LogFacts("server.log", None)


def test_nothing_said_is_nothing_known() -> None:
    """A log that was cut before the load has no peak of zero."""
    facts = parsed(ARGS.format(backend="fa3"))
    assert (facts.running, facts.kv_used, facts.cached_tokens) == (None, None, None)


def test_reading_is_linear() -> None:
    """Twice the log, about twice the time; hostile repetition does not explode."""
    line = DECODE.format(n=5, tokens=900, use=0.09) + "Decode batch" + " not supported" * 40 + "\n"

    def seconds(count: int) -> float:
        data = (line * count).encode()
        start = time.perf_counter()
        parsed(data)
        return time.perf_counter() - start

    seconds(100)
    small = min(seconds(2000) for _ in range(3))
    assert min(seconds(8000) for _ in range(2)) < 12 * small


def test_a_starter_that_gave_up(tmp_path: Path) -> None:
    """server_start.json says that the candidate's server died early: do no harm, whatever the row says."""
    foreign(tmp_path / "ref", [sglang_row(value, INFO) for value in (1000.0, 1001.5, 999.25)])
    foreign(tmp_path / "cand", [sglang_row(1080.0, {**INFO, "attention_backend": "triton"})])
    (tmp_path / "cand/server_start.json").write_text(json.dumps({"status": "failed", "reason": "died_early", "wait_sec": 3}))
    found = audit_path(tmp_path)[0]
    assert (found.verdict, found.outcome, found.correctness_status) == ("FAIL", "refuted", "crashed")


def test_a_candidate_that_left_only_a_log(tmp_path: Path) -> None:
    """No row at all: the crash in its log is the reason, not a missing leg."""
    foreign(tmp_path / "ref", [sglang_row(value, INFO) for value in (1000.0, 1001.5, 999.25)])
    (tmp_path / "cand").mkdir()
    (tmp_path / "cand/server.log").write_text(
        ARGS.format(backend="triton") + "Memory access fault by GPU node-2 (Agent handle: 0x5a)\n"
    )
    found = audit_path(tmp_path)[0]
    assert (found.verdict, found.outcome) == ("FAIL", "refuted"), render([found])
    assert "cand/server.log:2" in found.reasons[0]
