"""An isolated speed-up beside a serving claim: replaced when its benchmark cannot carry it, failed when no gain comes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from audit.contract import Source
from audit.evidence import Evidence
from audit.gates import isolated
from audit.intake.claims import Claim, Claims
from tests.unit.audit.build import Json, foreign, sglang_row
from tests.unit.audit.planted.conditions import CAND, INFO, REF, TRITON
from tests.unit.audit.planted.harness import opbench
from tests.unit.audit.test_engagement import evidence

FLAT, SLOWER = (1000.2, 1001.0, 999.5), (960.2, 961.0, 959.5)


def pair(root: Path, bench: Json | None, cand: tuple[float, ...] = CAND, short_name: str = "gemm") -> Path:
    """A serving comparison, and a benchmark in kernels/gemm where one is given."""
    foreign(root / "ref", [sglang_row(value, INFO) for value in REF])
    foreign(root / "cand", [sglang_row(value, {**INFO, **TRITON}) for value in cand])
    if bench is not None:
        (root / "kernels/gemm").mkdir(parents=True)
        (root / "kernels/gemm/opbench_result.json").write_text(json.dumps(bench, indent=1))
    request = {"scope": "patch", "cand_dir": ".", "short_name": short_name, "change": {"lever": "backend", "flags": TRITON}}
    (root / "audit_request.json").write_text(json.dumps(request))
    return root


def quoting(ev: Evidence, value: float) -> Evidence:
    """The same beside a claim file that quotes an isolated speed-up."""
    claim = Claim(Source("integrate_result.json", None, 4), "isolated_speedup", value, "isolated_speedup")
    return replace(ev, claims=Claims((claim,)))


@dataclass(frozen=True)
class Case:
    """A benchmark, what the servers show, and the answer."""

    name: str
    status: str
    situation: str | None
    says: str
    bench: Json | None = field(default_factory=opbench)
    cand: tuple[float, ...] = CAND
    claim: float | None = None
    short_name: str = "gemm"


SELF = opbench(baseline_backend="authored", isolated_speedup=3.0306, baseline_ms=0.121224)
CASES = (
    Case("honest, and real end to end", "ok", None, "shows end to end", opbench(pct_gpu_time=60.0)),
    Case("self-comparing, and real end to end", "flag", "replace", "self-comparison", SELF),
    Case("false arithmetic, and real end to end", "flag", "replace", "its times give", opbench(isolated_speedup=1.9)),
    Case(
        "a winner that was never timed",
        "flag",
        "replace",
        "never timed",
        opbench(pct_gpu_time=60.0, results=[opbench()["results"][0], {**opbench()["results"][1], "ms": None}]),
    ),
    Case("nothing end to end", "fail", "underpowered", "no serving gain comes of it", cand=FLAT),
    Case("slower end to end", "fail", "refuted", "no serving gain comes of it", cand=SLOWER),
    Case("more than it can bring", "flag", "flagged", "its cause is not", opbench(pct_gpu_time=5.0, amdahl_ceiling_e2e_pct=None)),
    Case("no benchmark, no claim", "n/a", None, "no isolated speed-up", None),
    Case("a claim and no benchmark", "ok", None, "no benchmark lies with the run", None, claim=1.3),
    Case("a claim of nothing", "n/a", None, "no isolated speed-up", None, claim=1.0),
    Case(
        "a claim that stands on a self-comparison", "flag", "replace", "self-comparison", SELF, claim=3.0306, short_name="other"
    ),
    Case("another operation's benchmark", "n/a", None, "no isolated speed-up", SELF, short_name="attention"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_isolated_number_beside_a_serving_claim(case: Case, tmp_path: Path) -> None:
    """Status, row of the decision table and words; what is above its ceiling is flagged and never failed."""
    ev = evidence(pair(tmp_path, case.bench, case.cand, case.short_name))
    found = isolated.check(ev if case.claim is None else quoting(ev, case.claim))
    assert [(item.status, item.situation) for item in found] == [(case.status, case.situation)], found
    assert case.says in found[0].reason
    assert found[0].status not in ("fail", "flag") or (found[0].next_step and found[0].evidence)


def test_without_repeats_the_number_stays_open(tmp_path: Path) -> None:
    """One repeat a side measures no gain: the isolated number is neither borne out nor refuted."""
    run = pair(tmp_path, opbench())
    for leg in ("ref", "cand"):
        line = (run / leg / "bench_runs.jsonl").read_text().splitlines()[0]
        (run / leg / "bench_runs.jsonl").write_text(line + "\n")
    assert isolated.check(evidence(run))[0].status == "unknown"
