"""What a campaign is going to cost, said before anything starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workflow.catalogue import overlays_to_try
from workflow.config import CampaignConfig
from workflow.context import levers_to_try
from workflow.serving import get_engine

START_S = 8.0
"""Seconds of a launch that are not timed repeats (start, warm-up, stop); measured on two cores."""
PROFILE_S = 15.0
"""Seconds of one profile."""
PARTS = 2
"""Parts that a plan expects to be banked."""
SLOWER_LEG = 1.8
"""A repeat is sized on the faster leg; the other takes longer. An average over the shipped levers."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """The plan of a campaign in launches and seconds; pilots, which size the repeats, are counted."""

    baseline: int
    candidates: int
    each: int
    """Launches of one attempt at one candidate."""
    final: int
    overlays: int
    """Overlays at most, each with a third leg."""
    overlay_each: int
    profiles: int
    retries: int
    """Launches that re-measures and fixes can add."""
    seconds_per_launch: float
    levers: tuple[str, ...]
    alpha_per_look: float

    @property
    def launches(self) -> int:
        """Launches when nothing is sent back."""
        return self.baseline + self.candidates * self.each + self.overlays * self.overlay_each + self.final

    @property
    def at_most(self) -> int:
        """Launches when everything that may be measured again is."""
        return self.launches + self.retries

    @property
    def seconds(self) -> float:
        """Of everything, when nothing is sent back."""
        return self.launches * self.seconds_per_launch + self.profiles * PROFILE_S

    @property
    def seconds_at_most(self) -> float:
        """The same when everything is."""
        return self.at_most * self.seconds_per_launch + self.profiles * PROFILE_S

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "schema": "countersign.plan/1",
            "launches": self.launches,
            "launches_at_most": self.at_most,
            "seconds_per_launch": self.seconds_per_launch,
            "seconds": self.seconds,
            "seconds_at_most": self.seconds_at_most,
            "candidates_at_most": self.candidates,
            "overlays_at_most": self.overlays,
            "profiles_at_most": self.profiles,
            "levers": list(self.levers),
            "alpha_per_look": self.alpha_per_look,
        }


def announcement(config: CampaignConfig) -> Announcement:
    """The plan of a configuration. Raises ConfigError for a lever the engine does not declare."""
    levers = tuple(item.name for item in levers_to_try(config, get_engine(config.engine)))
    measure = config.measure
    candidates = min(config.max_candidates, len(levers))
    overlays = min(config.max_overlays, len(overlays_to_try(config, get_engine(config.engine))))
    baseline, each, with_off = measure.aa_launches + 1, 2 * measure.launches + 1, 3 * measure.launches + 1
    legs = 2 + min(candidates + overlays, PARTS)
    fixes = config.auditor_max_fix if config.use_auditor else 0
    sets = config.auditor_max_remeasure if config.use_auditor else 0
    return Announcement(
        baseline=baseline,
        candidates=candidates,
        each=each,
        final=legs * measure.final_launches + 1 if candidates + overlays else 0,
        overlays=overlays,
        overlay_each=with_off,
        profiles=1 + min(candidates + overlays, PARTS) if config.profile else 0,
        retries=sets * baseline + fixes * (candidates * each + overlays * with_off),
        seconds_per_launch=START_S + SLOWER_LEG * measure.repeats * measure.min_repeat_s,
        levers=levers[:candidates],
        alpha_per_look=config.alpha_per_look,
    )


def as_text(plan: Announcement, config: CampaignConfig) -> str:
    """The announcement for people."""
    minutes, most = plan.seconds / 60, plan.seconds_at_most / 60
    auditor = "an auditor signs every bank" if config.use_auditor else "UNAUDITED: no auditor, the plain rule decides"
    measure = config.measure
    lines = [
        f"Plan: {config.engine} / {config.model}, {config.workload.concurrency} clients; {auditor}",
        f"  baseline   {measure.aa_launches} launches x {measure.repeats} repeats, the same configuration against itself",
        f"  candidates at most {plan.candidates}, each {measure.launches} + {measure.launches} launches interleaved: "
        f"{', '.join(plan.levers) or 'none'}",
        f"  overlays   at most {plan.overlays}, {measure.launches} launches a leg: without, with, and with its code switched off",
        f"  profiles   {plan.profiles}, of what is in force at the start and after every bank",
        f"  final      {measure.final_launches} launches a leg, when something was banked: baseline, all, all but each part",
        f"  time       {plan.launches} launches (pilots included) x ~{plan.seconds_per_launch:.0f} s = about {minutes:.0f} min; "
        f"at most {plan.at_most} launches, {most:.0f} min",
        f"  budget     error {config.alpha:g} for the campaign, {plan.alpha_per_look:g} per look; "
        f"no candidate that {config.wall_minutes:g} min would not hold",
    ]
    return "\n".join(lines)
