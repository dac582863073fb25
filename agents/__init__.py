"""Producers: they look at what a campaign may show them and propose; they never measure, and never read a verdict's source.

``Builtin`` holds the built-in policies, which need no model. Everything that producers see and say is in ``contract``, who they
are and what they may look at in ``desk``.
"""

from __future__ import annotations

from agents.builtin import Builtin
from agents.contract import (
    Authored,
    BaselineAnswer,
    BaselineView,
    CampaignView,
    Feedback,
    LeverView,
    OpView,
    OverlayView,
    Proposal,
)
from agents.desk import Desk, Producers, Tool
from agents.failures import ModelError

__all__ = [
    "Authored",
    "BaselineAnswer",
    "BaselineView",
    "Builtin",
    "CampaignView",
    "Desk",
    "Feedback",
    "LeverView",
    "ModelError",
    "OpView",
    "OverlayView",
    "Producers",
    "Proposal",
    "Tool",
]
