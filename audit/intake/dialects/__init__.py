"""The dialects of raw rows: which one an object speaks, and the row it means; other tools are known by name and refused."""

from __future__ import annotations

from typing import Any

from audit.contract import Source
from audit.errors import DamageError
from audit.intake.dialects import sglang, vllm
from audit.intake.model import Row
from audit.policy import Policy

STRANGERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("a GuideLLM report", ("benchmarks",)),
    ("an AIPerf export", ("time_to_first_token", "output_token_throughput")),
    ("an AIPerf export of a pre-release", ("records", "input_config")),
    ("an llmperf summary", ("results_ttft_s_mean",)),
    ("llmperf's individual responses", ("ttft_s", "end_to_end_latency_s")),
    ("an InferenceX aggregate: figures per GPU, latencies in seconds", ("tput_per_gpu",)),
    ("an InferenceX token-position study: latencies in seconds", ("good_completed", "median_ttft")),
    ("an InferenceX agentic aggregate", ("output_tput_tps",)),
    ("a together_runner baseline: figures nested under 'metrics'", ("metrics", "framework")),
    ("a result of HF's inference-benchmarker", ("results", "system")),
    ("a result of 'vllm bench throughput'", ("elapsed_time", "tokens_per_second")),
    ("a result of 'vllm bench latency'", ("avg_latency", "latencies")),
)
"""Results of other tools: what to call them, and the keys that give them away."""


def stranger(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """What to call a result that this version does not read; None for what is no result of a known tool."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return stranger(value[0])
    if not isinstance(value, dict):
        return None
    return next((name for name, marks in STRANGERS if all(mark in value for mark in marks)), None)


def looks_like_row(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """True for an object that a dialect claims, and no other tool."""
    return isinstance(value, dict) and stranger(value) is None and (vllm.fits(value) or sglang.fits(value))


def parse(record: dict[str, Any], repeat: int, source: Source, policy: Policy) -> Row:
    """The row that an object means. Raises DamageError on a missing, mistyped or impossible value, and on a stranger."""
    name = stranger(record)
    if name is not None:
        raise DamageError(f"{name}: this version does not read it", ids=("R18",))
    if "countersign" not in record and vllm.fits(record):
        return vllm.parse(record, repeat, source, policy)
    if sglang.fits(record):
        return sglang.parse(record, repeat, source, policy)
    raise DamageError("not a result of SGLang's or vLLM's serving benchmark", ids=("R18",))
