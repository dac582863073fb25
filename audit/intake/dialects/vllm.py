"""Results of ``vllm bench serve`` and of the clients forked from it (InferenceX): one object a file, or appended."""

from __future__ import annotations

import json

from audit.contract import Scalar, Source
from audit.errors import DamageError
from audit.intake.dialects import common
from audit.intake.dialects.common import Json, count, number
from audit.intake.model import Row
from audit.intake.rows import METRICS
from audit.policy import Policy

MARKS = ("total_token_throughput", "request_goodput", "request_goodput:", "endpoint_type", "model_id", "tokenizer_id")
WORKLOAD = (
    "backend", "endpoint_type", "label", "model_id", "tokenizer_id", "best_of", "use_beam_search", "num_prompts", "request_rate",
    "burstiness", "max_concurrency", "ramp_up_strategy", "ramp_up_start_rps", "ramp_up_end_rps",
)  # fmt: skip
COUNTS = ("completed", "failed", "num_prompts", "total_input_tokens", "total_output_tokens")
NUMBERS = (
    "max_concurrency", "burstiness", "best_of", "ramp_up_start_rps", "ramp_up_end_rps", "request_goodput", "request_goodput:",
    "max_output_tokens_per_s", "max_concurrent_requests", "spec_decode_acceptance_length",
)  # fmt: skip
"""With the counts, the latencies and the throughputs: what ``--metadata`` may shadow with a text."""
KNOWN = {
    *WORKLOAD, *COUNTS, *common.ARRAYS, "date", "duration", "request_throughput", "request_goodput", "request_goodput:", "rtfx",
    "output_throughput", "total_token_throughput", "input_throughput", "max_output_tokens_per_s", "max_concurrent_requests",
    "rps_change_events", "benchmark_start_time_unix", "benchmark_end_time_unix", "latencies", "start_times", "queue_times",
    "run_number",
}  # fmt: skip
"""Keys that the client itself writes; what is left over came with ``--metadata`` or from a sweep."""
MEASURED = ("spec_decode_", "diffusion_", "probe_")
"""How further measurements of the newest client begin."""
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


def parse(record: Json, repeat: int, source: Source, policy: Policy) -> Row:
    """One result as a timed repeat. Raises DamageError on a missing, mistyped or impossible value."""
    if "output_throughput" not in record and "duration" not in record:
        raise DamageError("cut down: neither duration nor throughput was kept", ids=("R01",))
    common.numbers(record, COUNTS, NUMBERS)
    duration, completed = common.measured(record, count(record, "completed"))
    common.rate(record, ("inf",))
    metrics = {}
    for item in METRICS:
        key = RENAMED.get(item.name, item.key.replace("e2e_latency", "e2el"))
        value = number(record, key)
        if value is not None:
            metrics[item.name] = value
    if not metrics.get("output_throughput"):
        raise DamageError("no output throughput", ids=("R01", "R12"))
    tokens_out = count(record, "total_output_tokens")
    common.plausible(metrics, duration, policy.tolerance.unit_ratio)
    common.means(record, completed, tokens_out, policy)
    details = common.details(record)
    failed = count(record, "failed")
    requested = common.asked(record, details) or (count(record, "num_prompts") if failed is None else completed + failed)
    if requested and completed > requested:
        raise DamageError(f"{completed} requests completed, {requested} were asked", ids=("R19",))
    if requested:
        metrics["success_rate"] = completed / requested
    start, end = number(record, "benchmark_start_time_unix"), number(record, "benchmark_end_time_unix")
    if start is not None and end is not None and end <= start:
        raise DamageError("'benchmark_end_time_unix' is not after 'benchmark_start_time_unix'", ids=("R19",))
    stamp = record.get("date")
    return Row(
        repeat=repeat,
        source=source,
        metrics=metrics,
        duration=duration,
        completed=completed,
        tokens_in=count(record, "total_input_tokens"),
        tokens_out=tokens_out,
        workload={key: common.scalar(record[key]) for key in WORKLOAD if key in record},
        config=_config(record),
        ours=None,
        dialect="vllm",
        era=era(record),
        requested=requested,
        failed=failed if failed is not None else (requested - completed if requested else None),
        start_unix=start,
        end_unix=end,
        stamp=stamp if isinstance(stamp, str) else None,
        latency_mean_ms=number(record, "mean_e2el_ms"),
        accept_length=number(record, "spec_decode_acceptance_length"),
        limit=number(record, "max_concurrency"),
        details=details,
    )


def _config(record: Json) -> str | None:
    """Settings that were handed along (``--metadata``, always text) or swept; the policy decides which of them are settings."""
    handed = {key: record[key] for key in record if key not in KNOWN and not (key.endswith("_ms") or key.startswith(MEASURED))}
    found: dict[str, Scalar] = {key: value for key, value in handed.items() if isinstance(value, str | int | float | bool)}
    return json.dumps(found, sort_keys=True, ensure_ascii=False) if found else None
