"""Results of ``vllm bench serve`` and of the clients forked from it (InferenceX): one object a file, or appended."""

from __future__ import annotations

import json

from audit.contract import Scalar, Source
from audit.errors import DamageError
from audit.intake.dialects import common
from audit.intake.dialects.common import Json, count, number
from audit.intake.model import Row
from audit.intake.rows import METRICS

MARKS = ("total_token_throughput", "request_goodput", "request_goodput:", "endpoint_type", "model_id", "tokenizer_id")
WORKLOAD = (
    "backend", "endpoint_type", "label", "model_id", "tokenizer_id", "best_of", "use_beam_search", "num_prompts", "request_rate",
    "burstiness", "max_concurrency", "ramp_up_strategy", "ramp_up_start_rps", "ramp_up_end_rps",
)  # fmt: skip
COUNTS = ("completed", "failed", "num_prompts", "total_input_tokens", "total_output_tokens")
KNOWN = {
    *WORKLOAD, *COUNTS, *common.ARRAYS, "date", "duration", "request_throughput", "request_goodput", "request_goodput:", "rtfx",
    "output_throughput", "total_token_throughput", "input_throughput", "max_output_tokens_per_s", "max_concurrent_requests",
    "rps_change_events", "benchmark_start_time_unix", "benchmark_end_time_unix", "latencies", "start_times", "queue_times",
    "run_number",
}  # fmt: skip
"""Keys that the client itself writes; what is left over came with ``--metadata`` or from a sweep."""
RENAMED = {"total_throughput": "total_token_throughput"}


def fits(record: Json) -> bool:
    """True for an object with the marks of a ``bench serve`` result, whole or cut down."""
    return sum(mark in record for mark in MARKS) >= 2 and any(str(key).endswith("_ttft_ms") for key in record)


def era(record: Json) -> str:
    """Which client wrote it, by its keys."""
    if "benchmark_start_time_unix" in record or ("best_of" in record and "burstiness" in record):
        return "fork with best_of"
    if "endpoint_type" in record:
        return "bench serve"
    return "benchmark_serving"


def parse(record: Json, repeat: int, source: Source, unit_ratio: float) -> Row:
    """One result as a timed repeat. Raises DamageError on a missing, mistyped or impossible value."""
    if "output_throughput" not in record and "duration" not in record:
        raise DamageError("cut down: neither duration nor throughput was kept", ids=("R01",))
    for key in COUNTS:
        count(record, key)
    for key in (key for key in record if str(key).endswith(("_ms", "_throughput"))):
        number(record, key)
    duration, completed = common.measured(record, count(record, "completed"))
    common.rate(record)
    metrics = {}
    for item in METRICS:
        key = RENAMED.get(item.name, item.key.replace("e2e_latency", "e2el"))
        value = number(record, key)
        if value is not None:
            metrics[item.name] = value
    if not metrics.get("output_throughput"):
        raise DamageError("no output throughput", ids=("R01", "R12"))
    common.plausible(metrics, duration, unit_ratio)
    details = common.details(record)
    requested = count(record, "num_prompts") or len(details) or None
    if requested and completed > requested:
        raise DamageError(f"{completed} requests completed, {requested} were asked", ids=("R19",))
    if requested:
        metrics["success_rate"] = completed / requested
    failed = count(record, "failed")
    stamp = record.get("date")
    return Row(
        repeat=repeat,
        source=source,
        metrics=metrics,
        duration=duration,
        completed=completed,
        tokens_in=count(record, "total_input_tokens"),
        tokens_out=count(record, "total_output_tokens"),
        workload={key: common.scalar(record[key]) for key in WORKLOAD if key in record},
        config=_config(record),
        ours=None,
        dialect="vllm",
        era=era(record),
        requested=requested,
        failed=failed if failed is not None else (requested - completed if requested else None),
        start_unix=number(record, "benchmark_start_time_unix"),
        end_unix=number(record, "benchmark_end_time_unix"),
        stamp=stamp if isinstance(stamp, str) else None,
        latency_mean_ms=number(record, "mean_e2el_ms"),
        details=details,
    )


def _config(record: Json) -> str | None:
    """Settings that were handed along (``--metadata``, always text) or swept; the policy decides which of them are settings."""
    found: dict[str, Scalar] = {
        key: value
        for key, value in record.items()
        if key not in KNOWN and not str(key).endswith("_ms") and isinstance(value, str | int | float | bool)
    }
    return json.dumps(found, sort_keys=True, ensure_ascii=False) if found else None
