"""An id counts as covered only if its planted case is caught by a finding that names it, and its honest twin passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import Verdict, audit_path, render
from tests.unit.audit.planted import Planted, every


def _accused(verdict: Verdict) -> set[str]:
    """Ids named by findings that lower the verdict."""
    return {
        name
        for finding in verdict.findings
        if finding.status in ("flag", "fail") or (finding.status == "unknown" and finding.required)
        for name in finding.ids
    }


@pytest.mark.parametrize("case", every(), ids=lambda case: f"{case.id}: {case.name}")
def test_a_planted_lie_is_caught_and_its_twin_passes(case: Planted, tmp_path: Path) -> None:
    """The lie: a verdict as stated, with the id. The twin: PASS on every request."""
    (tmp_path / "lie").mkdir()
    (tmp_path / "twin").mkdir()
    lies = audit_path(case.lie(tmp_path / "lie"))
    caught = [verdict for verdict in lies if verdict.verdict in case.caught and case.id in _accused(verdict)]
    assert caught, render(lies)
    twins = audit_path(case.twin(tmp_path / "twin"))
    assert {verdict.verdict for verdict in twins} == {"PASS"}, render(twins)
