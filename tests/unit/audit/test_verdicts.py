"""Every case of ``cases.py`` gets the verdict it deserves, and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import audit_path, exit_code, render
from tests.unit.audit.cases import CASES, Case, build


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_gets_its_verdict(case: Case, tmp_path: Path) -> None:
    """Verdict, outcome and action by the table; the reasons name the cause."""
    verdicts = audit_path(build(tmp_path, case))
    found = verdicts[0]
    told = "\n".join([*found.reasons, *found.flags])
    assert (found.verdict, found.outcome) == (case.verdict, case.outcome), render(verdicts)
    assert case.says in told, told
    assert not case.action or found.action == case.action
    assert exit_code(verdicts) == {"PASS": 0, "FLAG": 4, "FAIL": 3}[case.verdict]
    assert found.signed_off == (case.verdict != "FAIL")
    if case.verdict == "FAIL":
        assert found.next_steps
        assert found.reasons


def test_a_flag_names_the_gain_too(tmp_path: Path) -> None:
    """Continuous batching: the FLAG names what got worse, its size, and what got better."""
    case = next(case for case in CASES if case.name == "continuous batching")
    found = audit_path(build(tmp_path, case))[0]
    assert "TTFT 586 -> 30.3 ms (-94.8 %)" in " ".join(found.flags)
    assert found.lever_class == "B"
    assert not found.counts_as_kernel_win
    assert found.e2e_delta_pct is not None
    assert 245 < found.e2e_delta_pct < 260


def test_the_clean_win_in_full(tmp_path: Path) -> None:
    """What other tools read: metrics, effect, launches."""
    found = audit_path(build(tmp_path, CASES[0]))[0]
    headline = found.metrics["output_throughput"]
    assert headline.ref is not None
    assert (headline.unit, headline.better, headline.ref.n, headline.ref.launches) == ("tok/s", "higher", 6, 3)
    assert headline.non_overlapping is True
    assert {"ttft_ms", "tpot_ms", "itl_ms", "e2e_latency_ms", "request_throughput", "success_rate"} <= set(found.metrics)
    assert found.effect.rule == "launches"
    assert found.effect.lower_pct is not None
    assert found.effect.upper_pct is not None
    assert 0 < found.effect.lower_pct < 10 < found.effect.upper_pct
    assert found.effect.permutation_p == 0.05
    assert (found.launches.ref, found.launches.cand, found.launches.noise) == (3, 3, [3])
    assert (found.lever_class, found.counts_as_kernel_win, found.same_conditions_ok, found.engagement_ok) == (
        "A",
        True,
        True,
        True,
    )
    assert (found.correctness_status, found.headline_integrity) == ("ok", "ok")


def test_a_crash_outranks_what_it_left_unmeasured(tmp_path: Path) -> None:
    """A crashed candidate is refuted although most gates could not be asked."""
    case = next(case for case in CASES if case.name == "candidate crashed")
    found = audit_path(build(tmp_path, case))[0]
    assert found.correctness_status == "crashed"
    assert "SIGSEGV" in found.reasons[0]


def test_no_sandbox_is_marked(tmp_path: Path) -> None:
    """Without a sandbox the verdict stands, and says so."""
    case = next(case for case in CASES if case.name == "no sandbox")
    assert "Marked: no sandbox" in audit_path(build(tmp_path, case))[0].note
