"""Where the campaign goes next: pure functions of the state, and the bound on how long it can go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workflow.state import Decision, State

if TYPE_CHECKING:
    from workflow.config import CampaignConfig

SENT_BACK = frozenset({"underpowered", "not_measured", "evidence_damaged"})
"""Outcomes that say nothing final about the change; ``refuted`` is final and never sent back."""


def after_audit_baseline(state: State, then: str) -> str:
    """A whole new A/A set when the baseline producer asked for one (the node has checked the bound), else ``then``."""
    return "baseline" if state["measure_again"] else then


def after_propose(state: State) -> Literal["harness", "measure", "final"]:
    """Measure the proposal, an overlay by itself first; with none left, or no time for one, the final comparison."""
    if state["stopped"] != "":
        return "final"
    return "harness" if state["overlay"] else "measure"


def after_decide(state: State) -> Decision:
    """The decision is the name of the next node."""
    return state["decision"]


def after_final(state: State) -> Literal["audit_final", "report"]:
    """There is nothing to audit when there was nothing to measure."""
    return "audit_final" if state["final_measured"] else "report"


def judge(verdict: str, outcome: str, attempt: int, max_fix: int) -> Decision:
    """What a verdict means for a proposal: PASS and FLAG bank what is proven; the rest goes back while that is allowed and open.

    A FLAG may leave the gain open (two modes, a borrowed band): then there is nothing to bank yet. Anything that is not one of
    the three words is no pass.
    """
    if verdict in ("PASS", "FLAG") and outcome == "proven":
        return "bank"
    if verdict in ("FLAG", "FAIL") and outcome in SENT_BACK and attempt <= max_fix:
        return "fix"
    return "drop"


def step_bound(config: CampaignConfig) -> int:
    """Most node executions a campaign of this configuration can take, for every sequence of verdicts.

    Setup; a set and its audit for the first baseline and each re-measure; profile, its audit and the route at first and
    after each direction, which may be banked; propose, harness and its audit, measure, audit, decide and its
    consequence for each attempt of each direction; the last propose; final, its audit, the report.
    """
    baselines = 2 * (1 + config.auditor_max_remeasure)
    directions = config.max_candidates + (config.max_overlays if config.profile else 0)
    attempts = 7 * directions * (1 + config.auditor_max_fix)
    profiles = 3 * (1 + directions) if config.profile else 0
    return 1 + baselines + profiles + attempts + 1 + 3
