"""SGLang's ``bench_serving`` rows, all eras (docs/dialects.md), and our own, which use the same keys."""

from __future__ import annotations

from typing import Any

import msgspec

from audit.contract import Source
from audit.errors import DamageError
from audit.intake.dialects import common
from audit.intake.dialects.common import Json, count, number
from audit.intake.model import Detail, Ours, Row
from audit.intake.rows import METRICS
from audit.policy import Policy

REPEAT_SCHEMA = "countersign.repeat/1"
WORKLOAD = (
    "backend", "dataset_name", "request_rate", "max_concurrency", "sharegpt_output_len", "random_input_len",
    "random_output_len", "random_range_ratio",
)  # fmt: skip
"""Arguments of the load that make two rows repeats of the same thing."""
COUNTS = ("completed", "successful_requests", "total_input_tokens", "total_output_tokens", "total_output_tokens_retokenized")
NUMBERS = ("concurrency", "accept_length", "max_concurrency", "random_input_len", "random_output_len", "random_range_ratio")


def fits(record: Json) -> bool:
    """True for an object with the marks of a bench_serving line."""
    return "output_throughput" in record and ("completed" in record or "successful_requests" in record)


def era(record: Json) -> str:
    """Which version of the client wrote the line, by its keys."""
    if "countersign" in record:
        return "countersign"
    if "successful_requests" in record and "completed" not in record:
        return "old fork"
    if "max_output_tokens_per_s" in record or "p90_ttft_ms" in record:
        return "2026"
    if "server_info" in record:
        return "late 2025"
    return "mid 2025" if "median_tpot_ms" in record else "2024"


def parse(record: Json, repeat: int, source: Source, policy: Policy) -> Row:
    """One line as a timed repeat. Raises DamageError on a missing, mistyped or impossible value."""
    common.numbers(record, COUNTS, NUMBERS)
    completed = count(record, "completed")
    duration, completed = common.measured(record, count(record, "successful_requests") if completed is None else completed)
    common.rate(record, ("inf", "trace"))
    metrics = {item.name: value for item in METRICS if (value := number(record, item.key)) is not None}
    if not metrics.get("output_throughput"):
        raise DamageError("no output throughput", ids=("R01", "R12"))
    ours = _ours(record["countersign"]) if "countersign" in record else None
    tokens_in, tokens_out = count(record, "total_input_tokens"), count(record, "total_output_tokens")
    common.plausible(metrics, duration, policy.tolerance.unit_ratio)
    common.means(record, completed, tokens_out, policy)
    common.served(record, tokens_in, policy)
    details = common.details(record)
    own = _asked(record, ours, details)
    if own.get("requested"):
        metrics["success_rate"] = completed / own["requested"]
    return Row(
        repeat=ours.repeat if ours else repeat,
        source=source,
        metrics=metrics,
        duration=duration,
        completed=completed,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        workload={key: common.scalar(record.get(key)) for key in WORKLOAD},
        config=_config(record),
        ours=ours,
        dialect="countersign" if ours else "sglang",
        era=era(record),
        in_flight=number(record, "concurrency"),
        latency_mean_ms=number(record, "mean_e2e_latency_ms"),
        cache_hit_pct=common.share(record, tokens_in),
        accept_length=number(record, "accept_length"),
        limit=number(record, "max_concurrency"),
        recounted=count(record, "total_output_tokens_retokenized"),
        details=details,
        **own,
    )


def _asked(record: Json, ours: Ours | None, details: tuple[Detail, ...]) -> dict[str, Any]:
    """What was asked, what failed, and when: known of our own rows, and in part of rows that kept their arrays."""
    if ours is not None:
        return {"requested": ours.requested, "failed": ours.failed, "start_unix": ours.start_unix, "end_unix": ours.end_unix}
    failed = sum(item.failed for item in details) if details else None
    return {"requested": common.asked(record, details), "failed": failed}


def _config(record: Json) -> str | None:
    """``server_info`` as canonical text; a router's report with its prefill and decode servers is one object like any other."""
    info = record.get("server_info")
    if info is None:
        return None
    if not isinstance(info, dict):
        raise DamageError("'server_info' is not an object", ids=("R09",))
    return msgspec.json.encode(info, order="sorted").decode()


def _ours(value: Any) -> Ours:  # noqa: ANN401 - any JSON value
    try:
        ours = msgspec.convert(value, Ours)
    except msgspec.ValidationError as error:
        raise DamageError(f"'countersign': {error}") from error
    if ours.schema != REPEAT_SCHEMA:
        raise DamageError(f"'countersign' has schema {ours.schema!r}, which this version does not know")
    numbers = (ours.repeat, ours.requested, ours.failed, ours.usage_input_tokens, ours.usage_output_tokens)
    if min(numbers) < 0 or ours.end_unix <= ours.start_unix:
        raise DamageError("'countersign' holds a negative count or a window that ends before it starts", ids=("R19",))
    return ours
