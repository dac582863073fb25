"""Tools of the recipes about settings: which keys move in which leg, told by whatever record of settings a dialect has."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from proof.inject import edits, shape
from proof.inject.bases import EAGER, TRITON, VLLM_TRITON
from proof.inject.draft import Dialect, Draft, Launch
from proof.inject.recipe import Edit
from proof.making import Json

POOL = 600_000
"""Tokens in the KV pool of a clean SGLang server."""
VLLM_POOL = 825_607
MEASURED = ("max_total_num_tokens", "kv_cache_tokens")
"""Capacities: the server finds them, nobody sets or declares them."""
VLLM_DEFAULTS: Json = {
    "kv_cache_dtype": "auto", "tensor_parallel_size": 1, "speculative_config": None, "max_num_batched_tokens": 8192,
    "enforce_eager": False, "quantization": None, "scheduling_policy": "fcfs", "enable_log_requests": False, "async_scheduling": False,
}  # fmt: skip
"""What vLLM's list of non-default arguments leaves out."""


class Moved(NamedTuple):
    """Settings of the reference (and its A/A set) and of the candidate."""

    ref: Json
    cand: Json


FIRST: dict[str, tuple[Json, Json]] = {
    "ours": ({"attn_implementation": "sdpa"}, EAGER),
    "sglang": ({"attention_backend": "fa3"}, TRITON),
    "vllm": ({"attention_backend": "FLASH_ATTN"}, VLLM_TRITON),
}
"""The clean change of each dialect: what the reference has, what the candidate has."""
SECOND: dict[str, tuple[Json, Json]] = {
    "ours": ({"cb_max_batch_tokens": 128}, {"cb_max_batch_tokens": 256}),
    "sglang": ({"chunked_prefill_size": 8192}, {"chunked_prefill_size": 16384}),
    "vllm": ({"max_num_batched_tokens": 8192}, {"max_num_batched_tokens": 16384}),
}
VOLATILE: dict[Dialect, Moved] = {
    "sglang": Moved(
        {"port": 30000, "nccl_port": 28310, "random_seed": 42}, {"port": 30001, "nccl_port": 28744, "random_seed": 908}
    ),
    "vllm": Moved({"port": 8000, "seed": 0}, {"port": 8001, "seed": 7}),
}
"""What differs between any two servers."""
Moves = Callable[[Dialect, float, random.Random], Moved]


def put(draft: Draft, leg: str, values: Json) -> None:
    """The servers of a leg run with these settings; a capacity goes where the dialect reports it."""
    if draft.dialect != "vllm":
        edits.settings(draft, leg, values)
        return
    pool = values.get("kv_cache_tokens")
    logged = any(launch.log for launch in draft.leg(leg))
    usual = {key for key, value in values.items() if logged and key in VLLM_DEFAULTS and value == VLLM_DEFAULTS[key]}
    edits.settings(draft, leg, {key: value for key, value in values.items() if key not in MEASURED and key not in usual})
    for launch in draft.leg(leg):
        if launch.log:
            _unset(launch, usual)
        if launch.log and pool is not None:
            launch.log[2] = launch.log[2].replace(f"{VLLM_POOL:,}", f"{pool:,}")


def _unset(launch: Launch, keys: set[str]) -> None:
    """vLLM lists only what has not its default."""
    import ast

    head, mark, text = launch.log[0].partition("non-default args: ")
    args = {key: value for key, value in ast.literal_eval(text).items() if key not in keys}
    launch.log[0] = f"{head}{mark}{args!r}"


def both(draft: Draft, moved: Moved) -> None:
    """The reference's settings in the reference and the A/A set, the candidate's in the candidate."""
    for leg in ("aa", "ref"):
        put(draft, leg, moved.ref)
    put(draft, "cand", moved.cand)


def gain(draft: Draft, percent: float) -> None:
    """The candidate is faster by so many percent."""
    shape.no_gain(draft)
    edits.speed(draft, draft.leg("cand"), 1 + percent / 100)


def beside(moves: Moves, sized: bool) -> Edit:
    """The lie: settings move and are not declared. ``sized``: the size is the gain in percent that they bring."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        both(draft, moves(draft.dialect, size, rng))
        if sized:
            gain(draft, size)

    return edit


def honest(moves: Moves, sized: bool) -> Edit:
    """The twin: the same settings are the declared change, or the same in every leg, or what moves beside it never matters."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        moved = moves(draft.dialect, size, rng)
        how = rng.choice(("declared", "alike", "volatile"))
        if how == "declared":
            both(draft, moved)
            edits.declare(draft, {key: value for key, value in moved.cand.items() if key not in MEASURED})
        elif how == "alike" or draft.dialect == "ours":
            both(draft, Moved(moved.cand, moved.cand))
        else:
            both(draft, VOLATILE[draft.dialect])
        if sized:
            gain(draft, size)

    return edit


def part(lever: str, flags: Json) -> Json:
    """A change, as a request names it."""
    return {"lever": lever, "flags": dict(flags), "env": {}, "overlay": []}


def as_one(draft: Draft, launch: Launch, values: Json) -> None:
    """One launch alone runs with these settings."""
    name, launch.leg = launch.leg, "one"
    put(draft, "one", values)
    launch.leg = name
