"""Dialects of raw rows: every era gives the same normalised row, what cannot be so is damage, strangers are named."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from audit import audit_path, survey
from audit.contract import Source
from audit.errors import DamageError
from audit.intake import dialects, strict
from audit.intake.model import Row
from audit.policy import load
from tests.unit.audit.build import Json, foreign, sglang_row
from tests.unit.audit.planted.series import vllm_row

POLICY = load().policy
INFO: Json = {"model_path": "m", "attention_backend": "fa3", "tp_size": 1, "port": 30000}
REF, CAND = (1000.0, 1001.5, 999.25), (1080.0, 1083.0, 1081.5)
DATE = "20260611-120000"


def parse(record: Json) -> Row:
    """The row of an object, as intake would read it from a line."""
    return dialects.parse(strict.loads(json.dumps(record).encode(), POLICY.limits), 0, Source("x.jsonl", None, 1), POLICY)


def sglang(**keys: Any) -> Json:
    """A row of 2026: all means and quantiles, peaks, two kinds of retokenized counts; every figure belongs to the others."""
    row = sglang_row(1000.0, INFO)
    rate = row["completed"] / row["duration"]
    e2e = 1000 * 14.0 / rate
    each = (e2e - 110.0) / 255
    return {
        **row, "mean_e2e_latency_ms": e2e, "median_e2e_latency_ms": e2e, "mean_ttft_ms": 110.0, "mean_tpot_ms": each,
        "mean_itl_ms": each, "median_itl_ms": each, "median_tpot_ms": each,
        "p90_ttft_ms": 150.0, "p95_ttft_ms": 160.0, "p99_ttft_ms": 170.0, "concurrency": 14.0, "accept_length": None,
        "total_output_tokens_retokenized": 51100, "input_throughput": 4000.0, "total_throughput": 5000.0,
        "max_output_tokens_per_s": 1400.0, "max_concurrent_requests": 18, **keys,
    }  # fmt: skip


def arrays(tok_s: float, failed: int = 0, tokens: int = 256) -> Json:
    """Per-request arrays of 200 requests, and the figures of the row that follow from them; the last ``failed`` ones broke."""
    done = 200 - failed
    ttfts = [0.05 + 0.001 * (number % 50) for number in range(done)]
    gaps = [[0.004 + 0.0001 * (number % 7)] * (tokens - 1) for number in range(done)]
    pooled = [1000 * gap for one in gaps for gap in one]
    e2e = [1000 * (ttft + sum(one)) for ttft, one in zip(ttfts, gaps, strict=True)]
    tpots = [1000 * sum(one) / (tokens - 1) for one in gaps]
    duration = done * tokens / tok_s
    return {
        "completed": done, "total_input_tokens": done * 1024, "total_output_tokens": done * tokens, "duration": duration,
        "output_throughput": tok_s, "request_throughput": done / duration, "median_ttft_ms": 1000 * statistics.median(ttfts),
        "median_tpot_ms": statistics.median(tpots), "median_itl_ms": statistics.median(pooled),
        "median_e2e_latency_ms": statistics.median(e2e), "input_lens": [1024] * 200,
        "output_lens": [tokens] * done + [0] * failed, "ttfts": ttfts + [0.0] * failed,
        "itls": gaps + [[]] * failed, "errors": [""] * done + ["HTTP 500"] * failed,
        "generated_texts": ["text"] * done + [""] * failed,
    }  # fmt: skip


def without(record: Json, *keys: str) -> Json:
    """A record of which some keys were never written."""
    return {key: value for key, value in record.items() if key not in keys}


LATER = (
    "server_info", "tag", "total_throughput", "max_output_tokens_per_s", "max_concurrent_requests", "p90_ttft_ms", "p95_ttft_ms",
)  # fmt: skip
OLD = (
    *LATER, "median_tpot_ms", "mean_tpot_ms", "p99_ttft_ms", "request_throughput", "input_throughput", "concurrency",
    "accept_length",
)  # fmt: skip
WHOLE, DETAILED, VLLM = sglang(), {**sglang_row(1000.0, INFO), **arrays(1000.0)}, vllm_row(1000.0, "fa3", DATE)
"""Rows from which the tables below start: SGLang's, with arrays, vLLM's."""


class Era(NamedTuple):
    """A version of a client: what it writes, and what to call it."""

    name: str
    record: Json


ERAS = (
    Era("2026", sglang()),
    Era("late 2025", without(sglang(), *(key for key in LATER if key not in ("server_info", "tag", "total_throughput")))),
    Era("mid 2025", without(sglang(), *LATER)),
    Era("2024", without(sglang(), *OLD)),
    Era("old fork", {**without(sglang(), *OLD, "completed"), "successful_requests": 200}),
    Era("bench serve", vllm_row(1000.0, "fa3", DATE, mean_e2el_ms=3500.0, median_e2el_ms=3500.0)),
    Era("benchmark_serving", without(vllm_row(1000.0, "fa3", DATE), "endpoint_type", "label", "failed", "burstiness")),
    Era("fork with best_of", {**without(VLLM, "endpoint_type", "failed"), "best_of": 1, "request_goodput:": None}),
)  # fmt: skip


@pytest.mark.parametrize("era", ERAS, ids=lambda era: era.name)
def test_every_era_gives_the_same_row(era: Era) -> None:
    """Throughput, TTFT, duration, counts: equal whatever the client's age; what it did not write is missing, not 0."""
    row = parse(era.record)
    assert row.era == era.name
    assert (row.metrics["output_throughput"], row.metrics["ttft_ms"], row.duration) == (1000.0, 100.0, 51.2)
    assert (row.completed, row.tokens_in, row.tokens_out, row.limit) == (200, 204800, 51200, 16.0)
    assert ("tpot_ms" in row.metrics) == ("median_tpot_ms" in era.record)
    assert row.requested == era.record.get("num_prompts")
    assert row.stamp == era.record.get("date")


def test_request_rates() -> None:
    """Closed loops and traces are words of the client; others, quoted numbers among them, are none."""
    rates: tuple[float | str | None, ...] = (float("inf"), "inf", 4.0, 4, None, "trace")
    for given in rates:
        assert parse(sglang(request_rate=given)).workload["request_rate"] == ("inf" if given == float("inf") else given)
    for wrong in ("4.0", "fast", True, -1.0, [4]):
        with pytest.raises(DamageError, match="request_rate"):
            parse(sglang(request_rate=wrong))
    with pytest.raises(DamageError, match="not a rate"):
        parse(vllm_row(1000.0, "fa3", DATE, request_rate="trace"))


def test_what_was_asked_and_when() -> None:
    """From arrays, from completed and failed, from num_prompts; times from the fork that writes them."""
    assert parse(sglang()).requested is None
    assert "success_rate" not in parse(sglang()).metrics
    row = parse({**sglang_row(1000.0, INFO), **arrays(1000.0, failed=20)})
    assert (row.requested, row.failed, row.metrics["success_rate"]) == (200, 20, 0.9)
    assert parse({**sglang(), "errors": [""] * 210}).requested == 210
    row = parse(vllm_row(1000.0, "fa3", DATE, failed=50, num_prompts=250))
    assert (row.requested, row.failed, row.metrics["success_rate"]) == (250, 50, 0.8)
    row = parse(vllm_row(1000.0, "fa3", DATE, benchmark_start_time_unix=1.7e9, benchmark_end_time_unix=1.7e9 + 51.2))
    assert (row.start_unix, row.end_unix) == (1.7e9, 1.7e9 + 51.2)
    with pytest.raises(DamageError, match="not after"):
        parse(vllm_row(1000.0, "fa3", DATE, benchmark_start_time_unix=2.0, benchmark_end_time_unix=1.0))


def test_cache_hits_and_acceptance() -> None:
    """SGLang's report, its per-request counts, and speculation of both clients."""
    assert parse(sglang(cache_report={"total_prompt_tokens": 204800, "total_cached_tokens": 51200})).cache_hit_pct == 25.0
    assert parse(sglang(cache_report={"cache_hit_rate_pct": 12.5})).cache_hit_pct == 12.5
    with_counts = {**sglang_row(1000.0, INFO), **arrays(1000.0), "cached_tokens": [512] * 200}
    assert parse(with_counts).cache_hit_pct == 50.0
    assert parse(sglang(accept_length=2.5)).accept_length == 2.5
    assert parse(vllm_row(1000.0, "fa3", DATE, spec_decode_acceptance_length=2.5)).accept_length == 2.5


class Wrong(NamedTuple):
    """A record that cannot be so: which words and which taxonomy id its damage has."""

    name: str
    record: Json
    says: str
    id: str


WRONG = (
    Wrong("metadata over a count", {**VLLM, "num_prompts": "200"}, "'num_prompts' is \"200\", not a number", "R09"),
    Wrong("metadata over the concurrency", {**VLLM, "max_concurrency": "16"}, "'max_concurrency' is \"16\"", "R09"),
    Wrong("metadata over a latency", {**VLLM, "p99_ttft_ms": "1"}, "'p99_ttft_ms' is \"1\"", "R09"),
    Wrong("a quoted number", sglang(total_output_tokens="51200"), "not a number", "R09"),
    Wrong("a boolean", sglang(duration=True), "not a number", "R09"),
    Wrong("a negative latency", sglang(mean_itl_ms=-1.0), "impossible", "R19"),
    Wrong("half a request", sglang(completed=199.5), "not a whole number", "R19"),
    Wrong("nothing completed", sglang(completed=0), "no measurement", "R12"),
    Wrong("no time passed", sglang(duration=0.0), "'duration' is 0", "M24"),
    Wrong("more completed than asked", {**VLLM, "num_prompts": 100, "failed": None}, "100 were asked", "R19"),
    Wrong("TTFT in microseconds", sglang(median_ttft_ms=1e5 * 1000), "longer than the whole run", "R21"),
    Wrong("mean TTFT above the mean latency", sglang(mean_ttft_ms=4000.0), "above the mean latency", "R21"),
    Wrong("mean TPOT in seconds", sglang(mean_tpot_ms=0.0136, mean_itl_ms=None), "for each further token", "R21"),
    Wrong("mean ITL in seconds", sglang(mean_itl_ms=0.0136), "cannot be of one unit", "R21"),
    Wrong("median ITL in microseconds", {**WHOLE, "median_itl_ms": 1e4, "median_e2e_latency_ms": None}, "be of one unit", "R21"),
    Wrong("arrays of unequal length", {**DETAILED, "ttfts": [0.1] * 199}, "unequal length", "R14"),
    Wrong("an array that is none", {**sglang(), "output_lens": 256}, "not a list", "R09"),
    Wrong("a text among the lengths", {**DETAILED, "output_lens": ["256"] * 200}, "request 0: ", "R09"),
    Wrong("a boolean among the gaps", {**DETAILED, "itls": [[True]] * 200}, "no time", "R09"),
    Wrong("an error that is no text", {**DETAILED, "errors": [1] * 200}, "not a text", "R09"),
    Wrong("settings that are none", sglang(server_info="m"), "not an object", "R09"),
)  # fmt: skip


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.name)
def test_what_cannot_be_so_is_damage(case: Wrong) -> None:
    """By words that name the key, and by id; nothing becomes a number."""
    with pytest.raises(DamageError) as caught:
        parse(case.record)
    assert case.says in caught.value.what
    assert case.id in caught.value.ids


def test_bundled_chunks_are_no_slip() -> None:
    """A median gap of next to nothing where chunks arrive together, and of ten tokens where each chunk holds ten."""
    assert parse(sglang(median_itl_ms=0.002)).metrics["itl_ms"] == 0.002
    assert parse(without(sglang(median_itl_ms=136.0), "median_e2e_latency_ms")).metrics["itl_ms"] == 136.0


def refusal(tmp_path: Path, record: Json) -> str | None:
    """What survey says of a file with this one record."""
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(record) + "\n")
    (found,) = survey(path)
    return found.refused


IDENTITIES: tuple[tuple[str, Callable[[], Json], str | None], ...] = (
    ("honest", sglang, None),
    ("output tokens per device", lambda: sglang(output_throughput=125.0, total_throughput=None), "like a figure per device"),
    ("all tokens as output", lambda: sglang(output_throughput=5000.0), "input and output together"),
    ("tokens per millisecond", lambda: sglang(output_throughput=1.0), "a slip of unit"),
    ("another figure under the name", lambda: sglang(output_throughput=1234.0), "the row says 51200"),
    ("requests per minute", lambda: sglang(request_throughput=234.4), "request_throughput x duration"),
    ("total per device", lambda: sglang(total_throughput=625.0), "total_throughput x duration"),
    ("input of another run", lambda: sglang(input_throughput=4100.0), "input_throughput x duration"),
    ("in flight by hand", lambda: sglang(concurrency=8.0), "requests in flight are stated"),
    ("more in flight than allowed", lambda: sglang(max_concurrency=8), "the client allows 8 at most"),
    ("arrays, honest", lambda: DETAILED, None),
    ("arrays with failures, honest", lambda: {**sglang_row(1000.0, INFO), **arrays(1000.0, failed=20)}, None),
    ("failures counted as completed", lambda: {**DETAILED, "errors": ["x"] * 20 + [""] * 180}, "180"),
    ("mean TTFT as median", lambda: {**DETAILED, "median_ttft_ms": 69.9}, "median TTFT"),
    ("another median ITL", lambda: {**DETAILED, "median_itl_ms": 4.1}, "median ITL"),
    ("another median TPOT", lambda: {**DETAILED, "median_tpot_ms": 3.0}, "median TPOT"),
    ("another median latency", lambda: {**DETAILED, "median_e2e_latency_ms": 900.0}, "median latency"),
    ("other token totals", lambda: {**DETAILED, "output_lens": [255] * 200}, "output tokens"),
)  # fmt: skip


@pytest.mark.parametrize(("record", "says"), [case[1:] for case in IDENTITIES], ids=[case[0] for case in IDENTITIES])
def test_rows_are_held_against_themselves(record: Callable[[], Json], says: str | None, tmp_path: Path) -> None:
    """Identities of units, Little's law, medians from the arrays; the honest ones are read."""
    found = refusal(tmp_path, record())
    assert found is None if says is None else says in (found or "nothing"), found


def test_one_bad_row_of_a_list_is_refused_alone(tmp_path: Path) -> None:
    """Rows that share a line are told apart."""
    rows = [vllm_row(value, "fa3", DATE) for value in REF]
    rows[1]["output_throughput"] *= 2
    (tmp_path / "results.json").write_text(json.dumps(rows))
    found = survey(tmp_path / "results.json")
    assert [item.refused is None for item in found] == [True, False, True]


STRANGERS: tuple[tuple[str, Any, str], ...] = (
    ("GuideLLM", {"metadata": {"version": 2}, "benchmarks": []}, "a GuideLLM report"),
    ("AIPerf", {"schema_version": "1.2", "time_to_first_token": {}, "output_token_throughput": {}}, "an AIPerf export"),
    ("llmperf", {"results_ttft_s_mean": 0.1, "num_concurrent_requests": 4}, "an llmperf summary"),
    ("llmperf, each", [{"ttft_s": 0.1, "end_to_end_latency_s": 2.0, "error_code": None}], "llmperf's individual responses"),
    ("InferenceX", {"hw": "h200", "tput_per_gpu": 100.0, "median_ttft": 0.3}, "an InferenceX aggregate"),
    ("HF", {"config": {}, "results": [], "system": {}, "start_time": ""}, "inference-benchmarker"),
    ("throughput", {"elapsed_time": 3.0, "num_requests": 10, "tokens_per_second": 100.0}, "'vllm bench throughput'"),
    ("latency", {"avg_latency": 3.0, "latencies": [3.0], "percentiles": {}}, "'vllm bench latency'"),
    ("cut down", {"model_id": "m", "tokenizer_id": "m", "median_ttft_ms": 3.0}, "cut down"),
    ("nobody's", {"tok_s": 22.0, "device": "x"}, "not a result of SGLang's or vLLM's"),
)


@pytest.mark.parametrize(("value", "says"), [case[1:] for case in STRANGERS], ids=[case[0] for case in STRANGERS])
def test_strangers_are_named(value: Any, says: str, tmp_path: Path) -> None:
    """Results of other tools: refused by what they are, in a survey and in a file of rows."""
    path = tmp_path / "x.json"
    path.write_text(json.dumps(value, indent=2))
    assert says in (survey(path)[0].refused or "")
    foreign(tmp_path / "ref", [sglang_row(1000.0, INFO), value])
    foreign(tmp_path / "cand", [sglang_row(1000.0, INFO)])
    found = audit_path(tmp_path)[0]
    assert found.outcome == "evidence_damaged"
    assert "ref/bench_runs.jsonl:2" in found.reasons[0]
