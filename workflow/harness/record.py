"""``harness_record.json`` (docs/harness.md) out of what both legs of an isolated benchmark say."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from workflow.errors import WorkerFailedError
from workflow.serving.overlay import Overlay

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workflow.harness.told import Called, Case, Leg

SCHEMA = "countersign.harness/1"  # 1: first form
MAX_REL_ERR: Mapping[str, float] = {"float32": 1e-4, "float64": 1e-9, "bfloat16": 5e-2, "float16": 1e-2}
"""Largest error, in units of the reference's largest value, by the type of the inputs."""
SPOILED = 0.02
"""The control: an output off by this share of the reference's largest value, or by twice the tolerance, must not pass."""
CLOCKS_APART, TICK_MS = 0.5, 0.002
"""The thread's CPU time is at least this share of the wall time (in the median), and above it by a tick at most."""
MOST = 1e12


class Kept(NamedTuple):
    """A file that must not change while the candidate runs."""

    file: str
    before: str
    after: str

    def as_dict(self) -> dict[str, str]:
        """As the record holds it."""
        return {"file": self.file, "sha256_before": self.before, "sha256_after": self.after}


class Pair(NamedTuple):
    """One shape in both legs."""

    baseline: Case
    candidate: Case

    def reference(self) -> NDArray[Any]:
        """Numbers in double precision; the baseline's own output where its code cannot run in it."""
        return numbers(self.baseline.reference or self.baseline.output)


def record(overlay: Overlay, legs: tuple[Leg, Leg], kept: tuple[Kept, Kept], live_path: str | None) -> dict[str, Any]:
    """The record of a baseline and a candidate; ``kept``: reference and tolerance.

    Raises WorkerFailedError when no shape was called in both legs.
    """
    pairs = paired(legs)
    if not pairs:
        raise WorkerFailedError("no shape of the target was called in both legs")
    rows = [row for number, pair in enumerate(pairs) for row in _rows(number, pair, legs)]
    before = [digest for pair in pairs for digest in pair.candidate.inputs_before]
    after = [digest for pair in pairs for digest in pair.candidate.inputs_after]
    oracle, tolerance = kept
    return {
        "schema": SCHEMA,
        "op": overlay.op,
        "device": None,
        "baseline": _callable("as installed", legs[0].callable),
        "candidate": _callable(f"overlay {overlay.name}", legs[1].callable),
        "shapes": [{"dims": base.dims, "dtype": base.dtype, "live": True, "calls": base.calls} for base, _ in pairs],
        "inputs": {"fresh_per_iteration": True, "digests_before": before, "digests_after": after},
        "oracle": oracle.as_dict(),
        "tolerance": tolerance.as_dict(),
        "timer": {key: getattr(legs[1].timer, key) for key in ("name", "identity_before", "identity_after")},
        "dispatch": {"bench_path": "eager", "live_path": live_path},
        "guards": _guards(pairs, rows, same_inputs=before == after),
        "results": rows,
        "cache_flushed": False,
        "speedup": _speedup(pairs, rows),
    }


def paired(legs: tuple[Leg, Leg]) -> list[Pair]:
    """Cases of the same shape in both legs, in the baseline's order."""
    known = {case.mark: case for case in legs[1].cases}
    return [Pair(case, known[case.mark]) for case in legs[0].cases if case.mark in known]


def _speedup(pairs: Sequence[Pair], rows: Sequence[dict[str, Any]]) -> float | None:
    """Over all shapes, weighed by how often the served model calls each."""
    took = {"baseline": 0.0, "candidate": 0.0}
    for row in rows:
        took[row["leg"]] += row["reported_ms"] * pairs[row["shape"]].baseline.calls
    return took["baseline"] / took["candidate"] if took["candidate"] else None


def _guards(pairs: Sequence[Pair], rows: Sequence[dict[str, Any]], *, same_inputs: bool) -> list[dict[str, str]]:
    own = sum(pair.baseline.reference is None for pair in pairs)
    against = f"{own} of {len(pairs)} shapes have the baseline's own output as reference" if own else "in double precision"
    poisoned = sum(row["poisoned_bytes_left"] for row in rows)
    apart = [row["shape"] for row in rows if not clocks_agree(row["device_ms"], row["wall_ms"])]
    return [
        _guard("known_bad_control", all(map(_refuses, pairs)), f"an output that is known to be bad is refused; {against}"),
        _guard("poisoned_output", not poisoned, f"{poisoned} bytes of a pattern in freed memory are left"),
        _guard("input_digests", same_inputs, "inputs before and after each call"),
        _guard("second_clock", not apart, f"time.thread_time_ns beside time.perf_counter_ns: apart at {len(apart)} rows"),
    ]


def clocks_agree(cpu_ms: Sequence[float], wall_ms: Sequence[float]) -> bool:
    """Whether the thread's CPU time and the wall clock tell the same story of these iterations."""
    cpu, wall = statistics.median(cpu_ms), statistics.median(wall_ms)
    return CLOCKS_APART * wall - TICK_MS <= cpu <= wall + TICK_MS


def _refuses(pair: Pair) -> bool:
    """Whether the tolerance refuses an output that is known to be bad; no tolerance refuses nothing."""
    import numpy as np

    reference, tolerance = pair.reference(), MAX_REL_ERR.get(pair.baseline.dtype)
    if tolerance is None or not reference.size:
        return False
    spoiled = reference.copy()
    spoiled[0] += max(SPOILED, 2 * tolerance) * (np.abs(reference).max() or 1.0)
    error = relative(spoiled, reference)
    return error is not None and error > tolerance


def _guard(name: str, passed: bool, detail: str) -> dict[str, str]:
    return {"name": name, "status": "passed" if passed else "failed", "detail": detail}


def _callable(label: str, told: Called) -> dict[str, Any]:
    place = {"file": told.file, "sha256": told.sha256, "qualname": told.qualname, "module": told.module}
    return {"label": label, **place, "device_kernels": [], "fallback_calls": None}


def _rows(number: int, pair: Pair, legs: tuple[Leg, Leg]) -> list[dict[str, Any]]:
    reference = pair.reference()
    named = zip(("baseline", "candidate"), pair, legs, strict=True)
    return [{"leg": name, "shape": number, **_row(case, reference, leg)} for name, case, leg in named]


def _row(case: Case, reference: NDArray[Any], leg: Leg) -> dict[str, Any]:
    import numpy as np

    output = numbers(case.output)
    same = output.shape == reference.shape
    return {
        "file_sha256": leg.callable.sha256,
        "timer": leg.timer.name,
        "device_ms": case.device_ms,
        "wall_ms": case.wall_ms,
        "reducer": "median",
        "reported_ms": statistics.median(case.device_ms),
        "max_rel_err": relative(output, reference) if same else None,
        "max_abs_err": _amount(_furthest(output, reference)) if same else None,
        "nonfinite": int((~np.isfinite(output)).sum()),
        "nonfinite_reference": int((~np.isfinite(reference)).sum()),
        "output_sha256": case.output_sha256,
        "poisoned_bytes_left": case.poisoned_bytes_left,
        "output_var": _variance(output),
        "reference_var": _variance(reference),
        "bytes_moved": None,
    }


def relative(output: NDArray[Any], reference: NDArray[Any]) -> float | None:
    """Largest difference in units of the reference's largest value, of what is finite in both; None where nothing is."""
    import numpy as np

    furthest = _furthest(output, reference)
    finite = np.abs(reference[np.isfinite(reference)])
    return None if furthest is None else _amount(furthest / (float(finite.max()) or 1.0))


def _furthest(output: NDArray[Any], reference: NDArray[Any]) -> float | None:
    import numpy as np

    both = np.isfinite(output) & np.isfinite(reference)
    with np.errstate(over="ignore"):
        return float(np.abs(output[both] - reference[both]).max()) if both.any() else None


def _variance(values: NDArray[Any]) -> float | None:
    """Of the finite ones."""
    import numpy as np

    finite = values[np.isfinite(values)]
    with np.errstate(over="ignore", invalid="ignore"):
        return _amount(float(finite.var())) if finite.size else None


def _amount(value: float | None) -> float | None:
    """A number that JSON has and the auditor reads; what is too large for that, or was on the way, is as large as can be."""
    return None if value is None else min(MOST, value) if math.isfinite(value) else MOST


def numbers(kept: bytes) -> NDArray[Any]:
    """Float64, little endian."""
    import numpy as np

    return np.frombuffer(kept, dtype="<f8")
