"""The config tuner without a model: one declared lever at a time, in the engine's order, on top of what is banked."""

from __future__ import annotations

from agents.contract import CampaignView, Feedback, LeverView, Proposal

WORTH_MEASURING_AGAIN = frozenset({"underpowered", "not_measured", "contended"})
"""Outcomes that say nothing against the change itself: fresh rows may settle them."""


def config_tuner(view: CampaignView) -> Proposal | None:
    """The next change to try, or None when there is none.

    A fresh direction (attempt 1) is the first declared lever that is neither in force nor decided. On a later attempt the
    last history entry is the one to fix: without a model the only honest fix is a fresh measurement of the same
    change, so a change that was refuted, or whose evidence was damaged, is given up.
    """
    if view.attempt > 1:
        return _again(view)
    decided = {entry.lever for entry in view.history} | set(view.banked)
    lever = next((item for item in view.levers if item.name not in decided), None)
    if lever is None:
        return None
    return _proposal(lever, f"{lever.name}: {_story(view)}")


def _again(view: CampaignView) -> Proposal | None:
    last = view.history[-1] if view.history else None
    if last is None or last.outcome not in WORTH_MEASURING_AGAIN:
        return None
    lever = next((item for item in view.levers if item.name == last.lever), None)
    if lever is None:
        return None
    reason = f" ({last.reasons[0]})" if last.reasons else ""
    why = f"{lever.name}: attempt {view.attempt}, unchanged, for fresh launches; the last one ended {last.outcome}{reason}"
    return _proposal(lever, why)


def _proposal(lever: LeverView, why: str) -> Proposal:
    settings = [f"{key}={value}" for key, value in sorted({**lever.flags, **lever.env}.items())]
    what = f"{lever.name} ({', '.join(settings)}) raises output throughput"
    return Proposal(lever=lever.name, flags=lever.flags, env=lever.env, what=what, why=why)


def _story(view: CampaignView) -> str:
    """The history in one sentence, ending in why this lever comes now."""
    if not view.history:
        return "first of the declared levers, nothing has been decided yet"
    banked = [_banked(entry) for entry in view.history if entry.decided == "banked"]
    dropped = [f"{entry.lever} ({entry.outcome})" for entry in view.history if entry.decided == "dropped"]
    said = []
    if banked:
        were = "was" if len(banked) == 1 else "were"
        said.append(f"{', '.join(banked)} {were} banked, so this is tried on top of {'it' if len(banked) == 1 else 'them'}")
    if dropped:
        said.append(f"dropped so far: {', '.join(dropped)}")
    else:
        said.append("nothing was dropped")
    if not banked:
        said.append("nothing is banked, so this is tried on the plain baseline")
    return "; ".join(said)


def _banked(entry: Feedback) -> str:
    return entry.lever if entry.delta_pct is None else f"{entry.lever} ({entry.delta_pct:+.0f} %)"
