"""The order of the legs, as far as rows tell it, and what is said where they do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audit import Finding, audit_path
from tests.unit.audit.planted.series import BETTER, CLIMB, QUIET, ask, blocks, clock, dated, legs, vllm_row


def lifecycle(run: Path) -> list[Finding]:
    """Findings of the gate."""
    return [finding for finding in audit_path(run)[0].findings if finding.gate == "lifecycle"]


def test_two_blocks_are_told_and_pass(tmp_path: Path) -> None:
    """Nothing moves inside the blocks: no flag, but what is not excluded is said."""
    found = lifecycle(blocks(4, QUIET, BETTER)(tmp_path))
    assert {finding.status for finding in found} == {"unknown", "ok"}
    assert any("drift between the blocks is not excluded" in finding.reason for finding in found)


def test_turns_are_told(tmp_path: Path) -> None:
    """ref cand ref cand ...: drift falls on both."""
    times = clock("20251104", range(60, 80, 2))
    run = dated(list(zip(times[::2], QUIET, strict=True)), list(zip(times[1::2], BETTER, strict=True)))(tmp_path)
    assert any("took turns 9 times" in finding.reason for finding in lifecycle(run))


def test_drift_against_the_gain_is_no_doubt(tmp_path: Path) -> None:
    """A machine that slows down cannot have made the later leg faster."""
    falling = tuple(reversed(CLIMB))
    run = blocks(4, falling, tuple(value * 1.1 for value in falling))(tmp_path)
    assert not any("M05" in finding.ids for finding in lifecycle(run) if finding.status == "flag")


@pytest.mark.parametrize("stamp", ["yesterday", "20251399-250000", "", None, "2025-11-04 10:00"])
def test_a_date_that_is_none_leaves_the_order_open(stamp: object, tmp_path: Path) -> None:
    """One such row, and nothing is said about the order."""
    run = blocks(4, QUIET, BETTER)(tmp_path)
    path = run / "cand/run_0.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"date": stamp}))
    found = lifecycle(run)
    assert [finding.status for finding in found] == ["unknown"]
    assert "M05" in found[0].ids


def test_two_kinds_of_clock_are_not_compared(tmp_path: Path) -> None:
    """Unix seconds in one leg, local dates in the other: the zone is not on record."""
    for name, values in (("ref", QUIET), ("cand", BETTER)):
        (tmp_path / name).mkdir()
        for number, value in enumerate(values):
            row = vllm_row(value, "fa3" if name == "ref" else "triton", f"20251104-10{number:02d}00")
            if name == "cand":
                start = 1762250000.0 + 60 * number
                del row["date"]
                row |= {"benchmark_start_time_unix": start, "benchmark_end_time_unix": start + row["duration"]}
            (tmp_path / name / f"run_{number}.json").write_text(json.dumps(row))
    assert [finding.status for finding in lifecycle(ask(tmp_path))] == ["unknown"]


def test_more_repeats_than_planned(tmp_path: Path) -> None:
    """A test repeated until it passes."""
    verdict = audit_path(legs(QUIET, BETTER, planned={"repeats": 3})(tmp_path))[0]
    assert verdict.verdict == "FAIL"
    assert any("M08" in finding.ids and "3 were planned" in finding.reason for finding in verdict.findings)


def test_fewer_repeats_that_could_not_matter(tmp_path: Path) -> None:
    """Three of five, all far above: said, and no flag."""
    verdict = audit_path(legs(QUIET, BETTER[:3])(tmp_path))[0]
    assert verdict.verdict == "PASS"
    assert any("M27" in finding.ids and finding.status == "ok" for finding in verdict.findings)


def test_the_permutation_p_is_stated(tmp_path: Path) -> None:
    """Five disjoint repeats a side: one in 252, if every repeat were a launch."""
    verdict = audit_path(legs(QUIET, BETTER)(tmp_path))[0]
    assert verdict.effect.permutation_p == pytest.approx(1 / 252, rel=1e-5)
    assert any("permutation p 0.004" in reason for reason in verdict.reasons)
