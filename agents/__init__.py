"""Producers: they look at what a campaign may show them and propose; they never measure, and never read a verdict's source.

``baseline``, ``config_tuner`` and ``kernel_integrator`` are the built-in policies (no model). Everything they see and say
is in ``contract``.
"""

from __future__ import annotations

from agents.contract import BaselineAnswer, BaselineView, CampaignView, Feedback, LeverView, OpView, OverlayView, Proposal
from agents.roles.baseline import baseline
from agents.roles.config_tuner import config_tuner
from agents.roles.kernel_integrator import kernel_integrator

__all__ = [
    "BaselineAnswer",
    "BaselineView",
    "CampaignView",
    "Feedback",
    "LeverView",
    "OpView",
    "OverlayView",
    "Proposal",
    "baseline",
    "config_tuner",
    "kernel_integrator",
]
