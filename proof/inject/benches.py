"""Clean operator benchmarks, as GEAK writes them and as a harness that keeps evidence does, and tools to edit both alike.

Times are ms per call. A benchmark of either form says the same: so many times faster than a library, within tolerance.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

from proof.inject.bases import Base
from proof.inject.draft import Draft
from proof.inject.foreign import jitter
from proof.making import Json, sha

OPBENCH, RECORD = "opbench", "harness-record"
KERNEL = '''"""{title} for decode shapes."""

import torch
import triton
import triton.language as tl


@triton.jit
def {op}_kernel(a_ptr, b_ptr, c_ptr, K, BLOCK: tl.constexpr):
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(c_ptr + rows, tl.load(a_ptr + rows) * tl.load(b_ptr + rows))


def {op}(a, b):
    c = torch.empty((a.shape[0], b.shape[1]), device=a.device, dtype=a.dtype)
    {op}_kernel[(1,)](a, b, c, a.shape[1], BLOCK=64)
    return c
'''
BASELINE = "import torch\n\n\ndef {op}(a, b):\n    return torch.ops.library.{op}(a, b)\n"
OPS = ("gemm", "rms_norm", "paged_attention", "moe")
PEAK = {"NVIDIA H200": 4.8e12, "AMD Instinct MI300X": 5.3e12}
"""Bytes per second that the memory of a device can move."""
GUARDS = ("known_bad_control", "poisoned_output", "input_digests", "second_clock")
OVERHEAD = 0.009
"""ms that the host's clock shows beyond the device's."""


class Plan(NamedTuple):
    """What a clean benchmark measured."""

    op: str
    device: str
    base_ms: float
    speedup: float
    iterations: int
    busy: float
    """Share of the memory's peak at which the candidate moves data; little, so that an honest kernel may be much faster."""
    rows: tuple[int, ...]
    """First dimension of each live shape; the first is called most."""


def plan(name: str, seed: int) -> Plan:
    """An operation, a device, a time and a speed-up."""
    rng = random.Random(f"{name}:{seed}")
    rows = tuple(sorted(rng.sample((1, 8, 16, 32, 64, 128), 4)))
    op, device, count = rng.choice(OPS), rng.choice(sorted(PEAK)), rng.choice((8, 12, 20))
    return Plan(op, device, rng.uniform(0.03, 0.3), rng.uniform(1.15, 1.8), count, rng.uniform(0.05, 0.15), rows)


def _opbench(seed: int) -> Draft:
    """GEAK: a library's kernel against an authored one, by device events and by the host's clock."""
    made = plan(OPBENCH, seed)
    base, cand = round(made.base_ms, 6), round(made.base_ms / made.speedup, 6)
    first = {
        "backend": "hipblaslt",
        "available": True,
        "correct": True,
        "ms": base,
        "wall_ms": round(base + OVERHEAD, 6),
        "max_rel_err": 0.0,
    }
    other = {
        "backend": "authored",
        "available": True,
        "correct": True,
        "ms": cand,
        "wall_ms": round(cand + OVERHEAD, 6),
        "max_rel_err": 0.004,
    }
    told = {
        "op_kind": made.op, "task": f"{made.op}_decode", "harness_suspect": False, "harness_error": None, "results": [first, other],
        "winner_backend": "authored", "winner_ms": cand, "baseline_backend": "hipblaslt", "baseline_ms": base, "measured": True,
        "measurement_mode": "cold", "isolated_speedup": round(base / cand, 4), "pct_gpu_time": 20.0,
        "amdahl_ceiling_e2e_pct": round(100 * (1 / (1 - 0.2 * (1 - cand / base)) - 1), 2), "winner_kind": "patch_candidate",
    }  # fmt: skip
    return _draft(OPBENCH, made, {"opbench_result.json": told})


def _record(seed: int) -> Draft:
    """A harness that keeps evidence: four live shapes, both legs, every iteration, digests, guards, both sources."""
    made = plan(RECORD, seed)
    rng = random.Random(f"{RECORD}:{seed}:rows")
    kernel = KERNEL.format(op=made.op, title=made.op.replace("_", " ").capitalize())
    baseline = BASELINE.format(op=made.op)
    inputs = [sha(f"input {seed} {n}".encode()) for n in range(made.iterations)]
    calls = [round(1000 / 3**place) for place in range(len(made.rows))]
    told: Json = {
        "schema": "countersign.harness/1", "op": made.op, "device": made.device,
        "baseline": {"label": "library", "file": "baseline.py", "sha256": sha(baseline.encode()), "qualname": made.op, "module": "baseline",
                     "device_kernels": ["nvjet_tst_64x8" if "NVIDIA" in made.device else "Cijk_Alik_MT64x8"], "fallback_calls": None},
        "candidate": {"label": "authored kernel", "file": "candidate.py", "sha256": sha(kernel.encode()), "qualname": made.op,
                      "module": "candidate", "device_kernels": [f"{made.op}_kernel"], "fallback_calls": 0},
        "shapes": [{"dims": [rows, 4096, 4096], "dtype": "bfloat16", "live": True, "calls": count} for rows, count in zip(made.rows, calls, strict=True)],
        "inputs": {"fresh_per_iteration": True, "digests_before": inputs, "digests_after": list(inputs)},
        "oracle": {"file": "oracle.pt", "sha256_before": sha(b"oracle"), "sha256_after": sha(b"oracle")},
        "tolerance": {"file": "tolerance.json", "sha256_before": sha(b"tolerance"), "sha256_after": sha(b"tolerance")},
        "timer": {"name": "cuda_event", "identity_before": "torch.cuda.Event@cc", "identity_after": "torch.cuda.Event@cc"},
        "dispatch": {"bench_path": "eager", "live_path": "eager"},
        "guards": [{"name": name, "status": "passed", "detail": None} for name in GUARDS], "cache_flushed": True,
        "results": [_row(made, leg, shape, rng) for shape in range(len(made.rows)) for leg in ("baseline", "candidate")],
        "speedup": None,
    }  # fmt: skip
    for row in told["results"]:
        row["file_sha256"] = told[row["leg"]]["sha256"]
    draft = _draft(RECORD, made, {"harness_record.json": told, "baseline.py": baseline, "candidate.py": kernel})
    state_speedup(draft)
    return draft


def _row(made: Plan, leg: str, shape: int, rng: random.Random) -> Json:
    ms = made.base_ms * (1 + 0.3 * shape) / (made.speedup if leg == "candidate" else 1.0)
    slowest = made.base_ms / made.speedup
    times = [round(ms * jitter(rng, 0.003), 6) for _ in range(made.iterations)]
    return {
        "leg": leg, "shape": shape, "file_sha256": "", "timer": "cuda_event", "device_ms": times,
        "wall_ms": [round(value + OVERHEAD * jitter(rng, 0.05), 6) for value in times], "reducer": "median", "reported_ms": statistics.median(times),
        "max_rel_err": 0.004, "max_abs_err": 0.02, "nonfinite": 0, "nonfinite_reference": 0,
        "output_sha256": [sha(f"{leg}/{shape}/{n}".encode()) for n in range(made.iterations)], "poisoned_bytes_left": 0, "output_var": 31.0,
        "reference_var": 31.0, "bytes_moved": int(made.busy * PEAK[made.device] * slowest * (1 + 0.3 * shape) / 1000),
    }  # fmt: skip


def _draft(name: str, made: Plan, files: dict[str, Any]) -> Draft:
    where = f"kernels/{made.op}"
    request: Json = {"schema": "countersign.request/1", "scope": "harness", "eval_dir": where, "short_name": made.op}
    return Draft("sglang", name, [], request, {}, {f"{where}/{file}": content for file, content in files.items()})


EXTRA_BASES = {
    base.name: base
    for base in (
        Base(OPBENCH, "sglang", _opbench.__doc__ or "", _opbench),
        Base(RECORD, "sglang", _record.__doc__ or "", _record),
    )
}


def told(draft: Draft) -> Json:
    """The benchmark's file, to be edited: GEAK's or the record."""
    found: Json = next(
        content for name, content in draft.beside.items() if name.endswith(("opbench_result.json", "harness_record.json"))
    )
    return found


def rows(draft: Draft, leg: str = "candidate") -> list[Json]:
    """The rows of one leg: a row a shape of a record, one row of GEAK's."""
    if draft.base == RECORD:
        return [row for row in told(draft)["results"] if row["leg"] == leg]
    return [told(draft)["results"][1 if leg == "candidate" else 0]]


def state_speedup(draft: Draft) -> None:
    """The speed-up anew from the times, in whatever form the file states it."""
    found = told(draft)
    if draft.base == RECORD:
        weights = [shape["calls"] for shape in found["shapes"]]
        sums = [sum(weights[row["shape"]] * row["reported_ms"] for row in rows(draft, leg)) for leg in ("baseline", "candidate")]
        found["speedup"] = round(sums[0] / sums[1], 6)
        return
    base, cand = rows(draft, "baseline")[0]["ms"], rows(draft)[0]["ms"]
    share = found["pct_gpu_time"] / 100
    found |= {"baseline_ms": base, "winner_ms": cand, "isolated_speedup": round(base / cand, 4)}
    found["amdahl_ceiling_e2e_pct"] = round(100 * (1 / (1 - share * (1 - cand / base)) - 1), 2)


def retime(draft: Draft, change: Callable[[int, float], float], wall: Callable[[float, float], float] | None = None) -> None:
    """Other device times for the candidate (from the number of the iteration and the time), reduced truly.

    ``wall``: the host's time from the new device time and the old one; else that plus the usual overhead.
    """
    for row in rows(draft):
        old = row["device_ms"] if draft.base == RECORD else [row["ms"]]
        new = [round(change(n, value), 7) for n, value in enumerate(old)]
        host = [
            round(value + OVERHEAD if wall is None else wall(value, before), 7) for value, before in zip(new, old, strict=True)
        ]
        if draft.base == RECORD:
            row |= {"device_ms": new, "wall_ms": host, "reported_ms": statistics.median(new)}
        else:
            row |= {"ms": new[0], "wall_ms": host[0]}
    state_speedup(draft)


def source(draft: Draft, text: str) -> None:
    """The candidate's source is another text, recorded with its true digest."""
    name = next(name for name in draft.beside if name.endswith("candidate.py"))
    draft.beside[name] = text
    told(draft)["candidate"]["sha256"] = sha(text.encode())
    for row in rows(draft):
        row["file_sha256"] = sha(text.encode())


def text(draft: Draft) -> str:
    """The candidate's source."""
    return str(next(content for name, content in draft.beside.items() if name.endswith("candidate.py")))


def faster(draft: Draft, by: float) -> None:
    """The candidate is this many times as fast as the baseline at every shape."""
    for base, row in zip(rows(draft, "baseline"), rows(draft), strict=True):
        key = "reported_ms" if draft.base == RECORD else "ms"
        _scale(row, base[key] / by / row[key])
    state_speedup(draft)


def scale(draft: Draft, factor: float) -> None:
    """Both legs have this many times the work: they take as much longer, and move as many more bytes."""
    for leg in ("baseline", "candidate"):
        for row in rows(draft, leg):
            _scale(row, factor)
            if draft.base == RECORD:
                row["bytes_moved"] = max(1, int(row["bytes_moved"] * factor))
    state_speedup(draft)


def _scale(row: Json, factor: float) -> None:
    if "ms" in row:
        row |= {"ms": round(row["ms"] * factor, 7), "wall_ms": round(row["ms"] * factor + OVERHEAD, 7)}
        return
    times = [round(value * factor, 7) for value in row["device_ms"]]
    host = [round(value + OVERHEAD, 7) for value in times]
    row |= {"device_ms": times, "wall_ms": host, "reported_ms": statistics.median(times)}
