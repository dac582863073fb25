"""The record of an isolated benchmark: errors, controls, a speed-up weighted by calls; and what the auditor makes of it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit import audit
from audit.contract import AuditRequest
from tests.support.isolated import KEPT, TIMES, leg, numbers, read
from workflow.canonical import pretty
from workflow.errors import WorkerFailedError
from workflow.harness import RECORD, told
from workflow.harness.record import clocks_agree, record
from workflow.serving.overlay import Overlay

OVERLAY = Overlay("fused", "Qwen2RMSNorm", "m:Norm.forward", "forward", "One pass.", Path("/nowhere"), "ab" * 32)


def made(cand: dict[str, Any], base: dict[str, Any] | None = None) -> dict[str, Any]:
    """The record of a baseline that takes 40 us against this candidate."""
    return record(OVERLAY, (read(base or leg(1, 0.04)), read(cand)), KEPT, "eager")


def guards(found: dict[str, Any]) -> dict[str, str]:
    return {guard["name"]: guard["status"] for guard in found["guards"]}


def test_the_speed_up_weighs_shapes_by_their_calls() -> None:
    """Nine hundred small calls count for more than nine large ones; medians, not means."""
    found = made(leg(2, 0.02, file="overlay.py"))
    assert found["speedup"] == pytest.approx(2.0, rel=0.03)
    assert [shape["calls"] for shape in found["shapes"]] == [900, 9] and len(found["results"]) == 4
    assert all(row["max_rel_err"] < 1e-6 for row in found["results"])
    assert guards(found) == {
        "known_bad_control": "passed", "poisoned_output": "passed", "input_digests": "passed", "second_clock": "passed",
    }  # fmt: skip


def test_an_output_that_is_off_shows_its_error() -> None:
    """In units of the reference's largest value."""
    found = made(leg(2, 0.02, off=0.01, file="overlay.py"))
    assert {row["max_rel_err"] > 0.009 for row in found["results"] if row["leg"] == "candidate"} == {True}


def test_inputs_that_change_fail_the_guard() -> None:
    """A candidate that writes into what it was given is seen."""
    cand = leg(2, 0.02, file="overlay.py")
    cand["cases"][0]["inputs_after"] = ["00" * 32] * TIMES
    assert guards(made(cand))["input_digests"] == "failed"


def test_a_shape_that_one_leg_lacks_is_left_out() -> None:
    """Nothing is compared with nothing."""
    cand = leg(2, 0.02, file="overlay.py")
    del cand["cases"][1]
    assert [shape["dims"] for shape in made(cand)["shapes"]] == [[8, 16]]


@pytest.mark.parametrize(("off", "verdicts"), [(0.0, {"PASS", "FLAG"}), (0.2, {"FAIL"})])
def test_the_auditor_reads_the_record(tmp_path: Path, off: float, verdicts: set[str]) -> None:
    """Written as a campaign writes it: sound, or refused where the outputs are wrong."""
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / RECORD).write_bytes(pretty(made(leg(2, 0.02, off=off, file="overlay.py"))))
    verdict = audit(tmp_path, AuditRequest("harness", eval_dir="c", short_name="c"))
    assert verdict.verdict in verdicts, verdict.reasons


def test_a_clock_that_is_alone_fails_the_guard() -> None:
    """CPU time without wall time, or wall time in which nothing was computed."""
    cand = leg(2, 0.02, file="overlay.py")
    cand["cases"][0]["wall_ms"] = [value / 3 for value in cand["cases"][0]["wall_ms"]]
    assert guards(made(cand))["second_clock"] == "failed"
    assert clocks_agree([1.0, 1.1], [1.0, 1.2]) and clocks_agree([0.0001], [0.0012])
    assert not clocks_agree([1.0], [2.5]) and not clocks_agree([1.0], [0.5])


def test_a_shape_without_a_reference_says_whose_output_it_was_held_against() -> None:
    """Code that cannot run in double precision has the baseline's own output as its reference."""
    base = leg(1, 0.04)
    base["cases"][1]["reference"] = None
    found = made(leg(2, 0.02, file="overlay.py"), base)
    details = {guard["name"]: guard["detail"] for guard in found["guards"]}
    assert "1 of 2 shapes have the baseline's own output as reference" in details["known_bad_control"]
    assert [row["max_rel_err"] for row in found["results"] if row["leg"] == "baseline"][1] == 0.0


def test_outputs_that_are_no_numbers_are_counted(tmp_path: Path) -> None:
    """And never become a number that JSON does not have; the auditor fails them."""
    cand = leg(2, 0.02, file="overlay.py")
    values = np.frombuffer(base64.b64decode(cand["cases"][0]["output"]), dtype="<f8").copy()
    values[:3] = [np.nan, np.inf, 1e300]
    cand["cases"][0]["output"] = numbers(values)
    found = made(cand)
    row = next(row for row in found["results"] if row["leg"] == "candidate")
    assert row["nonfinite"] == 2 and row["max_rel_err"] == row["max_abs_err"] == row["output_var"] == 1e12
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / RECORD).write_bytes(pretty(found))
    assert audit(tmp_path, AuditRequest("harness", eval_dir="c", short_name="c")).verdict == "FAIL"


def test_legs_without_a_shape_in_common_make_no_record() -> None:
    """A candidate that was called with something else was not compared."""
    cand = leg(2, 0.02, file="overlay.py")
    for case in cand["cases"]:
        case["mark"] = "3 x 3"
    with pytest.raises(WorkerFailedError, match="no shape"):
        made(cand)


def first(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Puts a value into the first case of an answer."""
    return lambda answer: answer["cases"][0].update({key: value})


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda answer: answer.clear(), "cannot be read"),
        (lambda answer: answer.update(callable=5), "cannot be read"),
        (lambda answer: answer.update(cases=[]), "never called"),
        (first("output", "%%%"), "cannot be read"),
        (first("output", base64.b64encode(b"1234567").decode()), "cut off"),
        (first("device_ms", []), "iterations"),
        (first("device_ms", ["x"] * TIMES), "cannot be read"),
        (first("device_ms", [-1.0] * TIMES), "cannot be read"),
        (first("device_ms", [float("nan")] * TIMES), "cannot be read"),
        (first("device_ms", [float("inf")] * TIMES), "cannot be read"),
        (first("calls", 0), "cannot be read"),
        (first("dims", [-1]), "cannot be read"),
        (first("mark", None), "cannot be read"),
        (first("inputs_after", ["a"]), "iterations"),
        (first("poisoned_bytes_left", None), "cannot be read"),
    ],
)
def test_an_answer_that_is_none_is_a_clear_error(spoil: Callable[[dict[str, Any]], Any], says: str) -> None:
    """What the worker says is foreign text: an overlay runs in its process."""
    answer = leg(2, 0.02, file="overlay.py")
    spoil(answer)
    with pytest.raises(WorkerFailedError, match=says):
        read(answer)


@pytest.mark.parametrize("text", [b"", b"[" * 100_000, b"null", b"\xff\xfe", b'{"callable": {}}'])
def test_an_answer_that_is_no_json_is_a_clear_error(text: bytes) -> None:
    """Never a traceback."""
    with pytest.raises(WorkerFailedError, match="cannot be read"):
        told.leg(text, TIMES)


@pytest.mark.parametrize(("dtype", "status"), [("float32", "passed"), ("bfloat16", "passed"), ("float8_e4m3fn", "failed")])
def test_the_control_is_one_of_the_tolerance(dtype: str, status: str) -> None:
    """A bad output is worse than what the type may show; a type without a tolerance refuses nothing, and says so."""
    base, cand = leg(1, 0.04), leg(2, 0.02, file="overlay.py")
    for case in (*base["cases"], *cand["cases"]):
        case["dtype"] = dtype
    assert guards(made(cand, base))["known_bad_control"] == status
