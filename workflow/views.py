"""What producers are shown of a campaign: levers, decisions and their reasons; no seed, no prompt, no path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from agents import BaselineView, CampaignView, Feedback, LeverView, OpView, OverlayView
from workflow.catalogue import overlays_on_offer, routed
from workflow.context import Context, levers_to_try
from workflow.history import UNAUDITED, Tried

_WORDS: dict[str, Literal["PASS", "FLAG", "FAIL"]] = {"PASS": "PASS", "FLAG": "FLAG"}


def campaign_view(ctx: Context, story: list[Tried], attempt: int) -> CampaignView:
    """What producers of changes see; on a later attempt the last history entry is the one to fix."""
    levers = [
        LeverView(name=item.name, flags=dict(item.flags), env=dict(item.env), summary=item.summary)
        for item in levers_to_try(ctx.config, ctx.engine)
    ]
    banked = [item.lever for item in story if item.decided == "banked"]
    history = [_feedback(item, item.decided) for item in story if item.decided != "open"]
    ops = [OpView.model_validate(item) for item in routed(ctx)]
    overlays = [OverlayView(name=item.name, op=item.op, summary=item.summary) for item in overlays_on_offer(ctx)]
    return CampaignView(levers=levers, ops=ops, overlays=overlays, banked=banked, history=history, attempt=attempt)


def _feedback(item: Tried, decided: Literal["banked", "dropped", "to_fix"]) -> Feedback:
    return Feedback(
        short_name=item.short_name,
        lever=item.lever,
        decided=decided,
        verdict="UNAUDITED" if item.verdict == UNAUDITED else _word(item.verdict),
        action=item.action,
        outcome=item.outcome,
        delta_pct=item.delta_pct,
        reasons=item.reasons,
        next_steps=item.next_steps,
    )


def baseline_view(sets: int, verdict: Mapping[str, Any], reasons: list[str], left: int) -> BaselineView:
    """The baseline producer's view of the verdict on its newest set; ``left`` re-measures are still allowed."""
    return BaselineView(
        sets=sets,
        verdict=_word(str(verdict["verdict"])),
        action=str(verdict["action"]),
        outcome=str(verdict["outcome"]),
        reasons=reasons,
        remeasures_left=left,
    )


def _word(verdict: str) -> Literal["PASS", "FLAG", "FAIL"]:
    """A verdict's word; whatever is not known is a FAIL."""
    return _WORDS.get(verdict, "FAIL")
