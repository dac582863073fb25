"""What only the server's log tells: settings of vLLM, a backend that is another, a warm cache, a crash, pressure, late compilation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.audit.build import Json, foreign, sglang_row
from tests.unit.audit.planted.case import Planted
from tests.unit.audit.planted.conditions import CAND, INFO, REF, TRITON

ARGS: Json = {"model": "org/model-7b", "gpu_memory_utilization": 0.9, "max_num_seqs": 64, "port": 8000}
ENGINE: Json = {
    "model": "org/model-7b", "speculative_config": None, "dtype": "torch.bfloat16", "max_seq_len": 8192, "tensor_parallel_size": 1,
    "pipeline_parallel_size": 1, "quantization": None, "enforce_eager": False, "kv_cache_dtype": "auto", "seed": 0,
    "enable_prefix_caching": False, "compilation_config": {"level": 3, "sizes": [1, 2]},
}  # fmt: skip
TRITON_VLLM: Json = {"attention_backend": "TRITON_ATTN"}
CAPACITY = (
    "[2026-06-22 13:38:00 TP0] max_total_num_tokens={pool}, chunked_prefill_size=8192, max_prefill_tokens=16384, "
    "max_running_requests=64, context_len=8192"
)
READY = "[2026-06-22 13:38:24] The server is fired up and ready to roll!"
DECODE = "[2026-06-22 13:40:{second:02d} TP0] Decode batch, #running-req: {running}, #token: {tokens}, token usage: {use:.2f}, #queue-req: 0"
PREFILL = "[2026-06-22 13:39:00 TP0] Prefill batch, #new-seq: 1, #new-token: {new}, #cached-token: {old}, token usage: 0.01, #queue-req: 0"
RETRACT = "[2026-06-22 13:40:31 TP0] KV cache pool is full. Retract requests. #retracted_reqs: 3, #new_token_ratio: 0.58 -> 0.81"
CRASH = "[2026-06-22 13:41:00 TP0] Scheduler hit an exception: Traceback (most recent call last):"
FAULT = "Memory access fault by GPU node-2 (Agent handle: 0x5a0d7202eab0) on address 0x7d35a0c00000. Reason: Unknown."
STOPPED = "[2026-06-22 13:45:00] SIGTERM received. Draining requests and shutting down."
JIT = "[2026-06-22 13:41:10 TP0] [aiter] start build [module_gemm_a8w8] under /opt/aiter/jit"
UNTUNED = "[2026-06-22 13:38:20 TP0] Using default MoE kernel config. Performance might be sub-optimal! Config file not found at E=8,N=64.json"
TUNED = "[2026-06-22 13:38:20 TP0] Using configuration from E=8,N=64.json for MoE layer."
TABLE = json.dumps(
    {
        str(size): {"BLOCK_SIZE_M": 16, "BLOCK_SIZE_N": size, "BLOCK_SIZE_K": 64, "num_warps": 4, "num_stages": 2}
        for size in (32, 64, 128)
    }
)
FELL = "[2026-06-22 13:38:10 TP0] triton attention backend is not supported for this head size, falling back to fa3."


def decode(running: int, share: float, lines: int = 3, pool: int = 100000) -> list[str]:
    """Lines of work: requests running and the share of the pool they hold."""
    return [DECODE.format(second=second % 60, running=running, tokens=int(share * pool), use=share) for second in range(lines)]


def sglang_log(folder: Path, info: Json, lines: list[str]) -> None:
    """A server's log: its arguments, ready, then these lines."""
    args = ", ".join(f"{key}={value!r}" for key, value in info.items())
    (folder / "server.log").write_text("\n".join([f"[2026-06-22 13:35:02] server_args=ServerArgs({args})", *lines]) + "\n")


def sglang(
    root: Path, ref: list[str], cand: list[str], cand_log: Json | None = None, overlay: str | None = None, recorded: bool = True
) -> Path:
    """Two flat legs of SGLang rows with a declared backend, and a log each; ``cand_log`` differs in the candidate's log alone."""
    change: Json = {"lever": "backend", "flags": TRITON} if overlay is None else {"lever": "tuned table", "overlay": [overlay]}
    moved = TRITON if overlay is None else {}
    for leg, speeds, info, lines in (("ref", REF, INFO, ref), ("cand", CAND, {**INFO, **moved}, cand)):
        foreign(root / leg, [sglang_row(value, info if recorded else None) for value in speeds])
        sglang_log(root / leg, {**info, **(cand_log or {})} if leg == "cand" else info, lines)
    (root / "audit_request.json").write_text(json.dumps({"scope": "patch", "cand_dir": ".", "change": change}))
    return root


def logged(ref: list[str], cand: list[str], **keys: Any) -> Callable[[Path], Path]:
    """A pair whose logs go on with these lines once the servers are ready."""
    return lambda root: sglang(root, [READY, *ref], [READY, *cand], **keys)


def vllm_row(tok_s: float) -> Json:
    """One result of ``vllm bench serve``: it names no setting of the server."""
    duration = 200 * 256 / tok_s
    return {
        "date": "20260611-120000", "endpoint_type": "openai", "backend": "openai", "label": None, "model_id": "org/model-7b",
        "tokenizer_id": "org/model-7b", "num_prompts": 200, "request_rate": "inf", "burstiness": 1.0, "max_concurrency": 16,
        "duration": duration, "completed": 200, "failed": 0, "total_input_tokens": 204800, "total_output_tokens": 51200,
        "request_throughput": 200 / duration, "request_goodput": None, "output_throughput": tok_s, "total_token_throughput": 256000 / duration,
        "mean_ttft_ms": 1.1e5 / tok_s, "median_ttft_ms": 1e5 / tok_s, "p99_ttft_ms": 2e5 / tok_s * (1 + tok_s * 0.618034 % 1 / 1000), "mean_tpot_ms": 12e3 / tok_s,
        "median_tpot_ms": 12e3 / tok_s, "p99_tpot_ms": 14e3 / tok_s, "mean_itl_ms": 12e3 / tok_s, "median_itl_ms": 12e3 / tok_s, "p99_itl_ms": 15e3 / tok_s,
    }  # fmt: skip


def vllm_log(
    args: Json, engine: Json, backend: str = "FLASH_ATTN", blocks: int = 825607, weights: float = 16.1, use: float = 2.5
) -> str:
    """A log of vLLM: what was set, what the engine made of it, what it measured, and how full it got (percent of the pool)."""
    config = ", ".join(f"{key}={value if key == 'dtype' else repr(value)}" for key, value in engine.items())
    head = "(EngineCore pid=232) INFO 06-05 05:3"
    stats = f"Avg generation throughput: 990.0 tokens/s, Running: 16 reqs, Waiting: 0 reqs, GPU KV cache usage: {use}%"
    return "\n".join([
        f"(APIServer pid=68) INFO 06-05 05:32:55 [utils.py:278] non-default args: {args!r}",
        f"{head}3:41 [core.py:112] Initializing a V1 LLM engine (v0.22.0) with config: {config}",
        f"{head}4:00 [cuda.py:378] Using {backend} attention backend out of potential backends: ['FLASH_ATTN', 'TRITON_ATTN'].",
        f"{head}4:14 [gpu_model_runner.py:5132] Model loading took {weights} GiB memory and 90.77 seconds",
        f"{head}5:21 [kv_cache_utils.py:1733] GPU KV cache size: {blocks:,} tokens",
        "(APIServer pid=68) INFO:     Application startup complete.",
        f"(APIServer pid=68) INFO 06-05 05:46:44 [loggers.py:271] Engine 000: Avg prompt throughput: 3900.3 tokens/s, {stats}",
        "(APIServer pid=68) INFO:     Shutting down", "",
    ])  # fmt: skip


def vllm(root: Path, ref: str, cand: str, declared: Json) -> Path:
    """Two folders of vLLM results, a file a repeat, each with its server's log."""
    for leg, speeds, log in (("ref", REF, ref), ("cand", CAND, cand)):
        (root / leg).mkdir()
        for number, speed in enumerate(speeds):
            (root / leg / f"run_{number}.json").write_text(json.dumps(vllm_row(speed)))
        (root / leg / "server.log").write_text(log)
    change = {"lever": "the change", "flags": declared}
    (root / "audit_request.json").write_text(json.dumps({"scope": "patch", "cand_dir": ".", "change": change}))
    return root


def beside(id_: str, name: str, args: Json | None = None, engine: Json | None = None, **log: Any) -> Planted:
    """Beside the declared backend another setting of vLLM moves, which only the log tells; in the twin it is the same in both legs."""
    mine = {**ARGS, **(args or {})}, {**ENGINE, **(engine or {})}
    field = next(iter({**(args or {}), **(engine or {}), **({"GPU KV cache size": 0} if log else {})}))
    return Planted(
        id=id_,
        name=name,
        field=f"vLLM server.log: {field}",
        lie=lambda root: vllm(root, vllm_log(ARGS, ENGINE), vllm_log(*mine, "TRITON_ATTN", **log), TRITON_VLLM),
        twin=lambda root: vllm(root, vllm_log(*mine, **log), vllm_log(*mine, "TRITON_ATTN", **log), TRITON_VLLM),
    )


def declared(id_: str, name: str, key: str, value: Any, engine: str) -> Planted:
    """A setting that only vLLM's log tells moves beside the declared backend; in the twin it is the declared change itself."""
    moved = {**ENGINE, engine: value}
    return Planted(
        id=id_,
        name=name,
        field=f"vLLM server.log: {engine}",
        lie=lambda root: vllm(root, vllm_log(ARGS, ENGINE), vllm_log(ARGS, moved, "TRITON_ATTN"), TRITON_VLLM),
        twin=lambda root: vllm(root, vllm_log(ARGS, ENGINE), vllm_log(ARGS, moved), {key: value}),
    )


def _pool(cand_peak: float) -> Callable[[Path], Path]:
    """The candidate's pool is larger; how full the pools got decides whether that mattered."""

    def make(root: Path) -> Path:
        ref = [CAPACITY.format(pool=100000), READY, *decode(16, 0.2)]
        return sglang(root, ref, [CAPACITY.format(pool=140000), READY, *decode(16, cand_peak, pool=140000)], recorded=False)

    return make


def _weights(gib: float) -> Callable[[Path], Path]:
    return lambda root: vllm(root, vllm_log(ARGS, ENGINE), vllm_log(ARGS, ENGINE, "TRITON_ATTN", weights=gib), TRITON_VLLM)


def _table(*lines: str) -> Callable[[Path], Path]:
    """A tuning table in the overlay, bound; what the candidate's server says of tables."""
    bound = "[2026-06-22 13:38:05 TP0] [overlay] installed E=8,N=64.json"

    def make(root: Path) -> Path:
        (root / "overlay").mkdir()
        (root / "overlay/E=8,N=64.json").write_text(TABLE)
        return sglang(root, [UNTUNED, READY], [bound, *lines, READY], overlay="overlay/E=8,N=64.json")

    return make


USED = decode(16, 0.4)
PLANTED = (
    Planted("C01", "a larger KV pool, and it filled up", "sglang server.log: max_total_num_tokens, #token", _pool(0.9), _pool(0.15)),
    beside("C01", "a larger pool that only vLLM's log tells", blocks=1200000, use=90.0),
    Planted("C10", "a backend declared and recorded, another in the log", "sglang server.log: attention_backend",
            logged(USED, USED, cand_log={"attention_backend": "fa3"}), logged(USED, USED)),
    Planted("C10", "the declared backend fell back", "sglang server.log: fallback line", logged(USED, [FELL, *USED]), logged([FELL, *USED], [FELL, *USED])),
    declared("C02", "FP8 KV cache in vLLM's log alone", "kv_cache_dtype", "fp8", "kv_cache_dtype"),
    declared("C04", "a draft model in vLLM's log alone", "speculative_config", "SpeculativeConfig(method='eagle', num_spec_tokens=3)", "speculative_config"),
    declared("C07", "quantised weights in vLLM's log alone", "quantization", "fp8", "quantization"),
    declared("C03", "two GPUs in vLLM's log alone", "tensor_parallel_size", 2, "tensor_parallel_size"),
    declared("C06", "eager mode in vLLM's log alone", "enforce_eager", True, "enforce_eager"),
    beside("C05", "a larger batch that only the arguments tell", {"max_num_batched_tokens": 32768}),
    beside("C08", "more sequences that only the arguments tell", {"max_num_seqs": 512}),
    beside("C13", "another scheduling policy that only the arguments tell", {"scheduling_policy": "priority"}),
    Planted("C14", "requests thrown out in the reference alone", "sglang server.log: retract lines",
            logged([*USED, *[RETRACT] * 9, *USED], USED), logged([*USED, RETRACT], [*USED, RETRACT]), ("FLAG",)),
    Planted("C17", "twelve GiB more of weights", "vLLM server.log: Model loading took", _weights(28.4), _weights(16.1), ("FLAG",)),
    Planted("W01", "prompts that the candidate's server had seen", "sglang server.log: #cached-token",
            logged([PREFILL.format(new=1024, old=0)] * 9, [PREFILL.format(new=64, old=960)] * 9),
            logged([PREFILL.format(new=900, old=124)] * 9, [PREFILL.format(new=896, old=128)] * 9)),
    Planted("M02", "the reference compiles under load", "sglang server.log: build lines",
            logged([*decode(16, 0.4, 80), JIT, *USED], decode(16, 0.4, 80)), logged([JIT, *decode(16, 0.4, 80)], [JIT, *decode(16, 0.4, 80)]), ("FLAG",)),
    Planted("E04", "a tuning table that is not found", "sglang server.log: default config line", _table(UNTUNED), _table(TUNED)),
)  # fmt: skip
