"""Real result files: every SGLang and vLLM sample is read with the right numbers, everything else refused for a true reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from audit import Surveyed, survey
from audit.intake import logs
from audit.policy import load
from workflow.cli import cli

REAL = Path(__file__).resolve().parents[4] / "shared/real_runs"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="the samples of the field are not on this machine")
TOOLS = ("sglang", "vllm", "InferenceMAX/InferenceX benchmark_serving")
RULES = load().policy.logs


def _objects(path: Path) -> list[Any]:
    """The objects of a result file, read by the standard library."""
    text = path.read_text()
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return value if isinstance(value, list) else [value]


def _results() -> list[Path]:
    manifest = [json.loads(line) for line in (REAL / "manifest.jsonl").read_text().splitlines()] if REAL.is_dir() else []
    found = [REAL / item["saved_as"] for item in manifest if item["saved_as"].endswith((".json", ".jsonl"))]
    return [path for path in found if path.exists()]


def _is_row(value: Any) -> bool:
    """True for a whole result of the two clients, told by keys of its own and not by our code."""
    return isinstance(value, dict) and {"output_throughput", "duration", "completed"} <= set(value) and "median_ttft_ms" in value


@pytest.mark.parametrize("path", _results(), ids=lambda path: str(path.relative_to(REAL))[-70:])
def test_a_sample_is_read_right_or_refused_truly(path: Path) -> None:
    """Figures equal what ``json`` finds under the client's own keys; no result goes unmentioned."""
    found, objects = survey(path), _objects(path)
    rows = [value for value in objects if _is_row(value) and value["completed"]]
    read = [item for item in found if item.refused is None]
    assert len(read) == len(rows)
    for item, value in zip(read, rows, strict=True):
        _same(item, value)
    for item in found:
        if item.refused is not None:
            _true(item, objects)


def _same(item: Surveyed, value: dict[str, Any]) -> None:
    assert item.metrics["output_throughput"] == value["output_throughput"]
    assert item.metrics["ttft_ms"] == value["median_ttft_ms"]
    assert item.metrics.get("tpot_ms") == value.get("median_tpot_ms")
    assert item.metrics.get("request_throughput") == value.get("request_throughput")
    assert (item.duration, item.completed) == (value["duration"], value["completed"])
    assert (item.tokens_in, item.tokens_out) == (value["total_input_tokens"], value["total_output_tokens"])
    assert item.requested == value.get("num_prompts", item.requested)
    assert item.dialect == ("vllm" if "model_id" in value else "sglang")


def _true(item: Surveyed, objects: list[Any]) -> None:
    """The reason names what the file is, and the file is that."""
    assert item.refused is not None
    first = objects[0] if objects else None
    marks = {
        "GuideLLM": "benchmarks", "AIPerf export of a pre-release": "records", "AIPerf export:": "aiperf_version",
        "llmperf summary": "results_ttft_s_mean", "individual responses": "ttft_s", "aggregate: figures per GPU": "tput_per_gpu",
        "token-position": "median_ttft", "together_runner": "metrics", "bench throughput": "tokens_per_second",
    }  # fmt: skip
    named = [key for words, key in marks.items() if words in item.refused]
    if named:
        assert isinstance(first, dict)
        assert named[0] in first
    elif "no request completed" in item.refused:
        assert first is not None
        assert first["completed"] == 0
    elif "cut down" in item.refused:
        assert first is not None
        assert not {"duration", "output_throughput"} & set(first)
    else:
        assert "not a result" in item.refused
        assert not any(_is_row(value) for value in objects)


@pytest.mark.parametrize("key", ["median_ttft_ms", "completed", "total_input_tokens", "total_output_tokens"])
def test_arrays_of_a_real_result_contradict_what_is_changed(key: str, tmp_path: Path) -> None:
    """The whole result is read; half a percent more under one key and its own arrays speak against it."""
    path = next((REAL / "_derived").glob("*.json"))
    record = json.loads(path.read_text())
    assert [item.refused for item in survey(path)] == [None]
    for number in range(2):
        changed = {**record, key: type(record[key])(record[key] * (1 + 0.005 * number))}
        if key != "median_ttft_ms":
            changed |= {
                "output_throughput": changed["total_output_tokens"] / record["duration"],
                "request_throughput": changed["completed"] / record["duration"], "num_prompts": changed["completed"],
                "total_token_throughput": (changed["total_input_tokens"] + changed["total_output_tokens"]) / record["duration"],
            }  # fmt: skip
        (tmp_path / "x.json").write_text(json.dumps(changed))
        (found,) = survey(tmp_path / "x.json")
        assert (found.refused is None) == (number == 0), found.refused


def test_one_command_prints_the_table() -> None:
    """``countersign rows`` on the whole folder: 26 rows, every refusal with a reason, exit code 0."""
    done = CliRunner().invoke(cli, ["rows", str(REAL)], standalone_mode=False)
    assert done.exit_code == 0
    assert done.output.count("refused: ") >= 10
    assert "26 rows read" in done.output
    listed = CliRunner().invoke(cli, ["rows", str(REAL), "--format", "json"], standalone_mode=False)
    items = json.loads(listed.output)
    assert sum(item["refused"] is None for item in items) == 26


def _log(name: str) -> tuple[logs.LogFacts, dict[str, Any]]:
    path = next(REAL.rglob(name))
    facts = logs.parse(path.read_bytes(), name, RULES)
    return facts, {item.key: json.loads(item.value) for item in facts.config}


def test_a_real_sglang_log() -> None:
    """Arguments and the resolved pool; the head of a log has no load in it, so no peak."""
    facts, held = _log("server.log")
    assert facts.engine == "sglang"
    assert (held["mem_fraction_static"], held["tp_size"], held["attention_backend"]) == (0.82, 8, "flashinfer")
    assert (held["max_total_num_tokens"], held["max_running_requests"], held["chunked_prefill_size"]) == (509157, 512, 32768)
    assert facts.running is None
    assert not facts.events


def test_a_real_vllm_log() -> None:
    """Arguments of the command line, the engine's own resolved settings, the pool in tokens."""
    facts, held = _log("gptoss_tp1_c4_1k1k.log")
    assert facts.engine == "vllm"
    assert facts.ready is not None
    assert (held["attention_backend"], held["version"], held["kv_cache_tokens"]) == ("FLASH_ATTN", "0.22.0", 825607)
    assert (held["gpu_memory_utilization"], held["max_num_seqs"], held["enable_prefix_caching"]) == (0.9, 4, False)
    assert (held["quantization"], held["enforce_eager"], held["tensor_parallel_size"]) == ("gpt_oss_mxfp4", False, 1)


def test_every_sample_line_is_understood() -> None:
    """What the 43 sample lines state is what the parser finds: settings, peaks, events."""
    wanted: dict[str, set[str]] = {
        "sglang:crash": {"crash"}, "sglang:oom": {"oom"}, "rocm:hsa_abort": {"crash", "oom"}, "rocm:gpu_fault": {"crash"},
        "rocm:gpu_hang": {"crash"}, "rocm:abort": {"crash"}, "vllm:crash": {"crash"}, "vllm:cuda_error": {"crash"},
        "sglang:capacity_clamped": {"clamped"}, "sglang:backend_override": {"fallback"},
    }  # fmt: skip
    for text in (REAL / "logs/lines.jsonl").read_text().splitlines():
        item = json.loads(text)
        facts = logs.parse(item["line"].encode() + b"\n", "x.log", RULES)
        key, groups = item["regex_key"], item["groups"]
        held = {value.key: json.loads(value.value) for value in facts.config}
        events = {event.kind for event in facts.events}
        assert events <= wanted.get(key, set()), item["line"]
        assert bool(events) == (key in wanted), item["line"]
        if key == "sglang:kv_alloc":
            assert held["max_total_num_tokens"] == int(groups[1])
        elif key == "sglang:capacity":
            assert (held["max_total_num_tokens"], held["context_len"]) == (int(groups[0]), int(groups[4]))
        elif key == "sglang:kv_dtype":
            assert held["kv_cache_dtype"] == groups[0]
        elif key == "sglang:decode":
            assert facts.running is not None
            assert facts.kv_tokens is not None
            assert facts.kv_used is not None
            assert (facts.running.value, facts.kv_tokens.value, facts.kv_used.value) == tuple(float(g) for g in groups[:3])
        elif key == "sglang:prefill":
            assert (facts.prefill_tokens, facts.cached_tokens) == (int(groups[1]), int(groups[2]))
        elif key == "vllm:attn":
            assert held["attention_backend"] == groups[0]
        elif key == "vllm:kv_tokens":
            assert held["kv_cache_tokens"] == int(groups[0].replace(",", ""))
        elif key == "vllm:stats":
            assert facts.running is not None
            assert facts.kv_used is not None
            assert (facts.running.value, facts.kv_used.value) == (float(groups[2]), float(groups[4]) / 100)
        elif key.endswith(":ready"):
            assert facts.ready == 1
