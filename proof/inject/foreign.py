"""Rows and logs as SGLang and vLLM write them, from a speed and a generator; every identity between their keys holds."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from proof.making import Json

REQUESTS, CLIENTS, ISL, OSL = 96, 16, 512, 64
SGLANG_INFO: Json = {
    "model_path": "org/model-7b", "tokenizer_path": "org/model-7b", "dtype": "auto", "quantization": None, "kv_cache_dtype": "auto",
    "mem_fraction_static": 0.85, "max_running_requests": 64, "chunked_prefill_size": 8192, "max_prefill_tokens": 16384,
    "schedule_policy": "fcfs", "page_size": 1, "tp_size": 1, "pp_size": 1, "dp_size": 1, "ep_size": 1, "attention_backend": "fa3",
    "speculative_algorithm": None, "disable_radix_cache": True, "disable_cuda_graph": False, "cuda_graph_max_bs": 64,
    "enable_torch_compile": False, "enable_deterministic_inference": False, "log_requests": False, "context_length": 8192,
    "random_seed": 42, "base_gpu_id": 0, "numa_node": None, "disaggregation_mode": "null", "max_total_num_tokens": 600000, "version": "0.5.5",
}  # fmt: skip
VLLM_ARGS: Json = {
    "model": "org/model-7b", "port": 8000, "gpu_memory_utilization": 0.9, "max_num_seqs": 64, "max_model_len": 8192,
    "enable_prefix_caching": False,
}  # fmt: skip


def jitter(rng: random.Random, sd: float) -> float:
    """A factor about one whose logarithm scatters by ``sd``."""
    return math.exp(rng.gauss(0.0, sd))


def stamp(minute: int) -> str:
    """vLLM's date, so many minutes into a morning."""
    return f"20260611-{8 + minute // 60:02d}{minute % 60:02d}00"


class Load(NamedTuple):
    """One repeat, request by request: seconds of the whole, to the first token, between tokens, and of each answer."""

    duration: float
    ttft: list[float]
    gap: list[float]
    e2e: list[float]


def load(tok_s: float, rng: random.Random) -> Load:
    """A closed loop of CLIENTS clients: REQUESTS requests of OSL tokens each, served at ``tok_s``."""
    duration = REQUESTS * OSL / tok_s
    mean = 0.97 * duration * CLIENTS / REQUESTS
    ttft = [0.06 * mean * jitter(rng, 0.05) for _ in range(REQUESTS)]
    gap = [(mean * jitter(rng, 0.01) - 0.06 * mean) / (OSL - 1) for _ in range(REQUESTS)]
    return Load(duration, ttft, gap, [t + (OSL - 1) * g for t, g in zip(ttft, gap, strict=True)])


def quantile(values: Sequence[float], share: float) -> float:
    """The quantile with linear interpolation, as numpy has it."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def deviation(values: Sequence[float]) -> float:
    """The standard deviation over all values, as clients write it; in floats, where ``statistics`` counts in fractions."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


def _figures(run: Load, e2e: str, shares: Sequence[int]) -> Json:
    found: Json = {}
    for name, values in ((e2e, run.e2e), ("ttft", run.ttft), ("tpot", run.gap), ("itl", run.gap)):
        ms = [1000 * value for value in values]
        found |= {
            f"mean_{name}_ms": statistics.fmean(ms),
            f"median_{name}_ms": statistics.median(ms),
            f"std_{name}_ms": deviation(ms),
        }
        found |= {f"p{share}_{name}_ms": quantile(ms, share / 100) for share in shares}
    return found


def details(run: Load) -> Json:
    """Per-request arrays: ``--output-details`` of SGLang, ``--save-detailed`` of vLLM."""
    return {
        "input_lens": [ISL] * REQUESTS,
        "output_lens": [OSL] * REQUESTS,
        "ttfts": run.ttft,
        "itls": [[gap] * (OSL - 1) for gap in run.gap],
        "errors": [""] * REQUESTS,
    }


def sglang(tok_s: float, rng: random.Random, info: Json) -> Json:
    """One line of SGLang's bench_serving, late 2025."""
    run = load(tok_s, rng)
    return {**_sglang(run, info), **_figures(run, "e2e_latency", (99,)), **_tail(run)}


def sglang_2026(tok_s: float, rng: random.Random, info: Json) -> Json:
    """One line of 2026, with --output-details and --cache-report."""
    run = load(tok_s, rng)
    cache = {"total_prompt_tokens": REQUESTS * ISL, "total_cached_tokens": 0, "cache_hit_rate_pct": 0.0}
    return {
        **_sglang(run, info), **_figures(run, "e2e_latency", (90, 95, 99)), **_tail(run), "max_output_tokens_per_s": tok_s * 1.08,
        "max_concurrent_requests": CLIENTS, "cache_report": cache, **details(run),
    }  # fmt: skip


def _sglang(run: Load, info: Json) -> Json:
    out, into = REQUESTS * OSL, REQUESTS * ISL
    return {
        "tag": None, "backend": "sglang", "dataset_name": "random", "request_rate": float("inf"), "max_concurrency": CLIENTS,
        "sharegpt_output_len": None, "random_input_len": ISL, "random_output_len": OSL, "random_range_ratio": 1.0,
        "server_info": dict(info), "duration": run.duration, "completed": REQUESTS, "total_input_tokens": into,
        "total_input_text_tokens": into, "total_input_vision_tokens": 0, "total_output_tokens": out,
        "total_output_tokens_retokenized": out, "request_throughput": REQUESTS / run.duration,
        "input_throughput": into / run.duration, "output_throughput": out / run.duration,
        "total_throughput": (into + out) / run.duration,
    }  # fmt: skip


def _tail(run: Load) -> Json:
    return {"concurrency": sum(run.e2e) / run.duration, "accept_length": None}


def vllm(tok_s: float, rng: random.Random, date: str, *, detailed: bool = False) -> Json:
    """One result of ``vllm bench serve --save-result``, with its arrays where ``detailed``."""
    run = load(tok_s, rng)
    out, into = REQUESTS * OSL, REQUESTS * ISL
    return {
        "date": date, "endpoint_type": "openai", "backend": "openai", "label": None, "model_id": "org/model-7b",
        "tokenizer_id": "org/model-7b", "num_prompts": REQUESTS, "request_rate": "inf", "burstiness": 1.0,
        "max_concurrency": CLIENTS, "duration": run.duration, "completed": REQUESTS, "failed": 0, "total_input_tokens": into,
        "total_output_tokens": out, "request_throughput": REQUESTS / run.duration, "request_goodput": None,
        "output_throughput": out / run.duration, "total_token_throughput": (into + out) / run.duration,
        "max_output_tokens_per_s": tok_s * 1.08, "max_concurrent_requests": CLIENTS, **_figures(run, "e2el", (99,)),
        **(details(run) if detailed else {}),
    }  # fmt: skip


def sglang_log(info: Json, lines: Sequence[str] = ()) -> list[str]:
    """A server's log: arguments, capacity, ready, some work at full concurrency, then ``lines``."""
    args = ", ".join(f"{key}={value!r}" for key, value in info.items() if key not in ("version", "max_total_num_tokens"))
    pool = info["max_total_num_tokens"]
    use = CLIENTS * (ISL + OSL) / pool
    work = [
        f"[2026-06-22 13:40:{second:02d} TP0] Decode batch, #running-req: {CLIENTS}, #token: {int(use * pool)}, "
        f"token usage: {use:.2f}, cuda graph: True, gen throughput (token/s): 1000.00, #queue-req: 0"
        for second in range(3)
    ]
    return [
        f"[2026-06-22 13:35:02] server_args=ServerArgs({args})",
        f"[2026-06-22 13:38:00 TP0] max_total_num_tokens={pool}, chunked_prefill_size={info['chunked_prefill_size']}, "
        f"max_prefill_tokens=16384, max_running_requests={info['max_running_requests']}, context_len={info['context_length']}",
        "[2026-06-22 13:38:24] The server is fired up and ready to roll!",
        *work,
        *lines,
    ]


def vllm_log(args: Json, backend: str, lines: Sequence[str] = ()) -> list[str]:
    """A server's log: what was given, the backend and the pool it found, ready, work, then ``lines``."""
    return [
        f"(APIServer pid=68) INFO 06-11 07:32:55 [utils.py:278] non-default args: {args!r}",
        f"(Worker pid=7) INFO 06-11 07:34:00 [cuda.py:378] Using {backend} attention backend out of potential backends: ['A'].",
        "(EngineCore pid=232) INFO 06-11 07:35:21 [kv_cache_utils.py:1733] GPU KV cache size: 825,607 tokens",
        "(APIServer pid=68) INFO:     Application startup complete.",
        "(APIServer pid=68) INFO 06-11 07:36:00 [loggers.py:248] Engine 000: Avg prompt throughput: 8000.0 tokens/s, "
        f"Avg generation throughput: 1000.0 tokens/s, Running: {CLIENTS} reqs, Waiting: 0 reqs, GPU KV cache usage: 1.1%, "
        "Prefix cache hit rate: 0.0%",
        *lines,
    ]
