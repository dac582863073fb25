"""Tools of the recipes about overlays: a run whose declared change is a file, what its servers say of it, and its third leg."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence

from proof import making
from proof.inject import foreign, shape
from proof.inject.bases import LEG
from proof.inject.draft import Draft, Launch
from proof.making import Json, Place, Server

SOURCE = '''"""FP8 GEMM for decode shapes."""

import torch
import triton
import triton.language as tl

import {module} as linear


@triton.jit
def gemm_kernel(a_ptr, b_ptr, c_ptr, K, BLOCK: tl.constexpr):
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(c_ptr + rows, tl.load(a_ptr + rows) * tl.load(b_ptr + rows))


def gemm(a, b):
    c = torch.empty((a.shape[0], b.shape[1]), device=a.device, dtype=a.dtype)
    gemm_kernel[(1,)](a, b, c, a.shape[1], BLOCK={block})
    return c


linear.apply = gemm
print("[overlay] bound {module}.apply")
'''
MODULES = {
    "ours": "transformers.integrations.linear",
    "sglang": "sglang.srt.layers.linear",
    "vllm": "vllm.model_executor.layers.linear",
}
WHERE = {
    "ours": "INFO {rank} ",
    "sglang": "[2026-06-22 13:38:25 {rank}] ",
    "vllm": "(Worker_{rank} pid=7) INFO 06-11 07:35:25 [gemm.py:31] ",
}


def overlay(draft: Draft, rng: random.Random, source: str | None = None, name: str = "gemm.py") -> str:
    """The declared change is a file and no setting; the file's path."""
    _no_setting(draft)
    path = f"{LEG}/overlay/{name}" if draft.dialect == "ours" else f"overlay/{name}"
    text = SOURCE.format(module=MODULES[draft.dialect], block=rng.choice((32, 64, 128))) if source is None else source
    draft.beside[path] = text
    draft.request |= {
        "short_name": "gemm", "what": "authored FP8 GEMM for decode",
        "change": {"lever": "authored GEMM", "flags": {}, "env": {}, "overlay": [path]},
    }  # fmt: skip
    for launch in draft.launches:
        if draft.dialect == "sglang" and not launch.log:
            launch.log = foreign.sglang_log(launch.rows[0]["server_info"])
    return path


def _no_setting(draft: Draft) -> None:
    """The candidate's servers run with the reference's settings."""
    for launch in draft.leg("cand"):
        if draft.dialect == "ours":
            launch.server["effective"] = dict(making.DEFAULTS)
            launch.server["effective_source"] = dict.fromkeys(making.DEFAULTS, "cmdline")
            launch.server["requested"] = {"flags": {}, "env": {}}
            for row in launch.rows:
                row["server_info"] = dict(making.DEFAULTS)
        elif draft.dialect == "sglang":
            for row in launch.rows:
                row["server_info"] = dict(foreign.SGLANG_INFO)
            launch.log = foreign.sglang_log(foreign.SGLANG_INFO) if launch.log else []
        elif launch.log:
            launch.log = foreign.vllm_log(foreign.VLLM_ARGS, "FLASH_ATTN")
        else:
            for row in launch.rows:
                row["attention_backend"] = "FLASH_ATTN"
    draft.lever = {}


def tell(draft: Draft, launch: Launch, text: str, ranks: int = 1) -> None:
    """A line of the server's start from each of so many workers."""
    lines = [WHERE[draft.dialect].format(rank=f"TP{rank}") + text for rank in range(ranks)]
    launch.log = [launch.log[0], *lines, *launch.log[1:]]


def bind(draft: Draft, legs: Sequence[str] = ("cand",), ranks: int = 1, calls: int | None = None) -> None:
    """The servers of these legs say that the overlay was bound, in files that hold a log."""
    counted = "" if calls is None else f", calls={calls}"
    for launch in (launch for leg in legs for launch in draft.leg(leg)):
        if launch.log:
            tell(draft, launch, f"[overlay] bound {MODULES[draft.dialect]}.apply{counted}", ranks)


def off(draft: Draft, rng: random.Random, share: float) -> None:
    """A third leg with the overlay switched off, and with this share of the candidate's gain (of its logarithm)."""
    slow, fast = shape.middle(draft, "ref"), shape.middle(draft, "cand")
    more(draft, "off", slow * (fast / slow) ** share, rng)


def more(draft: Draft, name: str, tok_s: float, rng: random.Random) -> None:
    """A further leg beside ref and cand: as many launches, the candidate's settings (on our stopwatch none), this speed."""
    for number, like in enumerate(draft.leg("cand")):
        draft.launches.append(_another(draft, like, name, (number, tok_s), rng))
    line = [launch for launch in draft.launches if launch.leg != "aa"]
    for position, launch in enumerate(line):
        if launch.server:
            launch.server["plan"] |= {"order": [item.leg for item in line], "position": position}
    shape.stamp(draft)


def _another(draft: Draft, like: Launch, name: str, place: tuple[int, float], rng: random.Random) -> Launch:
    number, tok_s = place
    where = like.where.replace("cand", name, 1)
    log = [line for line in like.log if "overlay" not in line]
    if draft.dialect == "ours":
        server = Server(tok_s, *_latency(like.rows), effective={})
        files = making.observe(where, server, Place(number, number, (name,) * 3, len(like.rows)), making.EPOCH, rng)
        return Launch(where, name, files.rows, files.server, files.requests, files.host, list(files.log))
    level = tok_s * foreign.jitter(rng, 0.004 if "launch" in where else 0.0)
    rows: list[Json] = [shape.fresh(draft, row, level * foreign.jitter(rng, 0.002), rng) for row in like.rows]
    return Launch(where, name, rows, log=log)


def _latency(rows: Sequence[Json]) -> tuple[float, float]:
    """Waits of our own rows, medians in ms, shortened where a slower server would not fit them."""
    ttft, tpot = (0.9 * statistics.median(row[f"median_{name}_ms"] for row in rows) for name in ("ttft", "tpot"))
    return ttft, tpot
