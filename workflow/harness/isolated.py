"""An isolated benchmark of one overlay: both legs in processes of their own, and the record that the auditor reads."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow.canonical import file_digest, pretty, write_atomic
from workflow.errors import InfrastructureError
from workflow.sandbox import Job, Sandbox
from workflow.serving import Engine
from workflow.serving.overlay import Overlay, install

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA = "countersign.harness/1"  # 1: first form
RECORD, ORACLE, TOLERANCE = "harness_record.json", "reference.json", "tolerance.json"
WORKER = Path(__file__).resolve().parent / "isolated_worker.py"
CASES, ITERATIONS, TIMEOUT_S = 3, 60, 180.0
MAX_REL_ERR: Mapping[str, float] = {"float32": 1e-4, "float64": 1e-9, "bfloat16": 5e-2, "float16": 1e-2}
"""Largest error, in units of the reference's largest value, by the type of the inputs."""
SPOILED = 0.02
"""The control: an output off by this share of the reference's largest value must not pass."""


@dataclass(frozen=True, slots=True)
class Isolated:
    """What to measure: one overlay in one configuration, on prompts of the load."""

    engine: Engine
    model: Path
    flags: Mapping[str, Any]
    env: Mapping[str, str]
    beside: Sequence[Overlay]
    """Overlays in force."""
    overlay: Overlay
    prompts: Sequence[str]
    output_len: int


def measure(bench: Isolated, sandbox: Sandbox, folder: Path) -> dict[str, Any]:
    """Run both legs, write the record and what it refers to into ``folder``, return the record.

    Raises InfrastructureError when a leg's process fails; what it printed stands in the message.
    """
    legs = {
        "baseline": _leg(bench, bench.beside, sandbox),
        "candidate": _leg(bench, (*bench.beside, bench.overlay), sandbox),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / TOLERANCE, pretty({"max_rel_err": dict(MAX_REL_ERR)}))
    references = [case["reference"] for case in legs["baseline"]["cases"]]
    write_atomic(folder / ORACLE, pretty({"double_precision": references}))
    found = record(bench.overlay, legs, (file_digest(folder / ORACLE), file_digest(folder / TOLERANCE)))
    write_atomic(folder / RECORD, pretty(found))
    return found


def _leg(bench: Isolated, overlays: Sequence[Overlay], sandbox: Sandbox) -> dict[str, Any]:
    """What the worker of one leg says, with these overlays installed."""
    put = install(overlays, sandboxed=sandbox.kind == "bubblewrap")
    env = {**bench.engine.environment(bench.env), **put.env}
    job = Job([sys.executable, str(WORKER)], env, readable=[bench.model], placed={**put.placed, str(WORKER): WORKER})
    asked = {
        "model": str(bench.model), "flags": dict(bench.flags), "prompts": list(bench.prompts), "output_len": bench.output_len,
        "target": bench.overlay.target, "cases": CASES, "iterations": ITERATIONS,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="countersign-") as private:
        try:
            done = subprocess.run(
                sandbox.command(job), input=json.dumps(asked).encode(), capture_output=True, check=False, timeout=TIMEOUT_S,
                env=sandbox.environment(job, Path(private)),
            )  # fmt: skip
            found: dict[str, Any] = json.loads(done.stdout)
        except subprocess.TimeoutExpired as error:
            raise InfrastructureError(f"the isolated benchmark did not end within {TIMEOUT_S:g} s") from error
        except ValueError as error:
            words = " | ".join(done.stderr.decode(errors="replace").strip().splitlines()[-3:])
            raise InfrastructureError(f"the isolated benchmark's process ended with {done.returncode}: {words[:400]}") from error
    return found


def record(overlay: Overlay, legs: Mapping[str, dict[str, Any]], kept: tuple[str, str]) -> dict[str, Any]:
    """harness_record.json (docs/harness.md) out of what both workers said; ``kept``: digests of oracle and tolerance."""
    shapes, rows, errors = [], [], []
    both = _paired(legs)
    for number, (base, cand) in enumerate(both):
        shapes.append({"dims": base["dims"], "dtype": base["dtype"], "live": True, "calls": base["calls"]})
        reference = _numbers(base["reference"] or base["output"])
        for leg, case in (("baseline", base), ("candidate", cand)):
            rows.append(_row(leg, number, case, reference, legs[leg]["callable"]["sha256"]))
        spoiled = reference.copy()
        if spoiled.size:
            spoiled[0] += SPOILED * (abs(reference).max() or 1.0)
        errors.append(relative(spoiled, reference) > MAX_REL_ERR.get(base["dtype"], 0.0))
    times = {leg: sum(row["reported_ms"] * shapes[row["shape"]]["calls"] for row in rows if row["leg"] == leg) for leg in legs}
    before = [digest for _, cand in both for digest in cand["inputs_before"]]
    after = [digest for _, cand in both for digest in cand["inputs_after"]]
    oracle, tolerance = kept
    return {
        "schema": SCHEMA,
        "op": overlay.op,
        "device": None,
        "baseline": _callable("as installed", legs["baseline"]["callable"]),
        "candidate": _callable(f"overlay {overlay.name}", legs["candidate"]["callable"]),
        "shapes": shapes,
        "inputs": {"fresh_per_iteration": True, "digests_before": before, "digests_after": after},
        "oracle": {"file": ORACLE, "sha256_before": oracle, "sha256_after": oracle},
        "tolerance": {"file": TOLERANCE, "sha256_before": tolerance, "sha256_after": tolerance},
        "timer": legs["candidate"]["timer"],
        "dispatch": {"bench_path": "eager", "live_path": "eager"},
        "guards": [
            _guard("known_bad_control", all(errors), f"an output off by {100 * SPOILED:g} % is refused at every shape"),
            _guard(
                "poisoned_output",
                not any(row["poisoned_bytes_left"] for row in rows),
                "nothing of a pattern in freed memory is left",
            ),
            _guard("input_digests", before == after, "inputs are what they were before each call"),
            {"name": "second_clock", "status": "passed", "detail": "time.thread_time_ns beside time.perf_counter_ns"},
        ],
        "results": rows,
        "cache_flushed": False,
        "speedup": times["baseline"] / times["candidate"] if times["candidate"] else None,
    }


def _paired(legs: Mapping[str, dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Cases of the same shape in both legs, in the baseline's order."""
    known = {(tuple(case["dims"]), case["dtype"]): case for case in legs["candidate"]["cases"]}
    found = [(case, known.get((tuple(case["dims"]), case["dtype"]))) for case in legs["baseline"]["cases"]]
    return [(base, cand) for base, cand in found if cand is not None]


def _guard(name: str, passed: bool, detail: str) -> dict[str, str]:
    return {"name": name, "status": "passed" if passed else "failed", "detail": detail}


def _callable(label: str, told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "label": label,
        **{key: told[key] for key in ("file", "sha256", "qualname", "module")},
        "device_kernels": [],
        "fallback_calls": None,
    }


def _row(leg: str, shape: int, case: Mapping[str, Any], reference: NDArray[Any], sha256: str) -> dict[str, Any]:
    import statistics

    import numpy as np

    output = _numbers(case["output"])
    same = output.shape == reference.shape
    return {
        "leg": leg,
        "shape": shape,
        "file_sha256": sha256,
        "timer": "time.perf_counter_ns",
        "device_ms": case["device_ms"],
        "wall_ms": case["wall_ms"],
        "reducer": "median",
        "reported_ms": statistics.median(case["device_ms"]),
        "max_rel_err": relative(output, reference) if same else None,
        "max_abs_err": float(np.abs(output - reference).max()) if same and output.size else None,
        "nonfinite": int((~np.isfinite(output)).sum()),
        "nonfinite_reference": int((~np.isfinite(reference)).sum()),
        "output_sha256": case["output_sha256"],
        "poisoned_bytes_left": case["poisoned_bytes_left"],
        "output_var": float(output.var()) if output.size else None,
        "reference_var": float(reference.var()) if reference.size else None,
        "bytes_moved": None,
    }


def relative(output: NDArray[Any], reference: NDArray[Any]) -> float:
    """Largest difference in units of the reference's largest value; 0 of nothing."""
    import numpy as np

    if not output.size:
        return 0.0
    scale = float(np.abs(reference).max()) or 1.0
    return float(np.nan_to_num(np.abs(output - reference), nan=np.inf).max()) / scale


def _numbers(text: str) -> NDArray[Any]:
    import numpy as np

    return np.frombuffer(base64.b64decode(text), dtype="<f8")
