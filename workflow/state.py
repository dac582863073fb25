"""What the graph carries from node to node: ids, counters and words. Evidence and decisions live on disk and in the ledger."""

from __future__ import annotations

from typing import Literal, TypedDict

Decision = Literal["bank", "fix", "drop"]
Stopped = Literal["", "levers", "candidates", "wall", "device", "money", "producers", "refused"]
"""Why no further change is proposed: none left, a bound, time or money, no idea, or one that may not be made."""


class State(TypedDict, total=False):
    """The campaign's state; every key is overwritten by the newest value, there are no reducers.

    Everything else a node needs it reads from the ledger, so a node that runs twice sees what it did the first time.
    """

    campaign_id: str
    baseline_sets: int
    """A/A sets measured."""
    measure_again: bool
    """The baseline producer wants another A/A set."""
    short_name: str
    """The proposal under way; empty when there is none."""
    overlay: bool
    """The proposal under way is an overlay."""
    attempt: int
    """1 for a fresh direction; above 1 the proposal before was sent back."""
    decision: Decision
    """What becomes of the proposal under way."""
    stopped: Stopped
    spent_s: float
    """Seconds of work in all sessions of this campaign up to the last proposal."""
    profiles: int
    """Profiles taken."""
    final_measured: bool


def initial(campaign_id: str) -> State:
    """The state a campaign starts with."""
    return {
        "campaign_id": campaign_id,
        "baseline_sets": 0,
        "measure_again": False,
        "short_name": "",
        "overlay": False,
        "attempt": 1,
        "stopped": "",
        "spent_s": 0.0,
        "profiles": 0,
        "final_measured": False,
    }
