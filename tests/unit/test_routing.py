"""The graph halts within the computed bound for every sequence of verdicts, and banks only on PASS or FLAG."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.config import CampaignConfig
from workflow.routing import after_audit_baseline, after_decide, after_final, after_propose, judge, step_bound
from workflow.state import State, initial

WORDS = st.sampled_from(["PASS", "FLAG", "FAIL", "", "verdict: PASS", "pass", "UNSIGNED"])
OUTCOMES = st.sampled_from(["proven", "refuted", "underpowered", "not_measured", "evidence_damaged", "", "nonsense"])


@given(
    remeasure=st.integers(0, 5),
    fixes=st.integers(0, 5),
    candidates=st.integers(0, 12),
    data=st.data(),
)
def test_every_sequence_of_verdicts_halts_within_the_bound(
    remeasure: int, fixes: int, candidates: int, data: st.DataObject
) -> None:
    """Walks the routing functions with arbitrary verdicts, a producer that always has an answer, and a clock that may end."""
    config = CampaignConfig(auditor_max_remeasure=remeasure, auditor_max_fix=fixes, max_candidates=candidates)
    state: State = {**initial("x"), "baseline_sets": 1}
    steps, banked, direction = 3, 0, 0  # setup, baseline, audit_baseline
    while True:
        again = data.draw(st.booleans()) and state["baseline_sets"] <= remeasure
        state = {**state, "measure_again": again}
        if after_audit_baseline(state, "propose") == "propose":
            break
        state, steps = {**state, "baseline_sets": state["baseline_sets"] + 1}, steps + 2
    while True:
        steps += 1  # propose
        fresh = state["attempt"] == 1
        ended = "wall" if data.draw(st.booleans()) and data.draw(st.booleans()) else ""
        ended = ended or ("candidates" if fresh and direction >= candidates else "")
        state = {**state, "stopped": ended}  # type: ignore[typeddict-item]
        following = after_propose(state)
        if following != "measure":
            break
        direction += fresh
        steps += 4  # measure, audit, decide, its consequence
        verdict, outcome = data.draw(WORDS), data.draw(OUTCOMES)
        decision = judge(verdict, outcome, state["attempt"], fixes)
        assert after_decide({**state, "decision": decision}) == decision
        assert (decision == "bank") == (verdict in ("PASS", "FLAG") and outcome == "proven")
        assert not (outcome == "refuted" and decision == "fix")
        banked += decision == "bank"
        state = {**state, "attempt": state["attempt"] + 1 if decision == "fix" else 1}
    state = {**state, "final_measured": banked > 0}
    steps += (1 + (after_final(state) == "audit_final") if following == "final" else 0) + 1
    assert steps <= step_bound(config) and banked <= candidates


@pytest.mark.parametrize(
    ("verdict", "outcome", "attempt", "max_fix", "decision"),
    [
        ("PASS", "proven", 1, 0, "bank"),
        ("FLAG", "proven", 3, 0, "bank"),
        ("FLAG", "underpowered", 1, 1, "fix"),
        ("FLAG", "underpowered", 2, 1, "drop"),
        ("PASS", "", 1, 0, "drop"),
        ("FAIL", "underpowered", 1, 1, "fix"),
        ("FAIL", "underpowered", 2, 1, "drop"),
        ("FAIL", "refuted", 1, 5, "drop"),
        ("FAIL", "not_measured", 1, 0, "drop"),
        ("FAIL", "something new", 1, 5, "drop"),
        ("", "proven", 1, 5, "drop"),
    ],
)
def test_judge(verdict: str, outcome: str, attempt: int, max_fix: int, decision: str) -> None:
    """A refuted change is final; whatever is not one of the words banks nothing."""
    assert judge(verdict, outcome, attempt, max_fix) == decision


def test_out_of_time_goes_straight_to_the_report() -> None:
    """No final comparison is begun when the budget is spent."""
    state = initial("x")
    assert after_propose({**state, "stopped": "wall"}) == "final"
    assert after_propose({**state, "stopped": "levers"}) == "final"
