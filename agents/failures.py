"""What can go wrong between a role and its model, by name, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Kind = Literal["denied", "unknown_model", "rejected", "busy", "down", "timeout", "nonsense", "budget", "missing"]
CURES: Mapping[Kind, str] = {
    "denied": "Set a key in the environment that this provider takes and that may use this model.",
    "unknown_model": "Spell it provider/name, as LiteLLM's list of providers does, and see that the server offers it.",
    "rejected": "Read what the server said; another model, or a larger context, may take the same request.",
    "busy": "Wait until the rate limit is over, or use another key or model.",
    "down": "See that the server is up and reached from here: address, proxy, certificate.",
    "timeout": "See that the server answers at all; a slow one needs a larger models.deadline_s in the campaign file.",
    "nonsense": "Use a model that answers in JSON, or allow it more tokens (models.answer_tokens in the campaign file).",
    "budget": "Raise models.max_usd or models.max_tokens in the next campaign's file.",
    "missing": "See docs/models.md.",
}
"""Where nothing better is known."""


class ModelError(Exception):
    """A call that gave no answer; never the candidate's fault.

    ``denied``: no valid key. ``unknown_model``: nobody serves it. ``rejected``: the request itself. ``busy``: a rate limit.
    ``down``: refused, reset, 5xx, no response of this interface. ``timeout``: the deadline. ``nonsense``: empty, cut off, too
    long, not what was asked for. ``budget``: nothing is left to spend. ``missing``: LiteLLM is not installed, or a recording
    cannot be read or has no such call.
    """

    def __init__(self, kind: Kind, message: str, next_step: str = "", after_s: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.next_step = next_step or CURES[kind]
        self.after_s = after_s
        """Seconds that the server asks to wait."""
