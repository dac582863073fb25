"""Clean runs: true gains, measured well, in the form that each tool writes. Every one of them passes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from proof import making
from proof.inject import foreign
from proof.inject.draft import Dialect, Draft, Launch
from proof.making import Json, Place, Server

LEG = "config/c01"
EAGER: Json = {"attn_implementation": "eager"}
TRITON: Json = {"attention_backend": "triton"}
VLLM_TRITON: Json = {"attention_backend": "TRITON_ATTN"}


@dataclass(frozen=True)
class Base:
    """One kind of clean run."""

    name: str
    dialect: Dialect
    says: str
    make: Callable[[int], Draft]
    """Seed -> a fresh draft."""


def _ours(seed: int) -> Draft:
    """Our stopwatch: an A/A set of four launches, then three of each leg in turns, two repeats each; +20 %."""
    rng = random.Random(f"ours:{seed}")
    launches = []
    for index in range(4):
        where = f"baseline/set_1/launch_{index:03d}"
        launches.append(_launch(where, "aa", Server(), Place(index, index, ("aa",) * 4, 2), rng))
    order = ("ref", "cand", "cand", "ref", "ref", "cand")
    counts = {"ref": 0, "cand": 0}
    for position, leg in enumerate(order):
        pair = counts[leg]
        counts[leg] += 1
        server = Server() if leg == "ref" else Server(1200.0, 34.0, 4.2, effective=EAGER)
        launches.append(_launch(f"{LEG}/{leg}/launch_{pair:03d}", leg, server, Place(pair, position, order, 2), rng))
    request: Json = {
        "schema": "countersign.request/1", "scope": "patch", "short_name": "c01", "eval_dir": ".", "cand_dir": LEG,
        "change": {"lever": "attn-eager", "flags": dict(EAGER), "env": {}, "overlay": []}, "noise_dirs": ["baseline/set_1"],
        "alpha": 0.0125,
    }  # fmt: skip
    return Draft("ours", "ours", launches, request, dict(EAGER))


def _launch(where: str, leg: str, server: Server, place: Place, rng: random.Random) -> Launch:
    files = making.observe(where, server, place, making.EPOCH, rng)
    return Launch(where, leg, files.rows, files.server, files.requests, files.host, list(files.log))


def _pair_request(cand_dir: str, flags: Json, **more: object) -> Json:
    return {
        "schema": "countersign.request/1", "scope": "patch", "short_name": "backend", "eval_dir": ".", "cand_dir": cand_dir,
        "change": {"lever": "attention backend", "flags": dict(flags), "env": {}, "overlay": []}, **more,
    }  # fmt: skip


def _sglang_flat(seed: int) -> Draft:
    """SGLang of late 2025: a file a leg with five repeats and server_info, launches unknown; +8 %."""
    rng = random.Random(f"sglang-flat:{seed}")
    launches = []
    for leg, speed, moved in (("ref", 1000.0, {}), ("cand", 1080.0, TRITON)):
        info = {**foreign.SGLANG_INFO, **moved}
        rows = [foreign.sglang(speed * foreign.jitter(rng, 0.002), rng, info) for _ in range(5)]
        launches.append(Launch(leg, leg, rows))
    return Draft("sglang", "sglang-flat", launches, _pair_request(".", TRITON), dict(TRITON))


def _sglang_launches(seed: int) -> Draft:
    """SGLang of 2026: three launches a leg and four of an A/A set, two detailed repeats each, logs of every launch; +12 %."""
    rng = random.Random(f"sglang-launches:{seed}")
    launches = []
    plan = [("aa", f"aa/launch_{n:03d}") for n in range(4)]
    plan += [(leg, f"{leg}/launch_{n:03d}") for n in range(3) for leg in (("ref", "cand") if n % 2 == 0 else ("cand", "ref"))]
    for leg, where in plan:
        speed = (1120.0 if leg == "cand" else 1000.0) * foreign.jitter(rng, 0.004)
        info = {**foreign.SGLANG_INFO, **(TRITON if leg == "cand" else {})}
        rows = [foreign.sglang_2026(speed * foreign.jitter(rng, 0.002), rng, info) for _ in range(2)]
        launches.append(Launch(where, leg, rows, log=foreign.sglang_log(info)))
    request = _pair_request(".", TRITON, noise_dirs=["aa"], alpha=0.0125)
    return Draft("sglang", "sglang-launches", launches, request, dict(TRITON))


def _vllm_files(seed: int) -> Draft:
    """vLLM: a result file a repeat, five a leg, the backend handed along as metadata, the legs one after the other; +8 %."""
    rng = random.Random(f"vllm-files:{seed}")
    launches, minute = [], 0
    for leg, speed, backend in (("ref", 1000.0, "FLASH_ATTN"), ("cand", 1080.0, "TRITON_ATTN")):
        rows = []
        for _ in range(5):
            row = foreign.vllm(speed * foreign.jitter(rng, 0.002), rng, foreign.stamp(minute))
            rows.append({**row, "attention_backend": backend})
            minute += 2
        launches.append(Launch(leg, leg, rows))
    return Draft("vllm", "vllm-files", launches, _pair_request(".", VLLM_TRITON), dict(VLLM_TRITON))


def _vllm_launches(seed: int) -> Draft:
    """vLLM: three launches a leg in turns and four of an A/A set, two detailed results each, and the log of every server; +12 %."""
    rng = random.Random(f"vllm-launches:{seed}")
    launches, minute = [], 0
    plan = [("aa", f"aa/launch_{n:03d}") for n in range(4)]
    plan += [(leg, f"{leg}/launch_{n:03d}") for n in range(3) for leg in (("ref", "cand") if n % 2 == 0 else ("cand", "ref"))]
    for leg, where in plan:
        speed = (1120.0 if leg == "cand" else 1000.0) * foreign.jitter(rng, 0.004)
        rows = []
        for _ in range(2):
            rows.append(foreign.vllm(speed * foreign.jitter(rng, 0.002), rng, foreign.stamp(minute), detailed=True))
            minute += 2
        args = {**foreign.VLLM_ARGS, **(VLLM_TRITON if leg == "cand" else {})}
        launches.append(Launch(where, leg, rows, log=foreign.vllm_log(args, "TRITON_ATTN" if leg == "cand" else "FLASH_ATTN")))
    request = _pair_request(".", VLLM_TRITON, noise_dirs=["aa"], alpha=0.0125)
    return Draft("vllm", "vllm-launches", launches, request, dict(VLLM_TRITON))


BASES = {
    base.name: base
    for base in (
        Base("ours", "ours", _ours.__doc__ or "", _ours),
        Base("sglang-flat", "sglang", _sglang_flat.__doc__ or "", _sglang_flat),
        Base("sglang-launches", "sglang", _sglang_launches.__doc__ or "", _sglang_launches),
        Base("vllm-files", "vllm", _vllm_files.__doc__ or "", _vllm_files),
        Base("vllm-launches", "vllm", _vllm_launches.__doc__ or "", _vllm_launches),
    )
}
ALL = tuple(BASES)
FOREIGN = tuple(name for name, base in BASES.items() if base.dialect != "ours")
SGLANG = ("sglang-flat", "sglang-launches")
VLLM = ("vllm-files", "vllm-launches")
LAUNCHES = ("ours", "sglang-launches", "vllm-launches")
"""Bases whose launches are known: three a leg, and an A/A set of four."""
