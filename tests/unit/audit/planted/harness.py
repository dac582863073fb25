"""Operator benchmarks that flatter themselves, in GEAK's ``opbench_result.json``, our ``harness_record.json`` and their sources."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.audit.build import Json, foreign, sglang_row, sha
from tests.unit.audit.planted.case import Planted
from tests.unit.audit.planted.conditions import CAND, INFO, REF, TRITON

KERNEL = '''"""FP8 GEMM for decode shapes."""

import torch
import triton
import triton.language as tl


@triton.jit
def gemm_kernel(a_ptr, b_ptr, c_ptr, K, BLOCK: tl.constexpr):
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(c_ptr + rows, tl.load(a_ptr + rows) * tl.load(b_ptr + rows))


def gemm(a, b):
    c = torch.empty((a.shape[0], b.shape[1]), device=a.device, dtype=a.dtype)
    gemm_kernel[(1,)](a, b, c, a.shape[1], BLOCK=64)
    return c
'''
BASELINE = "import torch\n\n\ndef gemm(a, b):\n    return torch.matmul(a, b)\n"
ITERATIONS = 8
Edit = Callable[[Json], object]


def opbench(**changes: Any) -> Json:
    """A bench as GEAK writes it: 1.25x over the library, within tolerance."""
    return {
        "op_kind": "gemm", "task": "fp8_gemm_decode", "harness_suspect": False, "harness_error": None,
        "results": [
            {"backend": "hipblaslt", "available": True, "correct": True, "ms": 0.05, "wall_ms": 0.058, "max_rel_err": 0.0},
            {"backend": "authored", "available": True, "correct": True, "ms": 0.04, "wall_ms": 0.049, "max_rel_err": 0.004},
        ],
        "winner_backend": "authored", "winner_ms": 0.04, "baseline_backend": "hipblaslt", "baseline_ms": 0.05, "measured": True,
        "measurement_mode": "cold", "isolated_speedup": 1.25, "pct_gpu_time": 20.0, "amdahl_ceiling_e2e_pct": 4.17,
        "winner_kind": "patch_candidate", **changes,
    }  # fmt: skip


def _leg(leg: str, shape: int, source: str, ms: float) -> Json:
    times = [round(ms * (1 + 0.004 * (n % 3)), 6) for n in range(ITERATIONS)]
    return {
        "leg": leg, "shape": shape, "file_sha256": sha(source.encode()), "timer": "cuda_event", "device_ms": times,
        "wall_ms": [round(value + 0.009, 6) for value in times], "reducer": "median", "reported_ms": sorted(times)[ITERATIONS // 2],
        "max_rel_err": 0.004, "max_abs_err": 0.02, "nonfinite": 0, "nonfinite_reference": 0,
        "output_sha256": [sha(f"{leg}/{shape}/{n}".encode()) for n in range(ITERATIONS)], "poisoned_bytes_left": 0,
        "output_var": 31.0, "reference_var": 31.0, "bytes_moved": 160_000_000,
    }  # fmt: skip


def record(source: str = KERNEL) -> Json:
    """What an honest harness keeps: two live shapes, both legs, fresh inputs, everything checked."""
    inputs = [sha(f"input {n}".encode()) for n in range(ITERATIONS)]
    rows = [_leg(*row) for shape in (0, 1) for row in (("baseline", shape, BASELINE, 0.05), ("candidate", shape, source, 0.04))]
    return {
        "schema": "countersign.harness/1", "op": "gemm", "device": "NVIDIA H200",
        "baseline": {"label": "library", "file": "baseline.py", "sha256": sha(BASELINE.encode()), "qualname": "gemm", "module": "baseline",
                     "device_kernels": ["nvjet_tst_64x8"], "fallback_calls": None},
        "candidate": {"label": "authored kernel", "file": "candidate.py", "sha256": sha(source.encode()), "qualname": "gemm",
                      "module": "candidate", "device_kernels": ["gemm_kernel"], "fallback_calls": 0},
        "shapes": [{"dims": [16, 4096, 4096], "dtype": "bfloat16", "live": True, "calls": 900},
                   {"dims": [64, 4096, 4096], "dtype": "bfloat16", "live": True, "calls": 100}],
        "inputs": {"fresh_per_iteration": True, "digests_before": inputs, "digests_after": list(inputs)},
        "oracle": {"file": "oracle.pt", "sha256_before": "aa" * 32, "sha256_after": "aa" * 32},
        "tolerance": {"file": "tolerance.json", "sha256_before": "bb" * 32, "sha256_after": "bb" * 32},
        "timer": {"name": "cuda_event", "identity_before": "torch.cuda.Event@cc", "identity_after": "torch.cuda.Event@cc"},
        "dispatch": {"bench_path": "eager", "live_path": "eager"},
        "guards": [{"name": name, "status": "passed", "detail": None}
                   for name in ("known_bad_control", "poisoned_output", "input_digests", "second_clock")],
        "results": rows, "speedup": 1.25,
    }  # fmt: skip


def harness(root: Path, told: Json | None = None, kept: Json | None = None, source: str = KERNEL) -> Path:
    """A folder with one benchmark, and the request to audit it."""
    folder = root / "kernels/gemm"
    folder.mkdir(parents=True)
    if told is not None:
        (folder / "opbench_result.json").write_text(json.dumps(told, indent=1))
    if kept is not None:
        (folder / "harness_record.json").write_text(json.dumps(kept, indent=1))
        (folder / "baseline.py").write_text(BASELINE)
        (folder / "candidate.py").write_text(source)
    (root / "audit_request.json").write_text(json.dumps({"scope": "harness", "eval_dir": "kernels/gemm", "short_name": "gemm"}))
    return root


def bench_case(
    id_: str, name: str, field: str, lie: Json, twin: Json | None = None, caught: tuple[str, ...] = ("FAIL",)
) -> Planted:
    """A lie in GEAK's file; the twin has other values in the same keys."""
    return Planted(
        id_, name, f"GEAK opbench_result.json: {field}", lambda root: harness(root, opbench(**lie)),
        lambda root: harness(root, opbench(**(twin or {}))), caught,
    )  # fmt: skip


def record_case(
    id_: str, name: str, field: str, lie: Edit, twin: Edit | None = None, caught: tuple[str, ...] = ("FAIL",)
) -> Planted:
    """A lie in our own record."""

    def make(edit: Edit | None) -> Callable[[Path], Path]:
        def write(root: Path) -> Path:
            kept = record()
            if edit is not None:
                edit(kept)
            return harness(root, kept=kept)

        return write

    return Planted(id_, name, f"harness_record.json: {field}", make(lie), make(twin), caught)


def source_case(
    id_: str, name: str, lie: str, twin: str = KERNEL, caught: tuple[str, ...] = ("FAIL",), **candidate: Any
) -> Planted:
    """A trick in the candidate's source, recorded with its true digest; ``candidate`` changes that part of the record."""

    def make(source: str) -> Callable[[Path], Path]:
        def write(root: Path) -> Path:
            kept = record(source)
            kept["candidate"] |= candidate
            return harness(root, kept=kept, source=source)

        return write

    return Planted(id_, name, "candidate source, syntax tree", make(lie), make(twin), caught)


def _rows(kept: Json, leg: str = "candidate") -> list[Json]:
    return [row for row in kept["results"] if row["leg"] == leg]


def put(key: str, value: Any, leg: str = "candidate") -> Edit:
    """The same value in the first row of a leg."""
    return lambda kept: _rows(kept, leg)[0].update({key: value})


def times(values: list[float], wall: list[float] | None = None) -> Edit:
    """Other times in every candidate row, reduced truly."""

    def edit(kept: Json) -> None:
        for row in _rows(kept):
            row["device_ms"] = values
            row["wall_ms"] = wall or [value + 0.009 for value in values]
            row["reported_ms"] = sorted(values)[len(values) // 2]
        kept["speedup"] = None

    return edit


def quick(values: list[float]) -> Edit:
    """Other times in every candidate row, of work that moves next to nothing."""

    def edit(kept: Json) -> None:
        times(values)(kept)
        for row in kept["results"]:
            row["bytes_moved"] = None

    return edit


def _same_file(kept: Json) -> None:
    kept["candidate"] |= {key: kept["baseline"][key] for key in ("file", "sha256", "qualname")}
    for row in kept["results"]:
        row["file_sha256"] = kept["baseline"]["sha256"]


def _swapped(kept: Json) -> None:
    for row in kept["results"]:
        row["file_sha256"] = kept["candidate" if row["leg"] == "baseline" else "baseline"]["sha256"]


def _without_shape(live: bool) -> Edit:
    def edit(kept: Json) -> None:
        kept["shapes"].append({"dims": [80, 4096, 4096], "dtype": "bfloat16", "live": live, "calls": 500})

    return edit


def _stale(count: int) -> Edit:
    """So many iterations with one output, in every candidate row."""

    def edit(kept: Json) -> None:
        for row in _rows(kept):
            row["output_sha256"] = ["ee" * 32] * count + row["output_sha256"][count:]

    return edit


def _not_fresh(kept: Json) -> None:
    same = ["ff" * 32] * ITERATIONS
    kept["inputs"] |= {"digests_before": same, "digests_after": same}


def _graph(live: str) -> Edit:
    return lambda kept: kept["dispatch"].update(bench_path="graph_replay", live_path=live)


def _guard(status: str) -> Edit:
    return lambda kept: kept["guards"][0].update(status=status)


def _bytes(count: int, ms: float, *, flushed: bool = False) -> Edit:
    def edit(kept: Json) -> None:
        times([ms] * ITERATIONS)(kept)
        kept["cache_flushed"] = flushed
        for row in kept["results"]:
            row["bytes_moved"] = count
        for row in _rows(kept, "baseline"):
            row |= {"device_ms": [0.3] * ITERATIONS, "wall_ms": [0.31] * ITERATIONS, "reported_ms": 0.3}

    return edit


def _exact(*shapes: int) -> Edit:
    """The baseline's outputs at these shapes."""

    def edit(kept: Json) -> None:
        for shape in shapes:
            base, cand = (row for row in kept["results"] if row["shape"] == shape)
            cand["output_sha256"] = base["output_sha256"]

    return edit


def _changed(part: str) -> Edit:
    return lambda kept: kept[part].update(sha256_after="dd" * 32)


def _pair(isolated: float, share: float, cand: tuple[float, ...]) -> Callable[[Path], Path]:
    """A serving comparison beside a benchmark of the same operation."""

    def make(root: Path) -> Path:
        foreign(root / "ref", [sglang_row(value, INFO) for value in REF])
        foreign(root / "cand", [sglang_row(value, {**INFO, **TRITON}) for value in cand])
        folder = root / "kernels/gemm"
        folder.mkdir(parents=True)
        told = opbench(
            isolated_speedup=isolated, baseline_ms=round(0.04 * isolated, 6), pct_gpu_time=share, amdahl_ceiling_e2e_pct=None
        )
        told["results"][0] |= {"ms": told["baseline_ms"], "wall_ms": told["baseline_ms"] + 0.008}
        (folder / "opbench_result.json").write_text(json.dumps(told))
        request = {"scope": "patch", "cand_dir": ".", "short_name": "gemm", "change": {"lever": "gemm backend", "flags": TRITON}}
        (root / "audit_request.json").write_text(json.dumps(request))
        return root

    return make


def _results(**second: Any) -> list[Json]:
    first, other = opbench()["results"]
    return [first, {**other, **second}]


FALLBACK = (
    KERNEL + "\n\ndef run(a, b):\n    try:\n        return gemm(a, b)\n    except Exception:\n        return torch.matmul(a, b)\n"
)
WRAPPER = "import torch\n\n\ndef gemm_kernel(a, b):\n    return torch.matmul(a, b)\n\n\ngemm = gemm_kernel\n"
SUBCLASS = "from reference import Model\n\n\nclass ModelNew(Model):\n    pass\n\n\ngemm = ModelNew()\n"
OWN_CLASS = SUBCLASS.replace("    pass\n", "    def forward(self, a, b):\n        return launch(a, b)\n")
GRAPH = (
    KERNEL
    + "\n\ndef captured(a, b):\n    graph = torch.cuda.CUDAGraph()\n    with torch.cuda.graph(graph):\n        gemm(a, b)\n    graph.replay()\n"
)
PLANTED = (
    bench_case("H01", "the baseline is the winner", "baseline_backend, isolated_speedup", {"baseline_backend": "authored"}),
    record_case("H01", "both legs import one function", "baseline, candidate: file, qualname, sha256", _same_file),
    bench_case("H02", "a slowdown quoted the wrong way round", "isolated_speedup",
               {"winner_ms": 0.05, "baseline_ms": 0.04, "results": [{**opbench()["results"][0], "ms": 0.04}, {**opbench()["results"][1], "ms": 0.05, "wall_ms": 0.06}]}),
    record_case("H02", "each leg runs the other's file", "results[].file_sha256", _swapped),
    bench_case("H08", "a speed-up that its times do not give", "isolated_speedup", {"isolated_speedup": 1.52}),
    record_case("H08", "a mean that is not the mean", "results[].reported_ms", put("reported_ms", 0.031)),
    bench_case("R01", "a winner that was never timed", "results[].ms", {"results": _results(ms=None)}),
    bench_case("H03", "work on a side stream", "results[].ms, wall_ms", {"results": _results(wall_ms=0.31)}, {"results": _results(wall_ms=0.055)}),
    record_case("H07", "the clock does not wait", "results[].device_ms, wall_ms", times([0.04] * ITERATIONS, [0.41] * ITERATIONS), times([0.04] * ITERATIONS, [0.06] * ITERATIONS)),
    bench_case("H09", "no time at all", "results[].ms", {"results": _results(ms=0.0001), "winner_ms": 0.0001, "isolated_speedup": 500.0}),
    record_case("M18", "a row below what any launch takes", "results[].device_ms", times([0.0003] * ITERATIONS)),
    record_case("H06", "another timer after the candidate ran", "timer.identity_after", lambda kept: kept["timer"].update(identity_after="candidate.Event@dd")),
    record_case("M25", "one row by another timer", "results[].timer", put("timer", "cupti")),
    record_case("H12", "a stored answer after the first call", "results[].device_ms", times([0.05] + [0.0002] * 7), times([0.05] + [0.04] * 7)),
    record_case("H15", "one launch for many calls", "results[].device_ms", times([0.0002] * 5 + [0.33] + [0.0002] * 2), times([0.04] * 5 + [0.06] + [0.04] * 2)),
    record_case("H12", "the first call computes, the others look it up", "results[].device_ms", quick([0.04] + [0.009] * 7), quick([0.011] + [0.009] * 7)),
    record_case("H15", "every other call does the work of two", "results[].device_ms", quick([0.0004, 0.08] * 3 + [0.0004]), quick([0.04, 0.06] * 3 + [0.04])),
    record_case("H14", "more bandwidth than the memory has", "results[].bytes_moved, device_ms", _bytes(400_000_000, 0.04), _bytes(400_000_000, 0.11)),
    record_case("H34", "a cache that no flush empties", "cache_flushed; results[].bytes_moved, device_ms", _bytes(30_000_000, 0.004, flushed=True), _bytes(30_000_000, 0.004)),
    record_case("H11", "the same inputs in every iteration", "inputs.digests_before", _not_fresh),
    record_case("H13", "one output for fresh inputs", "results[].output_sha256", _stale(ITERATIONS)),
    record_case("H13", "an output that is handed out three times", "results[].output_sha256", _stale(3), _stale(1)),
    record_case("H17", "inputs overwritten by the call", "inputs.digests_after", lambda kept: kept["inputs"]["digests_after"].__setitem__(2, "00" * 32)),
    record_case("H19", "the oracle overwritten", "oracle.sha256_after", _changed("oracle")),
    record_case("H27", "the tolerance loosened", "tolerance.sha256_after", _changed("tolerance")),
    bench_case("H27", "45.4 called correct", "results[].max_rel_err, correct", {"results": _results(max_rel_err=45.4)}),
    record_case("H20", "NaN in the output", "results[].nonfinite", put("nonfinite", 12)),
    record_case("H22", "a constant output", "results[].output_var, reference_var", put("output_var", 0.0)),
    record_case("H22", "an output of which most is constant", "results[].output_var, reference_var", put("output_var", 4.0), put("output_var", 29.5)),
    record_case("H24", "an error measured elsewhere", "results[].max_rel_err",
                lambda kept: _rows(kept)[1].update(max_rel_err=None, max_abs_err=None)),
    record_case("H37", "an output with holes", "results[].poisoned_bytes_left", put("poisoned_bytes_left", 4096)),
    record_case("H23", "half of the live shapes left out", "shapes[].live, results[]", _without_shape(True), _without_shape(False)),
    record_case("E13", "padded batches of the live model left out", "shapes[].live, calls", _without_shape(True), _without_shape(False)),
    record_case("H33", "a captured graph in the benchmark alone", "dispatch.bench_path, live_path", _graph("eager"), _graph("graph_replay")),
    source_case("A08", "a graph in the source that the server never replays", GRAPH),
    record_case("H46", "a guard that never ran", "guards[].status", _guard("error")),
    bench_case("H46", "a harness that broke", "harness_error", {"harness_error": "subprocess timed out"}),
    record_case("E08", "bit for bit the baseline", "results[].output_sha256", _exact(0, 1), caught=("FLAG",)),
    record_case("E08", "bit for bit the baseline at one shape", "results[].output_sha256", _exact(1), caught=("FLAG",)),
    bench_case("E08", "no error at all in a GEMM", "results[].max_rel_err", {"results": _results(max_rel_err=0.0)}, caught=("FLAG",)),
    record_case("H31", "calls that fell back", "candidate.fallback_calls", lambda kept: kept["candidate"].update(fallback_calls=40)),
    source_case("H31", "a fallback in silence, not counted", FALLBACK, caught=("FLAG",), fallback_calls=None),
    source_case("H30", "a library call named a kernel", WRAPPER, caught=("FLAG",)),
    record_case("H30", "nothing but library kernels in the trace", "candidate.device_kernels",
                lambda kept: kept["candidate"].update(device_kernels=["nvjet_tst_64x8"]), caught=("FLAG",)),
    source_case("H32", "a subclass that adds nothing", SUBCLASS, OWN_CLASS),
    source_case("H40", "code decoded at run time", KERNEL + "\nimport base64\nexec(base64.b64decode('cGFzcw=='))\n", KERNEL + "\nimport base64\nTABLE = base64.b64decode('cGFzcw==')\n"),
    source_case("H41", "allclose says yes", KERNEL + "\ntorch.allclose = lambda *args, **kwargs: True\n", KERNEL + "\nOK = torch.allclose\n"),
    source_case("H06", "synchronize does nothing", KERNEL + "\ntorch.cuda.synchronize = lambda *args: None\n", KERNEL + "\ntorch.cuda.synchronize()\n"),
    source_case("H25", "who is calling?", KERNEL + "\nimport inspect\nCHECKED = any('check' in frame.filename for frame in inspect.stack())\n", caught=("FLAG",)),
    source_case("H44", "the reference patched at import", KERNEL + "\nimport reference\nreference.gemm = gemm\n", KERNEL + "\nimport reference\nSLOW = reference.gemm\n"),
    Planted("A04", "more than the operation can bring", "GEAK opbench_result.json: pct_gpu_time; sglang row: output_throughput",
            _pair(1.25, 4.0, CAND), _pair(1.25, 50.0, CAND), ("FLAG",)),
    Planted("A07", "isolated 3x, nothing end to end", "GEAK opbench_result.json: isolated_speedup; sglang row: output_throughput",
            _pair(3.0, 20.0, (1000.2, 1001.0, 999.5)), _pair(3.0, 20.0, CAND)),
)  # fmt: skip
