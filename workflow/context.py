"""What every node of a running campaign shares: its directory, configuration, ledger, stopwatch and where it reports to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from workflow.canonical import digest
from workflow.config import CampaignConfig
from workflow.errors import ConfigError, EvidenceError
from workflow.figures import leg_figures
from workflow.ledger import Ledger
from workflow.measure.execute import Bench
from workflow.measure.plan import Plan
from workflow.measure.types import Leg, Scalar, Settings, Workload
from workflow.serving import Engine, Lever, lever, overlay, validate_settings
from workflow.serving.overlay import Overlay

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from workflow.asking import People

BASELINE = "baseline"


class Sink(Protocol):
    """Where a campaign says what it is doing; see ``workflow.progress``."""

    def say(self, text: str) -> None:
        """A line that stays."""
        ...

    def stage(self, name: str, launches: int) -> None:
        """A plan of ``launches`` launches begins."""
        ...

    def at(self, what: str, fraction: float) -> None:
        """What is going on now, and how much of the stage (0 to 1) is done."""
        ...

    def decided(self, name: str, word: str, detail: str) -> None:
        """``name`` was judged, banked or dropped; a view keeps the last of these in sight. What is to stay is said, too."""
        ...

    def close(self) -> None:
        """Nothing more will be said; leave the terminal tidy."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """One session of one campaign."""

    run_dir: Path
    campaign_id: str
    config: CampaignConfig
    engine: Engine
    ledger: Ledger
    bench: Bench
    sink: Sink
    log: FilteringBoundLogger
    clock: Callable[[], float]
    session_start: float
    """``clock`` when this session began."""
    spent_before_s: float
    """Seconds that earlier sessions worked."""
    people: People
    """Who answers for the roles."""

    @property
    def plain(self) -> Settings:
        """The true baseline: the engine's defaults with the campaign's invariants."""
        return Settings(dict(self.config.flags), dict(self.config.env))

    @property
    def in_force(self) -> Settings:
        """The baseline with every banked change, in the order they were banked."""
        return in_force(self.run_dir, self.config, self.ledger)

    def in_force_tok_s(self, baseline_sets: int) -> float | None:
        """Sealed median of the configuration in force: of the newest banked A/B, else of the newest A/A set."""
        banks = self.ledger.of_kind("bank")
        if banks:
            return float(banks[-1].body["median_tok_s"])
        return leg_figures(self.run_dir, self.ledger, baseline_dir(baseline_sets)).median

    def in_force_launch(self) -> str | None:
        """A complete launch of the configuration in force: of the newest banked A/B, else of the newest A/A set."""
        banks = self.ledger.of_kind("bank")
        folder = f"config/{banks[-1].body['short_name']}/cand/" if banks else f"{BASELINE}/"
        sealed = [e for e in self.ledger.of_kind("sealed") if str(e.body["launch_id"]).startswith(folder)]
        return next((str(e.body["launch_id"]) for e in reversed(sealed) if e.body["status"] == "complete"), None)

    def plan(self, folder: str, legs: dict[Leg, Settings], launches: int, known_tok_s: float) -> Plan:
        """A plan with this campaign's load; ``known_tok_s`` (0.0: nothing known) helps to size the repeats."""
        measure = self.config.measure
        return Plan(folder, legs, launches, measure.repeats, self.workload(), known_tok_s, measure.min_repeat_s)

    def workload(self) -> Workload:
        """This campaign's load."""
        load = self.config.workload
        return Workload(
            concurrency=load.concurrency,
            output_len=load.output_len,
            requests_per_repeat=load.requests_per_repeat,
            warmup_requests=load.warmup_requests,
            request_timeout_s=load.request_timeout_s,
        )


def changed(run_dir: Path, base: Settings, body: Mapping[str, Any]) -> Settings:
    """Settings with one ledgered change on top. Raises EvidenceError when its overlay is not what the ledger says."""
    overlays = base.overlays
    if body.get("overlay"):
        overlays = (*overlays, installed(run_dir, body["overlay"]))
    return Settings({**base.flags, **body["flags"]}, {**base.env, **body["env"]}, overlays)


def installed(run_dir: Path, told: Mapping[str, Any]) -> Overlay:
    """The overlay that a ledgered proposal names, from its folder in the run."""
    found = overlay.read(run_dir / str(told["dir"]))
    if found.sha256 != told["sha256"]:
        what = f"{told['dir']}: the overlay was altered after it was proposed"
        raise EvidenceError(what, "Restore it, or start a new campaign.")
    return found


def final_legs(ctx: Context) -> dict[Leg, Settings]:
    """The legs of the final comparison: true baseline, everything banked, and everything without each part.

    Without the only part that is the baseline once more: how far the two lie apart is chance. A single overlay has its
    third leg in that place.
    """
    legs: dict[Leg, Settings] = {"ref": ctx.plain, "cand": ctx.in_force}
    banked = ctx.ledger.of_kind("bank")
    if len(banked) == 1 and legs["cand"].overlays:
        return {**legs, "off": replace(legs["cand"], overlays=tuple(item.off() for item in legs["cand"].overlays))}
    for entry in banked:
        proposal = ctx.ledger.get(f"proposal/{entry.body['short_name']}")
        part = str(proposal.body["lever"]) if proposal else str(entry.body["short_name"])
        legs[f"without_{part}"] = in_force(ctx.run_dir, ctx.config, ctx.ledger, str(entry.body["short_name"]))
    return legs


def profile_dir(number: int) -> str:
    """Directory of the n-th profile, counted from 1."""
    return f"profile/round_{number}"


def in_force(run_dir: Path, config: CampaignConfig, ledger: Ledger, left_out: str | None = None) -> Settings:
    """The baseline with every banked change but the one of that short name, in the order they were banked."""
    found = Settings(dict(config.flags), dict(config.env))
    for entry in ledger.of_kind("bank"):
        if entry.body["short_name"] != left_out:
            found = changed(run_dir, found, entry.body)
    return found


def baseline_dir(number: int) -> str:
    """Directory of the n-th A/A set, counted from 1."""
    return f"{BASELINE}/set_{number}"


def config_digest(config: CampaignConfig) -> str:
    """Digest of the resolved configuration."""
    return digest(config.model_dump(mode="json"))


def levers_to_try(config: CampaignConfig, engine: Engine) -> Sequence[Lever]:
    """The levers of this campaign in order, without those whose settings every server has anyway.

    Raises ConfigError for a lever the engine does not declare, or one that is named twice.
    """
    names = config.levers if config.levers is not None else tuple(item.name for item in engine.levers)
    if len(set(names)) != len(names):
        raise ConfigError("levers: a lever is named twice", "Name each lever once; a change is measured once per direction.")
    chosen = [lever(engine, name) for name in names]
    return [item for item in chosen if not _on_already(item, config)]


def _on_already(item: Lever, config: CampaignConfig) -> bool:
    flags = all(config.flags.get(key, _Absent) == value for key, value in item.flags.items())
    return flags and all(config.env.get(key) == value for key, value in item.env.items())


class _Absent:
    """Stands for a flag that is not given; equal to nothing."""


def change_digest(flags: dict[str, Scalar], env: dict[str, str], overlay_sha256: str | None = None) -> str:
    """Digest of a change, blind to key order and to white space around text; of an overlay its files count."""
    plain: dict[str, Any] = {key.strip(): value.strip() if isinstance(value, str) else value for key, value in flags.items()}
    whole: dict[str, Any] = {"flags": plain, "env": {key.strip(): value.strip() for key, value in env.items()}}
    return digest(whole if overlay_sha256 is None else {**whole, "overlay": overlay_sha256})


def check_change(ctx: Context, name: str, flags: dict[str, Scalar], env: dict[str, str]) -> None:
    """Raise ConfigError unless the change is exactly one lever of this campaign, as the engine declares it."""
    validate_settings(ctx.engine, flags, env)
    declared = next((item for item in levers_to_try(ctx.config, ctx.engine) if item.name == name), None)
    if declared is None:
        raise ConfigError(f"lever {name!r} is not one of this campaign's levers", "Propose one of the declared levers.")
    if change_digest(flags, env) != change_digest(dict(declared.flags), dict(declared.env)):
        raise ConfigError(
            f"lever {name!r} sets {dict(declared.flags)!r} {dict(declared.env)!r}, not {flags!r} {env!r}",
            "Propose the lever as it is declared: one change at a time.",
        )
