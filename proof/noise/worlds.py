"""Noise worlds: what a machine can do to a measurement when nothing changed. Parameters alone; ``proof.noise.draw`` draws.

All scatters are standard deviations of the log of tok/s, in percent; a campaign lasts about an hour of world time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from importlib.resources import files as resources
from typing import Any, Literal

Drift = Literal["none", "linear", "walk", "step"]
GPU_BAND, EMBEDDED_BAND = 0.5, 5.0
"""Declared noise bands, percent."""


@dataclass(frozen=True)
class Design:
    """How every campaign measures: launches and repeats, and what is said before."""

    aa: int = 6
    """Launches of the A/A set."""
    candidates: int = 20
    launches: int = 3
    """Of each leg."""
    repeats: int = 2
    """Timed repeats of each launch."""
    launch_s: float = 30.0
    """World time from one launch to the next, seconds."""
    alpha: float = 0.05
    """Error budget of the campaign."""

    @property
    def alpha_per_look(self) -> float:
        """Share of one candidate."""
        return self.alpha / self.candidates

    @property
    def slots(self) -> int:
        """Launches of the whole campaign."""
        return self.aa + self.candidates * 2 * self.launches


DESIGN = Design()


@dataclass(frozen=True)
class World:
    """One world. But for name, words, ``meets``, ``gates`` and ``fitted_from``, fields are the generator's; 0: part off."""

    name: str
    says: str
    meets: bool
    """Launches independent, log medians roughly normal with one scatter in both legs and the A/A set, equal lifecycles."""
    gates: tuple[str, ...] = ()
    """Gates that should notice what is wrong with this world; ``spread`` looks at the A/A set, the others at the pairs."""
    band_pct: float = GPU_BAND
    fitted_from: str = ""
    tok_s: float = 1000.0
    launch_sd_pct: float = 0.0
    within_sd_pct: float = 0.3
    tail_df: int = 0
    """Degrees of freedom of Student's t of the launch effects, scaled to ``launch_sd_pct``; 0 is normal."""
    memory: float = 0.0
    """Lag-1 correlation of the repeats of a launch."""
    mode_gap_pct: float = 0.0
    """How much slower the slow mode of a launch is."""
    mode_share: float = 0.0
    """Share of launches in the slow mode."""
    cand_scatter: float = 1.0
    """Launch and repeat scatter of the candidate over that of the reference."""
    drift: Drift = "none"
    drift_pct: float = 0.0
    """Linear: per hour. Walk: SD after an hour. Step: SD of one step at a random time of the campaign."""
    burst_start: float = 0.0
    """Chance that a neighbour begins at a launch, and ..."""
    burst_stay: float = 0.0
    """... that one who is there stays for the next."""
    burst_pct: float = 0.0
    """How much a neighbour slows a launch, at most; each launch draws a uniform share of it."""
    burst_cores: float = 0.0
    """Foreign CPU that host.json records during a burst, cores; 0: the neighbour shares what host.json does not see."""
    fault_share: float = 0.0
    """Share of repeats with a fault."""
    fault_pct: float = 0.0
    """How much slower a faulted repeat is."""
    cold_ref_pct: float = 0.0
    """How much slower the first repeat of a launch is: in the reference and the A/A set ..."""
    cold_cand_pct: float = 0.0
    """... and in the candidate."""
    warmup_ref: int = 16
    warmup_cand: int = 16
    """Warm-up requests that server.json records."""
    tick_s: float = 0.0
    """Step of the clock, seconds."""
    blocks: bool = False
    """All launches of the reference, then all of the candidate."""

    def parameters(self) -> dict[str, Any]:
        """What differs from a world without any noise, and the band."""
        silent = World("", "", meets=True, within_sd_pct=0.0)
        keep = [item.name for item in fields(self) if item.name not in ("name", "says", "meets", "gates", "fitted_from")]
        return {
            name: getattr(self, name)
            for name in keep
            if name in ("band_pct", "launch_sd_pct", "within_sd_pct") or getattr(self, name) != getattr(silent, name)
        }

    def quiet(self, launch_sd_pct: float) -> World:
        """Repeats that scatter as here and launches by so much; all else switched off."""
        return World(
            f"{self.name}, launch noise alone", self.says, meets=True, band_pct=self.band_pct, tok_s=self.tok_s,
            launch_sd_pct=launch_sd_pct, within_sd_pct=self.within_sd_pct,
        )  # fmt: skip


@lru_cache(maxsize=1)
def fitted() -> Mapping[str, Any]:
    """fitted.json: what ``python -m proof.noise.fit`` estimated from recorded series."""
    found: dict[str, Any] = json.loads(resources("proof.noise").joinpath("fitted.json").read_text())
    return found


def worlds() -> tuple[World, ...]:
    """Every world, those that meet the assumptions first."""
    return (*_meeting(), *_strange(), *_moving(), *_visited())


QUIET = World(
    "quiet GPU", "Launches differ by 0.5 %, repeats of a launch by 0.3 %; nothing else happens.", meets=True, launch_sd_pct=0.5,
)  # fmt: skip


def _but(name: str, says: str, gates: tuple[str, ...], **changed: Any) -> World:  # noqa: ANN401 - parameters of a world
    """The quiet world with one thing wrong."""
    return replace(QUIET, name=name, says=says, meets=False, gates=gates, **changed)


def _meeting() -> tuple[World, ...]:
    ours, others = fitted()["embedded"], fitted()["field"]
    return (
        QUIET,
        replace(
            QUIET, name="launch-noisy", launch_sd_pct=2.0,
            says="Launches differ by 2 %, repeats of one launch by 0.3 %: repeats look better than they are.",
        ),
        World(
            "embedded", "The tiny CPU server that ships, as its recorded A/A series scatter.", meets=True, band_pct=EMBEDDED_BAND,
            fitted_from=ours["words"], tok_s=ours["tok_s"], launch_sd_pct=ours["launch_sd_pct"],
            within_sd_pct=ours["within_sd_pct"], memory=max(0.0, ours["memory"]),
        ),
        World(
            "field", "GPU servers of others, as their published repeats of one configuration scatter.", meets=True,
            fitted_from=others["words"], launch_sd_pct=others["launch_sd_pct"], within_sd_pct=others["within_sd_pct"],
        ),
        replace(
            QUIET, name="alike repeats", memory=0.8, within_sd_pct=1.0,
            says="Each repeat resembles the one before it (lag-1 correlation 0.8): a launch tells less than its repeats seem to.",
        ),
        replace(
            QUIET, name="timer of 10 ms", tick_s=0.01,
            says="Quiet launches, timed by a clock of 10 ms: a fifth of a percent of a repeat.",
        ),
    )  # fmt: skip


def _strange() -> tuple[World, ...]:
    """Launches that are independent, but not normal or not alike."""
    both = ("real_delta", "spread")
    return (
        _but(
            "heavy tails", "Launch effects follow Student's t with 3 degrees of freedom: now and then one is far off.", both,
            launch_sd_pct=1.0, tail_df=3,
        ),
        _but("two modes", "Three launches in ten run in a mode that is 4 % slower.", both, mode_gap_pct=4.0, mode_share=0.3),
        _but(
            "unequal scatter", "The candidate is no faster, but its launches and repeats scatter three times as much.",
            ("real_delta",), cand_scatter=3.0,
        ),
        _but("timer of 100 ms", "A clock of 100 ms: one step is four times the declared band.", both, tick_s=0.1),
    )  # fmt: skip


def _moving() -> tuple[World, ...]:
    """The machine changes during the campaign."""
    both = ("baseline_drift", "spread")
    return (
        _but("linear drift", "The machine gains 6 % an hour, evenly.", both, drift="linear", drift_pct=6.0),
        _but("drift walk", "Speed walks at random, by 4 % in an hour.", both, drift="walk", drift_pct=4.0),
        _but("drift step", "Once in a campaign the speed jumps (by 6 %, SD) and stays there.", both, drift="step", drift_pct=6.0),
        _but(
            "block order", "All of the reference runs before all of the candidate, while the machine gains 30 % an hour.",
            ("lifecycle", "baseline_drift"), drift="linear", drift_pct=30.0, blocks=True,
        ),
    )  # fmt: skip


def _visited() -> tuple[World, ...]:
    """Single launches or repeats are not like the others."""
    both = ("real_delta", "spread")
    neighbour = {"burst_start": 0.06, "burst_stay": 0.5, "burst_pct": 12.0}
    cold = "The reference starts cold (its first repeats are 4 % slow), the candidate warm"
    return (
        _but(
            "bursts, seen", "A neighbour comes and goes, slows launches by up to 12 %, and host.json shows 0.4 cores of it.",
            ("contention",), **neighbour, burst_cores=0.4,
        ),
        _but("bursts, hidden", "The same neighbour shares memory or a GPU and shows nowhere in host.json.", both, **neighbour),
        _but("faulted repeats", "Three repeats in a hundred are 20 % slow.", both, fault_share=0.03, fault_pct=20.0),
        _but("unequal warm-up, recorded", f"{cold}; server.json says so.", ("lifecycle",), cold_ref_pct=4.0, warmup_ref=0),
        _but("unequal warm-up, unrecorded", f"{cold}; the record shows equal warm-ups.", both, cold_ref_pct=4.0),
    )  # fmt: skip


def world(name: str) -> World:
    """The world of that name. Raises KeyError when there is none."""
    return {item.name: item for item in worlds()}[name]
