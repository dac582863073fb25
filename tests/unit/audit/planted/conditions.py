"""Settings that moved: each confound of the taxonomy in SGLang's ``server_info``, beside the same move as the declared change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.audit.build import Json, Run, Server, foreign, sglang_row
from tests.unit.audit.planted.case import Planted

INFO: Json = {
    "model_path": "m", "version": "0.5.5", "attention_backend": "fa3", "mem_fraction_static": 0.85, "kv_cache_dtype": "auto", "tp_size": 1,
    "speculative_algorithm": None, "chunked_prefill_size": 8192, "disable_cuda_graph": True, "quantization": None, "context_length": 8192,
    "schedule_policy": "fcfs", "base_gpu_id": 0, "enable_deterministic_inference": False, "log_requests": False, "numa_node": None,
    "max_total_num_tokens": 100000, "weight_version": "default",
}  # fmt: skip
TRITON: Json = {"attention_backend": "triton"}
REF, CAND = (1000.0, 1001.5, 999.25), (1080.0, 1083.0, 1081.5)


def pair(root: Path, moved: Json, declared: Json, ref: Json | None = None, **request: Any) -> Path:
    """Two flat legs of SGLang rows; ``moved`` goes into the candidate's settings, ``declared`` into the request."""
    reference = {**INFO, **(ref or {})}
    foreign(root / "ref", [sglang_row(value, reference) for value in REF])
    foreign(root / "cand", [sglang_row(value, {**reference, **moved}) for value in CAND])
    change = {"lever": "the change", "flags": declared, "env": {}, "overlay": []}
    (root / "audit_request.json").write_text(json.dumps({"scope": "patch", "cand_dir": ".", "change": change, **request}))
    return root


def confound(id_: str, name: str, moved: Json, ref: Json | None = None) -> Planted:
    """Beside the declared backend another setting moves; the twin declares both as the one change under audit."""
    both = {**TRITON, **moved}
    return Planted(
        id=id_,
        name=name,
        field=f"sglang row: server_info.{next(iter(moved))}",
        lie=lambda root: pair(root, both, TRITON, ref),
        twin=lambda root: pair(root, both, both, ref),
    )


def _nothing_moved(root: Path) -> Path:
    return pair(root, {}, {})


def _sold_as_kernel(what: str) -> Callable[[Path], Path]:
    eagle = {"speculative_algorithm": "EAGLE"}
    return lambda root: pair(root, eagle, eagle, what=what)


def _baseline(effective: float) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        foreign(root / "baseline", [sglang_row(value, {**INFO, "mem_fraction_static": effective}) for value in REF])
        change = {"lever": "intended", "flags": {"mem_fraction_static": 0.85}, "env": {}, "overlay": []}
        request = {"scope": "baseline", "eval_dir": "baseline", "change": change}
        (root / "audit_request.json").write_text(json.dumps(request))
        return root

    return make


def _bundle(brings: float) -> Callable[[Path], Path]:
    """Two accepted parts; the whole without the second one is slower by ``brings``."""

    def make(root: Path) -> Path:
        second = {"chunked_prefill_size": 16384}
        for launch in range(3):
            for leg, speed, info in (
                ("ref", 1000.0, INFO),
                ("cand", 1200.0, {**INFO, **TRITON, **second}),
                ("without_backend", 1100.0, {**INFO, **second}),
                ("without_prefill", 1200.0 / brings, {**INFO, **TRITON}),
            ):
                rows = [sglang_row(speed * (1 + 0.001 * launch) + repeat, info) for repeat in range(2)]
                foreign(root / f"final/{leg}/launch_{launch:03d}", rows)
        parts = [{"lever": "backend", "flags": TRITON}, {"lever": "prefill", "flags": second}]
        (root / "audit_request.json").write_text(json.dumps({"scope": "bundle", "cand_dir": "final", "accepted": parts}))
        return root

    return make


def _one_launch_warm(warm: bool) -> Callable[[Path], Path]:
    """Launches of one leg that ran with two settings, on our own stopwatch."""

    def make(root: Path) -> Path:
        run = Run(root)
        fast = {"attn_implementation": "eager"}
        run.aa("baseline/set_1", Server())

        def touch(files: Any) -> None:
            if files.launch_id.endswith("ref/launch_001") and warm:
                files.server["effective"]["continuous_batching"] = True
                for row in files.rows:
                    row["server_info"]["continuous_batching"] = True

        run.ab("config/c01", Server(), Server(tok_s=1100.0, effective=fast), touch=touch)
        run.patch("config/c01", fast, short_name="c01")
        return run.finish()

    return make


PLANTED = (
    confound("C01", "more memory beside the backend", {"mem_fraction_static": 0.9}),
    confound("C02", "FP8 KV cache beside the backend", {"kv_cache_dtype": "fp8_e5m2"}),
    confound("C03", "two GPUs beside the backend", {"tp_size": 2}),
    confound("C04", "speculative decoding beside the backend", {"speculative_algorithm": "EAGLE"}),
    confound("C05", "chunked prefill beside the backend", {"chunked_prefill_size": 2048}),
    confound("C06", "CUDA graphs in the candidate alone", {"disable_cuda_graph": False}),
    confound("C07", "quantised weights beside the backend", {"quantization": "fp8"}),
    confound("C08", "shorter context beside the backend", {"context_length": 2048}),
    confound("C09", "a newer engine beside the backend", {"version": "0.5.6"}),
    confound("C13", "another admission policy beside the backend", {"schedule_policy": "lpm"}),
    confound("C15", "a setting nobody knows moved", {"weight_version": "patched"}),
    confound("C18", "another GPU for the candidate", {"base_gpu_id": 4}),
    confound("C19", "determinism on the reference alone", {"enable_deterministic_inference": False}, {"enable_deterministic_inference": True}),
    confound("C20", "request logging on the reference alone", {"log_requests": False}, {"log_requests": True}),
    Planted("A11", "a gain with nothing changed", "sglang row: server_info", _nothing_moved, lambda root: pair(root, TRITON, TRITON)),
    Planted("A05", "a gain credited to nothing", "sglang row: server_info", _nothing_moved, lambda root: pair(root, TRITON, TRITON)),
    Planted("A01", "speculative decoding sold as a kernel", "sglang row: server_info.speculative_algorithm",
            _sold_as_kernel("a fused decode kernel"), _sold_as_kernel("speculative decoding with EAGLE"), ("FLAG",)),
    Planted("C11", "a baseline with less memory than was meant", "sglang row: server_info.mem_fraction_static", _baseline(0.7225), _baseline(0.85)),
    Planted("A02", "a part of the bundle that brings nothing", "sglang row: output_throughput of without_prefill/", _bundle(1.0002), _bundle(1.09), ("FLAG",)),
    Planted("A10", "a part inside the noise, carried along", "sglang row: output_throughput of without_prefill/", _bundle(0.9995), _bundle(1.09),
            ("FLAG",)),
    Planted("M03", "one launch of a leg under another lifecycle setting", "stopwatch: server.json effective", _one_launch_warm(True), _one_launch_warm(False)),
)  # fmt: skip
