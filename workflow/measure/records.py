"""From what a launch left behind to the files of docs/run-directory.md, in SGLang's key names and units."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workflow.canonical import canonical, pretty
from workflow.measure.types import LaunchSpec, Observation, RepeatRecord, RequestRecord

SERVER_SCHEMA = "countersign.server/1"  # 1: first form
REPEAT_SCHEMA = "countersign.repeat/1"  # 1: first form
REQUEST_SCHEMA = "countersign.request/1"  # 1: first form
DATASET = "countersign-tiny"


def write_launch(directory: Path, spec: LaunchSpec, seen: Observation) -> None:
    """Write every file of a launch directory but its seal. Raises OSError (disk full)."""
    effective = seen.server["effective"]
    server = {
        "schema": SERVER_SCHEMA,
        "launch_id": spec.launch_id,
        "status": seen.status,
        "failure": seen.failure,
        "plan": {
            "pair": spec.pair,
            "position": spec.position,
            "order": list(spec.order),
            "repeats": len(spec.repeats),
            "requests_per_repeat": spec.workload.requests_per_repeat,
            "warmup_requests": len(spec.warmup),
        },
        **seen.server,
    }
    (directory / "server.json").write_bytes(pretty(server))
    rows = [repeat_row(spec, index, repeat, effective) for index, repeat in enumerate(seen.repeats)]
    _lines(directory / "bench_runs.jsonl", rows)
    requests = [request_row(index, record) for index, repeat in enumerate(seen.repeats) for record in repeat.requests]
    _lines(directory / "requests.jsonl", requests)
    _lines(directory / "warmup.jsonl", [request_row(-1, record) for record in seen.warmup])
    (directory / "host.json").write_bytes(pretty(seen.host))
    (directory / "server.log").write_bytes(seen.log)


def _lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_bytes(b"".join(canonical(row) + b"\n" for row in rows))


def request_row(repeat: int, record: RequestRecord) -> dict[str, Any]:
    """One line of requests.jsonl or warmup.jsonl."""
    return {
        "schema": REQUEST_SCHEMA,
        "repeat": repeat,
        "index": record.index,
        "prompt": record.prompt.text,
        "prompt_sha256": hashlib.sha256(record.prompt.text.encode()).hexdigest(),
        "task": record.prompt.task,
        "expected": record.prompt.expected,
        "scheduled_s": record.scheduled_s,
        "sent_s": record.sent_s,
        "first_token_s": record.first_token_s,
        "end_s": record.end_s,
        "tokens_in": record.tokens_in,
        "tokens_out": record.tokens_out,
        "usage_in": record.usage_in,
        "usage_out": record.usage_out,
        "stop_reason": record.stop_reason,
        "error": record.error,
        "answer": record.answer,
    }


def _spread(prefix: str, values_ms: Sequence[float]) -> dict[str, float]:
    """mean, median, std (population) and p90/p95/p99 (linear) in ms, as SGLang computes them; zeros when empty."""
    import numpy as np

    array = np.asarray(values_ms if len(values_ms) else [0.0], dtype=float)
    figures = {"mean": array.mean(), "median": np.median(array), "std": array.std()}
    figures |= {f"p{q}": np.percentile(array, q) for q in (90, 95, 99)}
    return {f"{name}_{prefix}_ms": float(value) for name, value in figures.items()}


def tpot_s(record: RequestRecord) -> float | None:
    """Time per output token after the first, seconds; None below two tokens or without an end."""
    if record.first_token_s is None or record.end_s is None or record.tokens_out < 2:
        return None
    return (record.end_s - record.first_token_s) / (record.tokens_out - 1)


def _latencies(done: list[RequestRecord]) -> dict[str, float]:
    e2e = [r.end_s - r.sent_s for r in done if r.end_s is not None]
    ttft = [r.first_token_s - r.sent_s for r in done if r.first_token_s is not None]
    tpot = [value for r in done if (value := tpot_s(r)) is not None]
    itl = [b - a for r in done for a, b in zip(r.chunk_s, r.chunk_s[1:], strict=False)]
    figures: dict[str, float] = {}
    for name, seconds in (("e2e_latency", e2e), ("ttft", ttft), ("tpot", tpot), ("itl", itl)):
        figures |= _spread(name, [1000 * value for value in seconds])
    return figures


def repeat_row(spec: LaunchSpec, index: int, repeat: RepeatRecord, effective: dict[str, Any]) -> dict[str, Any]:
    """One line of bench_runs.jsonl: SGLang's keys, and ours under ``countersign``."""
    done = [r for r in repeat.requests if r.error is None]
    duration = repeat.duration_s
    tokens_in, tokens_out = sum(r.tokens_in for r in done), sum(r.tokens_out for r in done)
    in_flight = sum(r.end_s - r.sent_s for r in done if r.end_s is not None) / duration
    return {
        "tag": spec.launch_id,
        "backend": "sglang-oai-chat",
        "dataset_name": DATASET,
        "request_rate": "inf",
        "max_concurrency": spec.workload.concurrency,
        "sharegpt_output_len": None,
        "random_input_len": None,
        "random_output_len": None,
        "random_range_ratio": None,
        "server_info": effective,
        "duration": duration,
        "completed": len(done),
        "total_input_tokens": tokens_in,
        "total_input_text_tokens": tokens_in,
        "total_output_tokens": tokens_out,
        "total_output_tokens_retokenized": tokens_out,
        "request_throughput": len(done) / duration,
        "input_throughput": tokens_in / duration,
        "output_throughput": tokens_out / duration,
        "total_throughput": (tokens_in + tokens_out) / duration,
        **_latencies(done),
        "concurrency": in_flight,
        "accept_length": None,
        "countersign": {
            "schema": REPEAT_SCHEMA,
            "launch_id": spec.launch_id,
            "repeat": index,
            "start_unix": repeat.start_unix,
            "end_unix": repeat.end_unix,
            "requested": len(repeat.requests),
            "failed": len(repeat.requests) - len(done),
            "output_len": spec.workload.output_len,
            "prompts_sha256": hashlib.sha256("\n".join(r.prompt.text for r in repeat.requests).encode()).hexdigest(),
            "usage_input_tokens": sum(r.usage_in or 0 for r in done),
            "usage_output_tokens": sum(r.usage_out or 0 for r in done),
        },
    }
