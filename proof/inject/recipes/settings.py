"""A second setting moves beside the one that is named: each confound, told by whatever record of settings a dialect has.

The twins move the same keys, declared, all of them, as the one change under audit; or in every leg alike; or keys that always differ.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from proof.inject.bases import ALL, FOREIGN, SGLANG
from proof.inject.confounds import POOL, VLLM_POOL, Moved, Moves, beside, honest
from proof.inject.draft import Dialect
from proof.inject.recipe import Recipe
from proof.making import Json

SERVED = ("ours", *SGLANG)


def _memory(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    """So much more of the device's memory; the pool grows by what is left beside the weights."""
    grown = 1 + 1.48 * size
    if dialect == "ours":
        return Moved({}, {"cb_num_blocks": round(64 * (1 + 10 * size))})
    if dialect == "sglang":
        return Moved({}, {"mem_fraction_static": round(0.85 + size, 3), "max_total_num_tokens": round(POOL * grown)})
    return Moved(
        {"gpu_memory_utilization": 0.9},
        {"gpu_memory_utilization": round(0.9 + size, 3), "kv_cache_tokens": round(VLLM_POOL * grown)},
    )


def _kv_dtype(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    value = rng.choice(("fp8_e5m2", "fp8_e4m3"))
    pool: Json = {"max_total_num_tokens": 2 * POOL} if dialect == "sglang" else {"kv_cache_tokens": 2 * VLLM_POOL}
    return Moved({"kv_cache_dtype": "auto"}, {"kv_cache_dtype": value, **pool})


def _devices(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    count = int(size)
    if dialect == "sglang":
        return Moved({}, {"tp_size": count, "max_total_num_tokens": round(POOL * (count + 0.2 * (count - 1)))})
    return Moved(
        {"tensor_parallel_size": 1},
        {"tensor_parallel_size": count, "kv_cache_tokens": round(VLLM_POOL * (count + 0.2 * (count - 1)))},
    )


def _draft_model(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    steps = rng.choice((2, 3, 5))
    return Moved({}, {
        "speculative_algorithm": rng.choice(("EAGLE", "EAGLE3")), "speculative_draft_model_path": "org/model-7b-eagle",
        "speculative_num_steps": steps, "speculative_eagle_topk": 1, "speculative_num_draft_tokens": steps + 1,
    })  # fmt: skip


def _prefill(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    tokens = int(8192 * size)
    if dialect == "sglang":
        return Moved({}, {"chunked_prefill_size": tokens})
    key = "max_num_batched_tokens" if dialect == "vllm" else "cb_max_batch_tokens"
    return Moved({key: 8192 if dialect == "vllm" else 128}, {key: tokens if dialect == "vllm" else int(128 * size)})


def _eager_reference(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    if dialect == "ours":
        return Moved({"compile": False}, {"compile": True})
    key = "disable_cuda_graph" if dialect == "sglang" else "enforce_eager"
    return Moved({key: True}, {key: False})


def _cheaper_maths(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    if dialect == "ours":
        return Moved({}, {"dtype": "bfloat16"})
    return Moved({"quantization": None}, {"quantization": rng.choice(("fp8", "awq"))})


def _context(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    key = "context_length" if dialect == "sglang" else "max_model_len"
    return Moved({key: 8192}, {key: int(size)})


def _engine(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    if dialect == "ours":
        return Moved({}, {"engine_version": rng.choice(("5.23.1", "5.24.0"))})
    return Moved({}, {"version": rng.choice(("0.5.5.post1", "0.5.6", "0.6.0"))})


def _admission(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    if dialect == "sglang":
        return Moved({}, {"schedule_policy": rng.choice(("lpm", "lof", "dfs-weight"))})
    return Moved({"scheduling_policy": "fcfs"}, {"scheduling_policy": "priority"})


UNKNOWN: tuple[tuple[str, object, object], ...] = (
    ("triton_attention_num_kv_splits", 8, 16), ("enable_two_batch_overlap", False, True), ("weight_version", "default", "patched"),
)  # fmt: skip


def _unknown(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    """A setting that no table of ours knows."""
    key, old, new = rng.choice(UNKNOWN) if dialect == "sglang" else ("async_scheduling", False, True)
    return Moved({key: old}, {key: new})


def _place(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    key, old, new = rng.choice((("base_gpu_id", 0, 4), ("numa_node", 0, 1)))
    return Moved({key: old}, {key: new})


def _determinism(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    key = "enable_deterministic_inference"
    return Moved({key: True}, {key: False})


def _logging(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    if dialect == "ours":
        return Moved({"env.TORCH_LOGS": "+all"}, {"env.TORCH_LOGS": ""})
    if dialect == "vllm":
        return Moved({"enable_log_requests": True}, {"enable_log_requests": False})
    key = rng.choice(("log_requests", "enable_metrics", "enable_request_time_stats_logging"))
    return Moved({key: True}, {key: False})


def _prefix_cache(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    if dialect == "sglang":
        return Moved({}, {"disable_radix_cache": False})
    return Moved({"enable_prefix_caching": False}, {"enable_prefix_caching": True})


def _scheduler(dialect: Dialect, size: float, rng: random.Random) -> Moved:
    """So many settings of the candidate are other ones: its reference belongs to another configuration."""
    if dialect == "ours":
        keys: Json = {"continuous_batching": True, "cb_max_batch_tokens": 256, "dtype": "bfloat16"}
        old: Json = {"cb_max_batch_tokens": 128}
    elif dialect == "sglang":
        keys = {"page_size": 64, "enable_torch_compile": True, "num_continuous_decode_steps": 4}
        old = {"num_continuous_decode_steps": 1}
    else:
        keys = {"block_size": 64, "max_num_batched_tokens": 16384, "async_scheduling": True}
        old = {"block_size": 16, "max_num_batched_tokens": 8192, "async_scheduling": False}
    names = rng.sample(sorted(keys), int(size))
    return Moved({name: old[name] for name in names if name in old}, {name: keys[name] for name in names})


PERCENT = (3.0, 8.0, 25.0)


class Row(NamedTuple):
    """One confound of the table below."""

    name: str
    ids: tuple[str, ...]
    field: str
    bases: tuple[str, ...]
    says: str
    moves: Moves
    sizes: tuple[float, float, float] = PERCENT
    """The setting's own sizes; as they stand here: percent that it brings."""


ROWS = (
    Row("more-memory", ("C01",), "settings: memory fraction, KV pool", ALL,
        "So much more of the memory goes to the KV pool of the candidate, beside the named change", _memory, (0.02, 0.05, 0.09)),
    Row("other-kv-dtype", ("C02",), "settings: kv_cache_dtype", FOREIGN,
        "The candidate alone keeps its KV cache in 8 bits", _kv_dtype),
    Row("more-devices", ("C03",), "settings: tp_size, tensor_parallel_size", FOREIGN,
        "The candidate runs on so many GPUs, the reference on one", _devices, (2.0, 4.0, 8.0)),
    Row("draft-model", ("C04",), "sglang row: server_info.speculative_*", SGLANG,
        "A draft model runs in the candidate alone", _draft_model),
    Row("other-prefill", ("C05",), "settings: chunked_prefill_size, max_num_batched_tokens, cb_max_batch_tokens", ALL,
        "The candidate's prefill chunks hold so many times the tokens", _prefill, (0.5, 2.0, 4.0)),
    Row("eager-reference", ("C06",), "settings: disable_cuda_graph, enforce_eager, compile", ALL,
        "The reference alone runs without graphs", _eager_reference),
    Row("cheaper-maths", ("C07",), "settings: quantization, dtype", ALL,
        "The candidate alone computes in fewer bits", _cheaper_maths),
    Row("shorter-context", ("C08",), "settings: context_length, max_model_len", FOREIGN,
        "The candidate alone allows so many tokens of context", _context, (4096.0, 2048.0, 1024.0)),
    Row("newer-engine", ("C09",), "settings: version, engine_version", SERVED,
        "The candidate runs on another release of the engine", _engine),
    Row("other-admission", ("C13",), "settings: schedule_policy, scheduling_policy", FOREIGN,
        "The candidate admits requests in another order", _admission),
    Row("setting-nobody-knows", ("C15",), "settings: any other key", FOREIGN,
        "A setting that no table knows moves too", _unknown),
    Row("other-gpu", ("C18",), "sglang row: server_info.base_gpu_id, numa_node", SGLANG,
        "The candidate runs on another GPU or socket", _place),
    Row("deterministic-reference", ("C19",), "sglang row: server_info.enable_deterministic_inference", SGLANG,
        "The reference alone is held to determinism", _determinism),
    Row("logging-reference", ("C20",), "settings: log_requests, enable_metrics, enable_log_requests, env.*LOG*", ALL,
        "The reference alone logs every request", _logging),
    Row("prefix-cache-in-one-leg", ("W01",), "settings: disable_radix_cache, enable_prefix_caching", FOREIGN,
        "The candidate alone has a prefix cache", _prefix_cache),
    Row("reference-of-another-configuration", ("C12", "C01", "C05", "C06", "C07", "C15"), "settings: several keys", ALL,
        "So many settings beside the named one are not those of the reference", _scheduler, (1.0, 2.0, 3.0)),
)  # fmt: skip


def _recipe(row: Row) -> Recipe:
    sized = row.sizes is PERCENT
    says = f"{row.says}; it brings so many percent." if sized else f"{row.says}."
    lie, twin = beside(row.moves, sized), honest(row.moves, sized)
    return Recipe(row.name, row.ids, row.field, row.bases, row.sizes, says, lie, twin, critical=True)


RECIPES = tuple(_recipe(row) for row in ROWS)
