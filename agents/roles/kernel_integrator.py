"""The kernel integrator without a model: the first routed operation, and the first overlay for it that was not tried."""

from __future__ import annotations

from agents.contract import CampaignView, OverlayView, Proposal
from agents.roles.config_tuner import WORTH_MEASURING_AGAIN


def kernel_integrator(view: CampaignView) -> Proposal | None:
    """The next overlay to try, or None when no routed operation has one left.

    On a later attempt the last history entry is the one to fix, and the only honest fix without a model is a fresh
    measurement of the same code.
    """
    if view.attempt > 1:
        return _again(view)
    decided = {entry.lever for entry in view.history} | set(view.banked)
    for op in view.ops:
        overlay = next((item for item in view.overlays if item.op == op.op and item.name not in decided), None)
        if overlay is not None:
            why = (
                f"{op.op} takes {op.share_pct:.1f} % of the profiled time ({op.reason}); at most {op.ceiling_pct:+.1f} % to gain"
            )
            return _proposal(overlay, f"{overlay.name}: {why}")
    return None


def _again(view: CampaignView) -> Proposal | None:
    last = view.history[-1] if view.history else None
    if last is None or last.outcome not in WORTH_MEASURING_AGAIN:
        return None
    overlay = next((item for item in view.overlays if item.name == last.lever), None)
    if overlay is None:
        return None
    return _proposal(
        overlay, f"{overlay.name}: attempt {view.attempt}, unchanged, for fresh launches; the last one ended {last.outcome}"
    )


def _proposal(overlay: OverlayView, why: str) -> Proposal:
    what = f"overlay {overlay.name} in place of {overlay.op} raises output throughput"
    return Proposal(lever=overlay.name, flags={}, overlay=overlay.name, what=what, why=why)
