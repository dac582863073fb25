"""The time budget: is there room for another candidate, with the final comparison still to come?"""

from __future__ import annotations

import json
from collections.abc import Iterator

from workflow.context import Context


def holds_another(ctx: Context, spent_s: float) -> bool:
    """True when ``wall_minutes`` has room for one more candidate and for the final comparison of what is banked.

    Expected from the server times of what was measured so far: a candidate as long as the longest A/B yet (before the
    first: as long per launch as the A/A set), the final as long as the A/B of the longest banked change.
    """
    tried = {folder: seconds for folder, seconds in _plans(ctx) if folder.startswith("config/")}
    launches = 2 * ctx.config.measure.launches + 1
    per_launch = [s / (_launches(ctx, folder) + 1) for folder, s in _plans(ctx) if folder.startswith("baseline/")]
    candidate = max(tried.values(), default=launches * max(per_launch, default=0.0))
    banked = [tried.get(f"config/{entry.body['short_name']}", 0.0) for entry in ctx.ledger.of_kind("bank")]
    share = ctx.config.measure.final_launches / ctx.config.measure.launches
    return spent_s + candidate + share * max(banked, default=0.0) <= 60 * ctx.config.wall_minutes


def is_spent(ctx: Context, spent_s: float) -> bool:
    """True when the budget is used up."""
    return spent_s > 60 * ctx.config.wall_minutes


def _launches(ctx: Context, folder: str) -> int:
    return sum(str(entry.body["launch_id"]).startswith(f"{folder}/") for entry in ctx.ledger.of_kind("sealed"))


def _plans(ctx: Context) -> Iterator[tuple[str, float]]:
    """Each plan's folder and the seconds its servers lived, one more for the pilot that sized it."""
    for plan in ctx.ledger.of_kind("plan"):
        folder = str(plan.body["dir"])
        ids = [
            str(e.body["launch_id"]) for e in ctx.ledger.of_kind("sealed") if str(e.body["launch_id"]).startswith(f"{folder}/")
        ]
        lives = [_life(ctx, launch_id) for launch_id in ids]
        if lives:
            yield folder, sum(lives) * (len(lives) + 1) / len(lives)


def _life(ctx: Context, launch_id: str) -> float:
    server = json.loads((ctx.run_dir / launch_id / "server.json").read_bytes())
    return float(server["stopped_unix"] - server["started_unix"])
