"""Scope harness: what honest benchmarks do is let pass, what cannot be read or was not recorded is told, and nothing crashes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import Verdict, Verdicts, audit_path, render
from audit.contract import Source
from audit.gates.harness_numbers import ceiling_pct
from audit.gates.harness_timing import Clocks, clocks
from audit.policy import load
from tests.unit.audit.build import Json
from tests.unit.audit.planted.harness import ITERATIONS, KERNEL, harness, opbench, put, quick, record, times

POLICY = load().policy
Edit = Callable[[Json], object]


def judge(root: Path, told: Json | None = None, kept: Json | None = None, source: str = KERNEL) -> Verdict:
    """The verdict on one benchmark."""
    found = audit_path(harness(root, told, kept, source))
    assert len(found) == 1
    return found[0]


def ids(verdict: Verdict, *statuses: str) -> set[str]:
    """Taxonomy ids of findings with one of these statuses."""
    return {name for finding in verdict.findings if finding.status in statuses for name in finding.ids}


def _results(**second: Any) -> list[Json]:
    first, other = opbench()["results"]
    return [first, {**other, **second}]


@dataclass(frozen=True)
class Told:
    """Values of opbench_result.json, and the verdict they deserve."""

    name: str
    verdict: str
    changes: Json
    says: str = ""


TOLD = (
    Told("as GEAK writes it", "PASS", {}),
    Told(
        "no backend beats the baseline",
        "PASS",
        {"winner_backend": "hipblaslt", "winner_ms": 0.05, "isolated_speedup": 1.0, "amdahl_ceiling_e2e_pct": 0.0},
    ),
    Told(
        "no winner named",
        "PASS",
        {"winner_backend": None, "winner_ms": None, "isolated_speedup": None, "amdahl_ceiling_e2e_pct": None},
    ),
    Told(
        "a slowdown told as one",
        "PASS",
        {
            "winner_ms": 0.0625,
            "isolated_speedup": 0.8,
            "amdahl_ceiling_e2e_pct": None,
            "results": _results(ms=0.0625, wall_ms=0.07),
        },
    ),
    Told("a copy that is exact", "PASS", {"op_kind": "rope_copy", "results": _results(max_rel_err=0.0)}),
    Told("launch overhead in the wall clock", "PASS", {"results": _results(wall_ms=0.085)}),
    Told(
        "a slower backend that is wrong and called wrong",
        "PASS",
        {
            "results": [
                *opbench()["results"],
                {"backend": "x", "available": True, "correct": False, "ms": 0.09, "max_rel_err": 9.0},
            ]
        },
    ),
    Told(
        "a backend that is wrong and called correct",
        "FLAG",
        {
            "results": [
                *opbench()["results"],
                {"backend": "x", "available": True, "correct": True, "ms": 0.03, "max_rel_err": 45.4},
            ]
        },
        "45.4",
    ),
    Told(
        "unavailable backends",
        "PASS",
        {"results": [*opbench()["results"], {"backend": "x", "available": False, "correct": None, "ms": None}]},
    ),
    Told("a ceiling that is none", "FLAG", {"amdahl_ceiling_e2e_pct": 25.0}, "ceiling"),
    Told(
        "nothing timed",
        "FAIL",
        {"results": [], "winner_ms": None, "baseline_ms": None, "isolated_speedup": None},
        "no backend was timed",
    ),
    Told("an error left out", "FAIL", {"results": _results(max_rel_err=None)}, "no error is recorded"),
    Told(
        "next to no time for work that takes the library forty times as long",
        "FAIL",
        {
            "results": _results(ms=0.0012, wall_ms=0.012),
            "winner_ms": 0.0012,
            "isolated_speedup": 41.667,
            "amdahl_ceiling_e2e_pct": None,
        },
        "empty launch",
    ),
    Told(
        "small work in both",
        "PASS",
        {
            "results": [{**opbench()["results"][0], "ms": 0.0015, "wall_ms": 0.01}, _results(ms=0.0012, wall_ms=0.01)[1]],
            "winner_ms": 0.0012,
            "baseline_ms": 0.0015,
        },
    ),
    Told(
        "a device clock that saw a fifth",
        "FAIL",
        {
            "results": _results(ms=0.008, wall_ms=0.048),
            "winner_ms": 0.008,
            "isolated_speedup": 6.25,
            "amdahl_ceiling_e2e_pct": None,
        },
        "outside the timed events",
    ),
    Told(
        "a quick kernel that costs a little more to launch",
        "PASS",
        {
            "results": _results(ms=0.008, wall_ms=0.03),
            "winner_ms": 0.008,
            "isolated_speedup": 6.25,
            "amdahl_ceiling_e2e_pct": None,
        },
    ),
    Told("no wall clock", "PASS", {"results": _results(wall_ms=None)}),
    Told("a winner without a row", "FAIL", {"results": opbench()["results"][:1]}, "no row for the winner"),
    Told("incorrect by its own word", "FAIL", {"results": _results(correct=False)}, "not correct"),
    Told(
        "rows that contradict the headline",
        "FAIL",
        {"winner_ms": 0.025, "isolated_speedup": 2.0, "amdahl_ceiling_e2e_pct": 11.11},
        "rows",
    ),
    Told("a suspect harness", "FAIL", {"harness_suspect": True}, "suspect"),
    Told("a speed-up between nobody", "FAIL", {"baseline_backend": None}, "which backend beat which"),
)


@pytest.mark.parametrize("case", TOLD, ids=lambda case: case.name)
def test_what_geak_writes(case: Told, tmp_path: Path) -> None:
    """Honest forms pass; a contradiction, a gap in what is required, or a broken harness does not."""
    found = judge(tmp_path, opbench(**case.changes))
    assert found.verdict == case.verdict, render(Verdicts([found], as_list=False))
    assert case.says in " ".join([*found.reasons, *found.flags])


def _all(**values: Any) -> Edit:
    return lambda kept: [row.update(values) for row in kept["results"]]


def first_row(edit: Edit, *, shapes: int) -> Edit:
    """The same at one shape of so many: the others stay as they were."""

    def made(kept: Json) -> None:
        base, cand = kept["results"][:2]
        later = [{**row, "shape": number} for number in range(1, shapes) for row in (base, cand)]
        kept["results"] = [cand]
        edit(kept)
        kept["shapes"] = [{**kept["shapes"][0], "calls": 10} for _ in range(shapes)]
        kept["results"] = [base, cand, *later]

    return made


def _repeat(kept: Json, leg: str, count: int) -> list[Json]:
    """The rows of a leg, so many of whose outputs are now the first."""
    rows = [row for row in kept["results"] if row["leg"] == leg]
    for row in rows:
        row["output_sha256"] = [row["output_sha256"][0]] * count + row["output_sha256"][count:]
    return rows


def _copy(kept: Json, count: int) -> None:
    """The candidate's outputs at the first shape are the baseline's in so many iterations."""
    base, cand = kept["results"][:2]
    cand["output_sha256"] = base["output_sha256"][:count] + cand["output_sha256"][count:]


@dataclass(frozen=True)
class Kept:
    """A change to our own record, and the verdict it deserves."""

    name: str
    verdict: str
    edit: Edit
    id: str = ""


KEPT = (
    Kept("untouched", "PASS", dict),
    Kept("a few slow iterations", "PASS", times([0.04, 0.041, 0.2, 0.04, 0.04, 0.039, 0.04, 0.04])),
    Kept("a first iteration that warms up", "PASS", times([0.4] + [0.04] * 7)),
    Kept("a first iteration that warms up a much faster kernel", "PASS", quick([0.012] + [0.01] * 7)),
    Kept("a first launch that compiles", "PASS", quick([40.0] + [0.009] * 7)),
    Kept("one shape that warms up", "PASS", first_row(quick([0.04] + [0.01] * 7), shapes=3)),
    Kept("one hiccup of a much faster kernel", "PASS", first_row(quick([0.004] * 5 + [0.2] + [0.004] * 2), shapes=3)),
    Kept("computed once in every shape", "FAIL", quick([0.04] + [0.01] * 7), "H12"),
    Kept("every other call does the work of two", "FAIL", quick([0.0008, 0.08] * 3 + [0.0008]), "H15"),
    Kept("outputs of which a part is constant", "FAIL", put("output_var", 9.0), "H22"),
    Kept("outputs rounded as they may be", "PASS", _all(output_var=28.0)),
    Kept("two of the outputs repeat", "FAIL", lambda kept: _repeat(kept, "candidate", 2), "H13"),
    Kept(
        "outputs of so few bits that the baseline's repeat too",
        "PASS",
        lambda kept: [_repeat(kept, leg, count) for leg, count in (("baseline", 2), ("candidate", 3))],
    ),
    Kept("the baseline's outputs at one shape", "FLAG", lambda kept: _copy(kept, ITERATIONS), "E08"),
    Kept("one output like the baseline's", "PASS", lambda kept: _copy(kept, 1)),
    Kept("work that no launch is as short as", "FAIL", quick([0.0012] * 8), "H09"),
    Kept("exact integers", "PASS", lambda kept: [shape.update(dtype="int32") for shape in kept["shapes"]]),
    Kept("large relative error next to zero", "PASS", put("max_rel_err", 45.4)),
    Kept("large error by any measure", "FAIL", _all(max_rel_err=45.4, max_abs_err=30.0), "H22"),
    Kept("an output and a reference that are constant", "FLAG", _all(output_var=0.0, reference_var=0.0), "H22"),
    Kept("NaN in the reference", "FAIL", put("nonfinite_reference", 3), "H20"),
    Kept("NaN not counted", "FAIL", put("nonfinite", None), "H20"),
    Kept("three iterations", "FAIL", times([0.04] * 3), "H12"),
    Kept(
        "a rare live shape left out",
        "FLAG",
        lambda kept: kept["shapes"].append({"dims": [8, 8, 8], "dtype": "bfloat16", "live": True, "calls": 5}),
        "H23",
    ),
    Kept("no live shapes known", "PASS", lambda kept: [shape.update(live=False) for shape in kept["shapes"]]),
    Kept("live path unknown", "PASS", lambda kept: kept["dispatch"].update(live_path=None)),
    Kept(
        "graph in the benchmark, live path unknown",
        "FLAG",
        lambda kept: kept["dispatch"].update(bench_path="graph_replay", live_path=None),
        "H33",
    ),
    Kept("graph in both", "PASS", lambda kept: kept["dispatch"].update(bench_path="graph_replay", live_path="graph_replay")),
    Kept(
        "eager in the benchmark, graph in the server",
        "FLAG",
        lambda kept: kept["dispatch"].update(live_path="graph_replay"),
        "A08",
    ),
    Kept("a guard without a row", "FAIL", lambda kept: kept["guards"].pop(), "H46"),
    Kept("a guard that found something", "FAIL", lambda kept: kept["guards"][0].update(status="failed"), "H46"),
    Kept(
        "another file on disk than was measured",
        "FAIL",
        lambda kept: [
            kept["candidate"].update(sha256="99" * 32),
            *[row.update(file_sha256="99" * 32) for row in kept["results"] if row["leg"] == "candidate"],
        ],
        "H44",
    ),
    Kept("a third file was timed", "FAIL", put("file_sha256", "77" * 32), "H44"),
    Kept("a row of a shape that does not exist", "FAIL", put("shape", 9)),
    Kept("a speed-up the wrong way round", "FAIL", lambda kept: kept.update(speedup=0.8), "H02"),
    Kept("inputs said to be old", "FLAG", lambda kept: kept["inputs"].update(fresh_per_iteration=False), "H11"),
    Kept("an unknown device", "PASS", lambda kept: (kept.update(device="a new one"), _all(bytes_moved=10**9)(kept))),
)


@pytest.mark.parametrize("case", KEPT, ids=lambda case: case.name)
def test_what_our_own_record_says(case: Kept, tmp_path: Path) -> None:
    """Beside the planted lies: the honest forms that look like them, and gaps."""
    kept = record()
    case.edit(kept)
    found = judge(tmp_path, kept=kept)
    assert found.verdict == case.verdict, render(Verdicts([found], as_list=False))
    assert not case.id or case.id in ids(found, "flag", "fail", "unknown")


@pytest.mark.parametrize(("grows", "verdict"), [(True, "FAIL"), (False, "PASS")])
def test_a_gap_that_grows_with_the_work_is_no_launch(grows: bool, verdict: str, tmp_path: Path) -> None:
    """Half of the work missed by the device clock, at four sizes, against a launch that costs the same at each."""
    kept = record()
    base, cand = kept["results"][:2]
    kept["shapes"] = [{**kept["shapes"][0], "calls": 10} for _ in range(4)]
    kept |= {"results": [], "speedup": None}
    for shape in range(4):
        work = 0.02 * (1 + 0.4 * shape)
        over = 0.009 + (work / 2 if grows else 0.012)
        for row, ms, wall in ((base, 1.3 * work, 1.3 * work + 0.009), (cand, work / 2, work / 2 + over)):
            told = {"shape": shape, "device_ms": [ms] * ITERATIONS, "wall_ms": [wall] * ITERATIONS, "reported_ms": ms}
            kept["results"].append({**row, **told, "bytes_moved": None})
    found = judge(tmp_path, kept=kept)
    assert found.verdict == verdict, render(Verdicts([found], as_list=False))
    assert ("H03" in ids(found, "fail")) == grows


def test_findings_name_file_and_line(tmp_path: Path) -> None:
    """Whoever must fix it is told where it stands."""
    found = judge(tmp_path, opbench(baseline_backend="authored"))
    text = (tmp_path / "kernels/gemm/opbench_result.json").read_text().splitlines()
    source = next(item for item in found.findings if "H01" in item.ids and item.status == "fail").evidence[0]
    assert source.file == "kernels/gemm/opbench_result.json" and source.line is not None
    assert '"baseline_backend": "authored"' in text[source.line - 1]
    assert source.sha256


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"results": 3}',
        '{"isolated_speedup": "3.0"}',
        '{"isolated_speedup": NaN}',
        '{"a": 1, "a": 2}',
        '{"winner_ms": true}',
    ],
)
def test_a_damaged_file_is_damage(text: str, tmp_path: Path) -> None:
    """Nothing is read around damage: FAIL, evidence damaged, with the file."""
    run = harness(tmp_path, opbench())
    (run / "kernels/gemm/opbench_result.json").write_text(text)
    found = audit_path(run)[0]
    assert (found.verdict, found.outcome) == ("FAIL", "evidence_damaged")
    assert "kernels/gemm/opbench_result.json" in found.reasons[0]


def test_an_unknown_key_in_our_record_is_damage(tmp_path: Path) -> None:
    """Our own format is held to the letter, its schema too."""
    changes: tuple[Json, ...] = ({"extra": 1}, {"schema": "countersign.harness/9"})
    for number, change in enumerate(changes):
        (tmp_path / str(number)).mkdir()
        assert judge(tmp_path / str(number), kept={**record(), **change}).outcome == "evidence_damaged"


def test_no_benchmark_is_unknown_and_fails(tmp_path: Path) -> None:
    """An empty folder proves nothing."""
    run = harness(tmp_path)
    found = audit_path(run)[0]
    assert (found.verdict, found.outcome) == ("FAIL", "not_measured")


def test_every_benchmark_of_a_run_directory_is_judged(tmp_path: Path) -> None:
    """``kernels/<op>/`` and ``overlay/cand_<op>/``: one bad one fails the request."""
    harness(tmp_path, opbench())
    (tmp_path / "overlay/cand_attn").mkdir(parents=True)
    (tmp_path / "overlay/cand_attn/opbench_result.json").write_text(
        json.dumps(opbench(op_kind="attention", baseline_backend="authored"))
    )
    (tmp_path / "audit_request.json").write_text('{"scope": "harness", "eval_dir": "."}')
    found = audit_path(tmp_path)[0]
    files = {item.evidence[0].file for item in found.findings if item.gate == "harness_identity"}
    assert files == {"kernels/gemm/opbench_result.json", "overlay/cand_attn/opbench_result.json"}
    assert found.verdict == "FAIL"


def test_a_candidate_that_does_not_parse_is_listed(tmp_path: Path) -> None:
    """A newer Python may parse it: it is no damage and no proof."""
    source = "def gemm(:\n"
    found = judge(tmp_path, kept=record(source), source=source)
    assert found.verdict == "PASS"
    assert any("does not parse" in words for words in found.not_checked)


@given(st.floats(0.001, 10), st.floats(0, 10), st.floats(0.001, 10), st.floats(0, 10))
def test_clocks_that_agree_are_never_accused(device: float, over: float, base: float, base_over: float) -> None:
    """A wall clock ahead of the device clock by no more than the baseline's own overhead is fine."""
    mine = Clocks("candidate", device, device + min(over, base_over), Source("f"))
    assert not list(clocks(POLICY.harness, mine, Clocks("baseline", base, base + base_over, Source("f"))))


@given(st.floats(0.1, 100), st.floats(1.0, 1000))
def test_the_ceiling_is_what_amdahl_says(share: float, speedup: float) -> None:
    """No speed-up brings nothing; an endless one brings the share away."""
    assert ceiling_pct(share, 1.0) == pytest.approx(0.0, abs=1e-9)
    assert ceiling_pct(min(share, 99.0), speedup) <= 100 * (1 / (1 - min(share, 99.0) / 100) - 1) + 1e-6


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(sorted(opbench())), VALUES, min_size=1, max_size=3), st.integers(0, 10**6))
def test_no_value_crashes_a_gate(tmp_path: Path, changes: Json, number: int) -> None:
    """Whatever stands in the file: a verdict, and no gate that crashed."""
    folder = tmp_path / f"{number}-{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    found = judge(folder, opbench(**changes))
    assert not [item for item in found.findings if "the gate crashed" in item.reason]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(("device_ms", "wall_ms", "reported_ms", "bytes_moved", "output_var", "reference_var", "max_abs_err")),
    st.one_of(st.none(), st.integers(-3, 3), st.floats(-1, 1e300), st.lists(st.floats(-1, 1e300), max_size=ITERATIONS)),
)
def test_no_record_crashes_a_gate(tmp_path: Path, key: str, value: Any) -> None:
    """The same for a row of our own record."""
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    kept = record()
    put(key, value)(kept)
    found = judge(folder, kept=kept)
    assert not [item for item in found.findings if "the gate crashed" in item.reason], render(Verdicts([found], as_list=False))
