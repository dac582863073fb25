"""The baseline producer without a model: measures again when told to and when that can still help."""

from __future__ import annotations

from agents.contract import BaselineAnswer, BaselineView


def baseline(view: BaselineView) -> BaselineAnswer:
    """Answer the verdict on the newest A/A set: a whole new set unless it passed or no re-measure is left."""
    if view.verdict == "PASS" or view.remeasures_left < 1:
        return "go_on"
    return "measure_again"
