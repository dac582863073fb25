"""The built-in producers: one lever at a time, reasons from the history, no second try of what was refuted."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from agents import BaselineView, CampaignView, Feedback, LeverView, Proposal
from agents.roles.baseline import baseline
from agents.roles.config_tuner import config_tuner

LEVERS = [
    LeverView(name="batching", flags={"continuous_batching": True}, summary="together"),
    LeverView(name="eager", flags={"attn_implementation": "eager"}, summary="plain"),
]


def entry(lever: str, decided: str, outcome: str, delta: float | None = None) -> Feedback:
    return Feedback.model_validate(
        {
            "short_name": f"c01-{lever}",
            "lever": lever,
            "decided": decided,
            "verdict": "PASS" if decided == "banked" else "FAIL",
            "action": "pass",
            "outcome": outcome,
            "delta_pct": delta,
            "reasons": ["the interval is wide"],
            "next_steps": [],
        }
    )


def view(history: list[Feedback], attempt: int = 1) -> CampaignView:
    banked = [item.lever for item in history if item.decided == "banked"]
    return CampaignView(levers=LEVERS, banked=banked, history=history, attempt=attempt)


def test_levers_come_in_order_and_end() -> None:
    """What is decided or in force is skipped; with none left there is no proposal."""
    first = config_tuner(view([]))
    assert first is not None and first.lever == "batching" and "nothing has been decided" in first.why
    done = [entry("batching", "banked", "proven", 248.0)]
    second = config_tuner(view(done))
    assert second is not None and second.lever == "eager"
    assert second.why == "eager: batching (+248 %) was banked, so this is tried on top of it; nothing was dropped"
    assert config_tuner(view([*done, entry("eager", "dropped", "refuted")])) is None


@pytest.mark.parametrize(
    ("outcome", "again"),
    [("underpowered", True), ("not_measured", True), ("contended", True), ("refuted", False), ("evidence_damaged", False)],
)
def test_what_comes_back(outcome: str, again: bool) -> None:
    """Fresh launches for what was left open; nothing for what was refuted."""
    answer = config_tuner(view([entry("batching", "to_fix", outcome)], attempt=2))
    assert (answer is not None) == again
    if answer is not None:
        assert answer.lever == "batching" and outcome in answer.why and "the interval is wide" in answer.why


@pytest.mark.parametrize(
    ("verdict", "left", "answer"), [("PASS", 3, "go_on"), ("FLAG", 1, "measure_again"), ("FAIL", 0, "go_on")]
)
def test_baseline(verdict: str, left: int, answer: str) -> None:
    """Measures again while that is allowed and the set did not pass."""
    seen = BaselineView.model_validate(
        {"sets": 1, "verdict": verdict, "action": "remeasure", "outcome": "underpowered", "reasons": [], "remeasures_left": left}
    )
    assert baseline(seen) == answer


def test_a_proposal_holds_nothing_undeclared() -> None:
    """Unknown fields are refused: there is no other way out for a producer."""
    with pytest.raises(ValidationError):
        Proposal.model_validate({"lever": "x", "flags": {}, "what": "", "why": "", "seed": 1})
