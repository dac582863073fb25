"""Which overlays a campaign may try, and how one of them becomes a folder of the run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from workflow.errors import ConfigError, WorkerFailedError
from workflow.harness import SOURCE, build, compiler
from workflow.serving import Engine, overlay
from workflow.serving.overlay import Overlay

if TYPE_CHECKING:
    from workflow.config import CampaignConfig
    from workflow.context import Context


def overlays_to_try(config: CampaignConfig, engine: Engine) -> Sequence[Overlay]:
    """The overlays of this campaign in order, without those that need a compiler where there is none.

    Raises ConfigError for a name that the catalogue does not have, or one that is named twice.
    """
    if not config.profile or config.max_overlays == 0 or engine.overlays is None:
        return []
    known = {folder.name: folder for folder in sorted(engine.overlays.iterdir()) if (folder / overlay.MANIFEST).is_file()}
    names = config.overlays if config.overlays is not None else tuple(known)
    if len(set(names)) != len(names):
        raise ConfigError("overlays: an overlay is named twice", "Name each overlay once; it is measured once.")
    strange = next((name for name in names if name not in known), None)
    if strange is not None:
        raise ConfigError(f"the catalogue holds no overlay {strange!r}", f"It holds: {', '.join(known)}.")
    found = [overlay.read(known[name]) for name in names]
    return [item for item in found if not (item.folder / SOURCE).is_file() or compiler() is not None]


def overlays_on_offer(ctx: Context) -> list[Overlay]:
    """The overlays of this campaign whose target is not rebound by one in force."""
    taken = {item.target for item in ctx.in_force.overlays}
    return [item for item in overlays_to_try(ctx.config, ctx.engine) if item.target not in taken]


def routed(ctx: Context) -> list[dict[str, Any]]:
    """Operations of the newest route, largest share first: ``{op, share_pct, ceiling_pct, reason}``."""
    routes = ctx.ledger.of_kind("route")
    return [dict(item) for item in routes[-1].body["routed"]] if routes else []


class Put(NamedTuple):
    """An overlay as a folder of the run."""

    told: dict[str, Any]
    """``{dir, name, op, target, entry, sha256}``, as the ledger holds it."""
    unbuilt: str | None
    """Why its source could not be built; None when it was, or has none."""


def copied(chosen: Overlay) -> Callable[[Path], None]:
    """Fills a folder with an overlay of the catalogue."""
    return lambda folder: _copy(chosen.folder, folder)


def _copy(source: Path, folder: Path) -> None:
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))


def put_into_run(ctx: Context, name: str, fill: Callable[[Path], None]) -> Put:
    """Make an overlay's folder in the run, built where it has to be; ``fill`` writes its sources into a folder that is not there.

    The folder appears whole or not at all; one that an interrupted session left without a word in the ledger is made afresh.
    """
    place = ctx.run_dir / "config" / name / "overlay"
    part = place.with_name(".overlay.partial")
    for left in (part, place):
        shutil.rmtree(left, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    fill(part)
    unbuilt = None
    if (part / SOURCE).is_file():
        try:
            build(part, ctx.bench.sandbox)
        except WorkerFailedError as failed:
            unbuilt = str(failed)
    part.rename(place)
    made = overlay.read(place)
    told = {"dir": place.relative_to(ctx.run_dir).as_posix(), "name": made.name, "op": made.op, "target": made.target}
    return Put({**told, "entry": made.entry, "sha256": made.sha256}, unbuilt)
