"""The published cases in raw_runs: as the generator writes them, and each with the verdict its auditor gave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from audit import audit_path, render
from proof.reconstruct.cases import build

RAW_RUNS = Path(__file__).resolve().parents[3] / "raw_runs"


@dataclass(frozen=True)
class Published:
    """One case: verdict, action, what a reason must hold, metrics to the digit."""

    name: str
    verdict: str
    action: str
    outcome: str
    says: tuple[str, ...]
    ref: tuple[float, float] | None = None
    """Median and maximum of the reference, tok/s."""
    cand: tuple[float, float] | None = None
    """Median and minimum of the candidate, tok/s."""


CASES = (
    Published("handicapped-bundle", "FAIL", "eject", "not_measured",
              ("'mem_fraction_static' is 0.7225 in ref", "'max_total_num_tokens' is 947041 in ref"),
              (1004.906, 1005.254), (1677.476, 1674.248)),
    Published("self-comparing-bench", "FLAG", "replace_headline_with_e2e", "proven", ("opbench_result.json",),
              (1022.0, 1022.7), (1663.2, 1661.9)),
    Published("gibberish-reference", "FAIL", "eject", "not_measured", ("unverifiable_noncoherent_reference",),
              (812.0, 812.9), (885.1, 884.1)),
    Published("crashed-kernel", "FAIL", "eject", "refuted", ("server.log:", "HSA_STATUS_ERROR")),
    Published("noisy-baseline", "FLAG", "remeasure", "underpowered", ("repeat 0", "966.36", "3.82 %")),
    Published("config-accept-pool-unshown", "FAIL", "eject", "not_measured", ("'max_total_num_tokens' is 1156449 in ref",)),
    Published("config-accept-pool-inert", "FLAG", "flag", "proven", ("sweep_results.json", "1141120"),
              (1004.05, 1004.7), (1033.2, 1032.4)),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_published_case_gets_its_verdict(case: Published) -> None:
    """Verdict and action as published; medians and extremes at full precision."""
    verdicts = audit_path(RAW_RUNS / f"geak292-{case.name}")
    found = verdicts[0]
    assert (found.verdict, found.action, found.outcome) == (case.verdict, case.action, case.outcome), render(verdicts)
    told = "\n".join([*found.reasons, *found.flags])
    for words in case.says:
        assert words in told, told
    metric = found.metrics["output_throughput"]
    if case.ref is not None:
        assert metric.ref is not None
        assert (metric.ref.median, metric.ref.max) == pytest.approx(case.ref, rel=1e-12)
    if case.cand is not None:
        assert metric.cand is not None
        assert (metric.cand.median, metric.cand.min) == pytest.approx(case.cand, rel=1e-12)


def test_the_inert_pool_is_told() -> None:
    """The side effect is named as inert with the peak that shows it; only the misreport is flagged."""
    found = audit_path(RAW_RUNS / "geak292-config-accept-pool-inert")[0]
    inert = [finding for finding in found.findings if finding.status == "ok" and "inert" in finding.reason]
    assert len(inert) == 1
    assert "running requests peak at 65" in inert[0].reason
    assert {finding.gate for finding in found.findings if finding.status == "flag"} == {"claims"}


def test_what_ships_is_what_the_generator_writes(tmp_path: Path) -> None:
    """Every file of every reconstruction, byte for byte, each labelled as one."""
    for name, folder in build(tmp_path).items():
        made = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        shipped = {
            path.relative_to(RAW_RUNS / name): path.read_bytes() for path in (RAW_RUNS / name).rglob("*") if path.is_file()
        }
        assert made == shipped
        assert b"A reconstruction, not a recording" in made[Path("RECONSTRUCTION.md")]
