"""The normalised row: the metrics of the verdict and the raw keys they are read from; settings made flat."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Literal, NamedTuple

Better = Literal["higher", "lower"]
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


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


def flatten(config: str) -> dict[str, str]:
    """``server_info`` text as flat key -> canonical JSON text of the value; nested keys as ``a.b`` and ``a[0].b``."""
    return dict(_flat(config))


@lru_cache(maxsize=16)
def _flat(config: str) -> dict[str, str]:
    """The same, kept for the gates that ask again for what intake has read."""
    found: dict[str, str] = {}
    stack: list[tuple[str, Any]] = [("", json.loads(config))]
    while stack:
        key, value = stack.pop()
        if isinstance(value, dict) and value:
            stack += [(f"{key}.{name}" if key else name, item) for name, item in value.items()]
        elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
            stack += [(f"{key}[{index}]", item) for index, item in enumerate(value)]
        else:
            found[key] = _canonical(value)
    return found
