"""Profiles as torch and GEAK write them: each way to misread one, beside the same profile read rightly."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.audit.build import Json
from tests.unit.audit.planted.case import Planted

ATTN, GEMM, NORM = "paged_attention_fwd_kernel", "Cijk_Alik_Bljk_HHS_BH_MT128x128x64_MI16x16x1", "fused_rms_norm_kernel"
MIX = ((ATTN, 60.0), (GEMM, 30.0), (NORM, 10.0))
"""Kernels of one step and their microseconds."""


def step(at: float, mix: tuple[tuple[str, float], ...], number: int, *, dims: bool = True, gap: float = 0.0) -> list[Json]:
    """Events of one annotated step: each kernel with the operator that launched it."""
    events: list[Json] = []
    now = at
    for index, (name, dur) in enumerate(mix):
        external = number * 1000 + index
        args: Json = {"External id": external, "Input Dims": [[8, 4096], [4096, 4096]] if dims else []}
        events.append(
            {"ph": "X", "cat": "cpu_op", "name": f"op::{index}", "ts": now, "dur": 2.0, "pid": 1, "tid": 1, "args": args}
        )
        kernel = {"External id": external, "correlation": external, "device": 0, "stream": 7}
        events.append({"ph": "X", "cat": "kernel", "name": name, "ts": now + 3, "dur": dur, "pid": 0, "tid": 7, "args": kernel})
        now += dur + 1.0 + gap
    mark = {"ph": "X", "cat": "user_annotation", "name": f"decode step {number}", "ts": at, "dur": now - at, "pid": 1, "tid": 1}
    return [mark, *events]


def trace(root: Path, events: list[Json], name: str = "run-TP-0.trace.json.gz") -> None:
    """Write a trace, packed."""
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(gzip.compress(json.dumps({"schemaVersion": 1, "traceEvents": events}).encode(), mtime=0))


def steps(count: int = 5, **how: Any) -> list[Json]:
    """Several whole steps, one after the other."""
    found: list[Json] = []
    mix = how.pop("mix", MIX)
    length = sum(dur + 1.0 + how.get("gap", 0.0) for _, dur in mix)
    for number in range(count):
        found += step(number * length, mix, number, **how)
    return found


def row(name: str, pct: float, **keys: Any) -> Json:
    """One row of GEAK's table over 0.5 ms of time."""
    calls = keys.pop("calls", 5)
    ms = keys.pop("ms", 0.5 * pct / 100)
    base = {"name": name, "calls": calls, "total_ms": ms, "avg_us": 1000 * ms / calls, "pct_gpu_time": pct, "shapes": [[8, 4096]]}
    return {**base, "editable": name != GEMM, **keys}


TABLE = (row(ATTN, 60.0), row(GEMM, 30.0), row(NORM, 10.0))


def table(root: Path, rows: tuple[Json, ...] = TABLE, **keys: Any) -> None:
    """Write profile_topN.json."""
    value = {"source": "torch-trace", "total_gpu_time_ms": 0.5, "top_kernels": list(rows), **keys}
    (root / "profile_topN.json").write_text(json.dumps(value, indent=1))


def routed(root: Path, op: str, share: float | None = None) -> None:
    """Write routing.json."""
    (root / "routing.json").write_text(json.dumps({"routed": [{"op": op, "share_pct": share}]}))


Make = Callable[[Path], Path]


def profile(
    events: list[Json] | None = None,
    rows: tuple[Json, ...] | None = TABLE,
    op: tuple[str, float | None] | None = None,
    **keys: Any,
) -> Make:
    """A folder with a trace, a table and a routed list."""

    def make(root: Path) -> Path:
        trace(root, steps() if events is None else events)
        if rows is not None:
            table(root, rows, **keys)
        if op is not None:
            routed(root, *op)
        return root

    return make


def _tuned(step_number: int) -> tuple[tuple[str, float], ...]:
    """The same attention under a name of its own tuning in every step."""
    return ((f"{ATTN}_BLOCK_M_{16 << step_number}_BLOCK_N_64", 60.0), (GEMM, 30.0), (NORM, 10.0))


def _fragmented() -> list[Json]:
    return [event for number in range(5) for event in step(number * 103.0, _tuned(number), number)]


FRAGMENTS = (row(GEMM, 30.0), *(row(f"{ATTN}_BLOCK_M_{16 << n}_BLOCK_N_64", 12.0, calls=1) for n in range(5)), row(NORM, 10.0))


def _graphs(*, hidden: bool) -> list[Json]:
    """A graph launch whose kernels are traced, or not."""
    found = steps()
    correlation = 4001 if not hidden else 99999
    launch = {"ph": "X", "cat": "cuda_runtime", "name": "cudaGraphLaunch", "ts": 1.0, "dur": 1.0, "pid": 1, "tid": 1}
    return [*found, {**launch, "args": {"correlation": correlation}}]


def _overrun(over: float) -> list[Json]:
    found = steps()
    kernel = next(event for event in found if event["cat"] == "kernel")
    kernel["dur"] += over
    return found


def _partly_traced(dropped: int) -> list[Json]:
    """The last steps of a loop that lost kernels."""
    kernels = [event for event in steps() if event["cat"] == "kernel"]
    lost = {id(event) for event in kernels[len(kernels) - dropped :]}
    names = {(event["ts"], event["name"]) for event in kernels if id(event) in lost}
    return [event for event in steps() if event["cat"] != "kernel" or (event["ts"], event["name"]) not in names]


def _configured(profiled: str) -> Make:
    def make(root: Path) -> Path:
        profile(config={"attention_backend": profiled})(root)
        (root / "server_info.json").write_text(json.dumps({"attention_backend": "triton", "tp_size": 1}))
        return root

    return make


SAYS = "GEAK profile_topN.json"
PLANTED = (
    Planted("P01", "attention split over its tuned names", f"{SAYS}: top_kernels[].name", profile(_fragmented(), FRAGMENTS), profile(_fragmented(), None),
            ("FAIL", "FLAG")),
    Planted("P02", "a trace without shapes", "torch trace: Input Dims", profile(steps(dims=False)), profile(), ("FLAG",)),
    Planted("P03", "graph launches whose kernels are not traced", "torch trace: cudaGraphLaunch correlation", profile(_graphs(hidden=True)),
            profile(_graphs(hidden=False)), ("FLAG",)),
    Planted("P04", "kernels lost from the last step", "torch trace: kernels inside user_annotation", profile(_partly_traced(1), None), profile(None, None),
            ("FLAG",)),
    Planted("P05", "a window of prefill for a load of decode", f"{SAYS}: phase, serving", profile(rows=(row(ATTN, 60.0, phase="prefill"), *TABLE[1:]),
            serving={"analytic_prefill_ms": 5.0, "analytic_decode_ms": 95.0}),
            profile(rows=(row(ATTN, 60.0, phase="decode"), *TABLE[1:]), serving={"analytic_prefill_ms": 5.0, "analytic_decode_ms": 95.0}), ("FLAG",)),
    Planted("P06", "an event that overruns its successor", "torch trace: ts, dur", profile(_overrun(500.0), None), profile(_overrun(0.5), None)),
    Planted("P07", "a library's gemm called editable", f"{SAYS}: editable", profile(rows=(TABLE[0], row(GEMM, 30.0, editable=True), TABLE[2])), profile(),
            ("FLAG",)),
    Planted("P08", "two devices and no collective", f"{SAYS}: tp", profile(tp=2), profile(tp=1), ("FLAG",)),
    Planted("P09", "an operation of no weight was routed", "routing.json: routed[].op", profile(rows=None, op=("rope_kernel", None)),
            profile(rows=None, op=(ATTN, 60.0)), ("FLAG",)),
    Planted("P10", "profiled under another backend", f"{SAYS}: config beside server_info.json", _configured("fa3"), _configured("triton")),
    Planted("P11", "shares of a device that idles", "torch trace: ts, dur of kernels", profile(steps(gap=60.0), None), profile(None, None), ("FLAG",)),
    Planted("P12", "divided by steps that were not run", f"{SAYS}: serving.n_decode_steps", profile(serving={"n_decode_steps": 50}),
            profile(serving={"n_decode_steps": 5}), ("FLAG",)),
    Planted("A15", "shares that do not follow from calls", f"{SAYS}: pct_gpu_time", profile(rows=(row(ATTN, 45.0, ms=0.3), *TABLE[1:])), profile()),
    Planted("A16", "the dominant operation was skipped", "routing.json: routed[].op", profile(rows=None, op=(NORM, 10.0)),
            profile(rows=None, op=(ATTN, 60.0)), ("FLAG",)),
)  # fmt: skip
