"""Files as the field's tools write them: SGLang rows and logs, and the claim files of a GEAK run directory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

Json = dict[str, Any]
ISL, OSL, REQUESTS = 1024, 1024, 320
CONCURRENCY = 64


class Latency(NamedTuple):
    """Median TTFT and TPOT of a leg, ms."""

    ttft: float
    tpot: float


def server_info(**changes: Any) -> Json:
    """A short ``server_info`` of one SGLang launch; ``changes`` override."""
    return {
        "model_path": "Qwen/Qwen3.5-27B-FP8", "tokenizer_path": "Qwen/Qwen3.5-27B-FP8", "dtype": "auto", "quantization": "fp8",
        "kv_cache_dtype": "auto", "mem_fraction_static": 0.85, "max_running_requests": None, "max_total_tokens": None,
        "chunked_prefill_size": 16384, "max_prefill_tokens": 16384, "schedule_policy": "fcfs", "page_size": 1, "tp_size": 1, "pp_size": 1,
        "dp_size": 1, "ep_size": 1, "attention_backend": "triton", "sampling_backend": "pytorch", "moe_runner_backend": "auto",
        "speculative_algorithm": None, "disable_radix_cache": True, "cuda_graph_max_bs": 128, "disable_cuda_graph": False,
        "enable_torch_compile": False, "random_seed": 42, "disaggregation_mode": "null", "max_total_num_tokens": 1156449,
        "version": "0.5.5.post3", "status": "ready", **changes,
    }  # fmt: skip


def row(tok_s: float, info: Json, latency: Latency, spread: float = 0.0) -> Json:
    """One line of ``bench_serving``: every figure follows from tok/s, the load and the latencies. ``spread`` shifts latencies a little."""
    duration = REQUESTS * OSL / tok_s
    ttft, tpot = latency.ttft * (1 + spread), latency.tpot * (1 + spread)
    e2e = ttft + tpot * (OSL - 1)
    return {
        "tag": None, "backend": "sglang", "dataset_name": "random", "request_rate": "inf", "max_concurrency": CONCURRENCY,
        "sharegpt_output_len": None, "random_input_len": ISL, "random_output_len": OSL, "random_range_ratio": 1.0, "server_info": info,
        "duration": duration, "completed": REQUESTS, "total_input_tokens": REQUESTS * ISL, "total_output_tokens": REQUESTS * OSL,
        "total_output_tokens_retokenized": REQUESTS * OSL, "request_throughput": REQUESTS / duration,
        "input_throughput": REQUESTS * ISL / duration, "output_throughput": tok_s,
        "total_throughput": REQUESTS * (ISL + OSL) / duration, "mean_e2e_latency_ms": e2e, "median_e2e_latency_ms": e2e,
        "mean_ttft_ms": ttft, "median_ttft_ms": ttft, "mean_tpot_ms": tpot, "median_tpot_ms": tpot, "mean_itl_ms": tpot,
        "median_itl_ms": tpot, "concurrency": REQUESTS * e2e / 1000 / duration, "accept_length": None,
    }  # fmt: skip


def closed_loop(tok_s: float, ttft: float) -> Latency:
    """Latencies that fit a closed loop of CONCURRENCY requests at this throughput (Little's law)."""
    e2e = 1000 * CONCURRENCY * OSL / tok_s
    return Latency(ttft, (e2e - ttft) / (OSL - 1))


def leg(folder: Path, values: Sequence[float], info: Json, ttft: float = 900.0) -> None:
    """A leg of rows, one per timed repeat; latencies of each follow its own throughput."""
    write_lines(
        folder / "bench_runs.jsonl",
        [row(value, info, closed_loop(value, ttft * (1 + 0.003 * n))) for n, value in enumerate(values)],
    )


def log(folder: Path, info: Json, peak: int | None, tokens: int = 0, extra: Sequence[str] = ()) -> None:
    """A short server log: arguments, pool, and decode lines up to a peak of running requests and pooled tokens; None: cut before them."""
    folder.mkdir(parents=True, exist_ok=True)
    pool = info["max_total_num_tokens"]
    args = ", ".join(
        f"{key}={value!r}" for key, value in info.items() if key not in ("max_total_num_tokens", "version", "status")
    )
    lines = [
        f"[2026-06-22 13:35:02] server_args=ServerArgs({args})",
        f"[2026-06-22 13:37:40 TP0] KV Cache is allocated. dtype: torch.bfloat16, #tokens: {pool}, K size: 52.10 GB, V size: 52.10 GB",
        f"[2026-06-22 13:38:21 TP0] max_total_num_tokens={pool}, chunked_prefill_size=16384, max_prefill_tokens=16384, "
        "max_running_requests=4096, context_len=262144, available_gpu_mem=21.37 GB",
        "[2026-06-22 13:38:30] The server is fired up and ready to roll!",
    ]
    for step in range(1, 9 if peak is not None else 1):
        running, held = (peak or 0) * step // 8, tokens * step // 8
        lines.append(
            f"[2026-06-22 13:39:{10 + step:02d} TP0] Decode batch, #running-req: {running}, #token: {held}, token usage: {held / pool:.2f}, "
            f"cuda graph: True, gen throughput (token/s): 1003.20, #queue-req: 0"
        )
    (folder / "server.log").write_text("\n".join([*lines, *extra]) + "\n")


def write_lines(path: Path, values: Sequence[Json]) -> None:
    """A JSON-lines file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values))


def write(path: Path, value: Any) -> None:
    """A pretty-printed JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
