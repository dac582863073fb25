"""The record of an isolated benchmark: errors, controls, a speed-up weighted by calls; and what the auditor makes of it."""

from __future__ import annotations

import base64
import hashlib
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit import audit
from audit.contract import AuditRequest
from workflow.canonical import pretty
from workflow.harness import isolated
from workflow.serving.overlay import Overlay

OVERLAY = Overlay("fused", "Qwen2RMSNorm", "m:Norm.forward", "forward", "One pass.", Path("/nowhere"), "ab" * 32)


def numbers(values: Any) -> str:
    """As the worker writes an output."""
    return base64.b64encode(np.asarray(values, dtype="<f8").tobytes()).decode()


def leg(seed: int, ms: float, off: float = 0.0, file: str = "modeling.py") -> dict[str, Any]:
    """What the worker of one leg says: two shapes, an output that is off by a share of its largest value."""
    drawn = random.Random(seed)
    cases = []
    for rows, calls in ((8, 900), (64, 9)):
        reference = np.random.default_rng(rows).normal(size=rows * 16)
        output = reference.astype("<f4").astype("<f8")
        output[0] += off * abs(reference).max()
        times = [ms * rows / 8 * drawn.uniform(0.97, 1.03) for _ in range(40)]
        inputs = [hashlib.sha256(f"{seed}{rows}{n}".encode()).hexdigest() for n in range(40)]
        outputs = [hashlib.sha256(f"out {rows} {file}".encode()).hexdigest()] * 40
        cases.append(
            {
                "dims": [rows, 16], "dtype": "float32", "calls": calls, "device_ms": times,
                "wall_ms": [value + 0.0004 for value in times], "output_sha256": outputs, "inputs_before": inputs,
                "inputs_after": inputs, "poisoned_bytes_left": 0, "output": numbers(output), "reference": numbers(reference),
            }
        )  # fmt: skip
    sha256 = hashlib.sha256(file.encode()).hexdigest()
    clock = "time.perf_counter_ns builtin_function_or_method"
    return {
        "callable": {"file": file, "sha256": sha256, "qualname": f"{file[0]}.forward", "module": file},
        "cases": cases,
        "timer": {"name": "time.perf_counter_ns", "identity_before": clock, "identity_after": clock},
    }  # fmt: skip


def made(cand: dict[str, Any]) -> dict[str, Any]:
    """The record of a baseline that takes 40 us against this candidate."""
    return isolated.record(OVERLAY, {"baseline": leg(1, 0.04), "candidate": cand}, ("cd" * 32, "ef" * 32))


def test_the_speed_up_weighs_shapes_by_their_calls() -> None:
    """Nine hundred small calls count for more than nine large ones; medians, not means."""
    found = made(leg(2, 0.02, file="overlay.py"))
    assert found["speedup"] == pytest.approx(2.0, rel=0.03)
    assert [shape["calls"] for shape in found["shapes"]] == [900, 9] and len(found["results"]) == 4
    assert all(row["max_rel_err"] < 1e-6 for row in found["results"])
    assert {guard["name"]: guard["status"] for guard in found["guards"]} == {
        "known_bad_control": "passed", "poisoned_output": "passed", "input_digests": "passed", "second_clock": "passed",
    }  # fmt: skip


def test_an_output_that_is_off_shows_its_error() -> None:
    """In units of the reference's largest value."""
    found = made(leg(2, 0.02, off=0.01, file="overlay.py"))
    assert {row["max_rel_err"] > 0.009 for row in found["results"] if row["leg"] == "candidate"} == {True}


def test_inputs_that_change_fail_the_guard() -> None:
    """A candidate that writes into what it was given is seen."""
    cand = leg(2, 0.02, file="overlay.py")
    cand["cases"][0]["inputs_after"] = ["00" * 32] * 40
    assert {guard["name"]: guard["status"] for guard in made(cand)["guards"]}["input_digests"] == "failed"


def test_a_shape_that_one_leg_lacks_is_left_out() -> None:
    """Nothing is compared with nothing."""
    cand = leg(2, 0.02, file="overlay.py")
    del cand["cases"][1]
    assert [shape["dims"] for shape in made(cand)["shapes"]] == [[8, 16]]


@pytest.mark.parametrize(("off", "verdicts"), [(0.0, {"PASS", "FLAG"}), (0.2, {"FAIL"})])
def test_the_auditor_reads_the_record(tmp_path: Path, off: float, verdicts: set[str]) -> None:
    """Written as a campaign writes it: sound, or refused where the outputs are wrong."""
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / isolated.RECORD).write_bytes(pretty(made(leg(2, 0.02, off=off, file="overlay.py"))))
    verdict = audit(tmp_path, AuditRequest("harness", eval_dir="c", short_name="c"))
    assert verdict.verdict in verdicts, verdict.reasons
