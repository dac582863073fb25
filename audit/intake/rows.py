"""SGLang's ``bench_serving`` rows, all eras (formats.md section 1), and our own, which use the same keys."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple

import msgspec

from audit.contract import Scalar, Source
from audit.errors import DamageError
from audit.intake.model import Ours, Row

REPEAT_SCHEMA = "countersign.repeat/1"
Better = Literal["higher", "lower"]


class MetricKey(NamedTuple):
    """A metric of the verdict and the raw key it is read from."""

    name: str
    key: str
    unit: str
    better: Better


METRICS: tuple[MetricKey, ...] = (
    MetricKey("output_throughput", "output_throughput", "tok/s", "higher"),
    MetricKey("request_throughput", "request_throughput", "req/s", "higher"),
    MetricKey("input_throughput", "input_throughput", "tok/s", "higher"),
    MetricKey("total_throughput", "total_throughput", "tok/s", "higher"),
    *(MetricKey(f"{base}_ms", f"median_{base}_ms", "ms", "lower") for base in ("ttft", "tpot", "itl", "e2e_latency")),
    *(
        MetricKey(f"p{q}_{base}_ms", f"p{q}_{base}_ms", "ms", "lower")
        for base in ("ttft", "tpot", "itl", "e2e_latency")
        for q in (90, 95, 99)
    ),
)
SUCCESS = MetricKey("success_rate", "", "1", "higher")
ALL_METRICS = (*METRICS, SUCCESS)
WORKLOAD = (
    "backend", "dataset_name", "request_rate", "max_concurrency", "sharegpt_output_len", "random_input_len",
    "random_output_len", "random_range_ratio",
)  # fmt: skip
"""Arguments of the load that make two rows repeats of the same thing."""
COUNTS = ("completed", "successful_requests", "total_input_tokens", "total_output_tokens", "total_output_tokens_retokenized")
OPTIONAL_NUMBERS = (
    "concurrency",
    "accept_length",
    "max_concurrency",
    "random_input_len",
    "random_output_len",
    "random_range_ratio",
)


def looks_like_row(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """True for an object that has the marks of a serving benchmark's result line."""
    return isinstance(value, dict) and "output_throughput" in value and ("completed" in value or "successful_requests" in value)


def number(record: dict[str, Any], key: str) -> float | None:
    """A finite number >= 0, or None where the key is absent or null. Raises DamageError naming the key."""
    value = record.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DamageError(f"{key!r} is {json.dumps(value)[:40]}, not a number", ids=("R09",))
    if value < 0:
        raise DamageError(f"{key!r} is {value}, which is impossible", ids=("R19",))
    return float(value)


def count(record: dict[str, Any], key: str) -> int | None:
    """A whole number >= 0, or None where absent. Raises DamageError naming the key."""
    value = number(record, key)
    if value is None:
        return None
    if value != int(value):
        raise DamageError(f"{key!r} is {value}, not a whole number", ids=("R19",))
    return int(value)


def parse(record: dict[str, Any], repeat: int, source: Source) -> Row:
    """One line as a timed repeat. Raises DamageError on a missing, mistyped or impossible value."""
    for key in COUNTS:
        count(record, key)
    for key in (*OPTIONAL_NUMBERS, *(key for key in record if str(key).endswith(("_ms", "_throughput")))):
        number(record, key)
    duration, completed = number(record, "duration"), count(record, "completed")
    if completed is None:
        completed = count(record, "successful_requests")
    if duration is None or completed is None:
        raise DamageError(f"no {'duration' if duration is None else 'completed'!r}", ids=("R01",))
    if duration == 0:
        raise DamageError("'duration' is 0", ids=("M24",))
    if completed == 0:
        raise DamageError("no request completed: this is no measurement", ids=("R12",))
    rate = record.get("request_rate")
    if isinstance(rate, bool) or (isinstance(rate, str) and rate not in ("inf", "trace")):
        raise DamageError(f"'request_rate' is {json.dumps(rate)[:40]}, not a rate", ids=("R09",))
    metrics = {item.name: value for item in METRICS if (value := number(record, item.key)) is not None}
    if not metrics.get("output_throughput"):
        raise DamageError("no output throughput", ids=("R01", "R12"))
    ours = _ours(record["countersign"]) if "countersign" in record else None
    if ours is not None and ours.requested:
        metrics["success_rate"] = completed / ours.requested
    info = record.get("server_info")
    if info is not None and not isinstance(info, dict):
        raise DamageError("'server_info' is not an object", ids=("R09",))
    return Row(
        repeat=ours.repeat if ours else repeat,
        source=source,
        metrics=metrics,
        duration=duration,
        completed=completed,
        tokens_in=count(record, "total_input_tokens"),
        tokens_out=count(record, "total_output_tokens"),
        workload={key: _scalar(record.get(key)) for key in WORKLOAD},
        config=None if info is None else json.dumps(info, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        ours=ours,
    )


def _scalar(value: Any) -> Scalar:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str | int | float | bool | None) else json.dumps(value, sort_keys=True)


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


def flatten(config: str) -> dict[str, str]:
    """``server_info`` text as flat key -> canonical JSON text of the value; nested keys as ``a.b`` and ``a[0].b``."""
    found: dict[str, str] = {}
    stack: list[tuple[str, Any]] = [("", json.loads(config))]
    while stack:
        key, value = stack.pop()
        if isinstance(value, dict) and value:
            stack += [(f"{key}.{name}" if key else name, item) for name, item in value.items()]
        elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
            stack += [(f"{key}[{index}]", item) for index, item in enumerate(value)]
        else:
            found[key] = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return found
