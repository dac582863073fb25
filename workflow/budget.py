"""The budgets of time: is there room for another candidate, with the final comparison still to come?"""

from __future__ import annotations

import json
from typing import Literal

from workflow.context import BASELINE, Context

SLOWER = 1.3
"""A candidate may be slower than what is in force, and the launches of its own leg then take longer."""


def lacks(ctx: Context, spent_s: float, legs: int = 2) -> Literal["", "wall", "device"]:
    """Which budget has no room for one more candidate and for the final comparison of what is banked; empty when both have.

    Expected from server lives measured so far: a candidate takes as long per launch as the configuration in force did
    (its own leg, or the A/A set before the first bank), the final as long as the longest banked A/B, with a leg more for
    each part. Pilots are counted.
    """
    measure = ctx.config.measure
    banked = [f"config/{entry.body['short_name']}" for entry in ctx.ledger.of_kind("bank")]
    in_force = _lives(ctx, f"{banked[-1]}/cand" if banked else BASELINE)
    candidate = _mean(in_force) * ((legs - 1 + SLOWER) * measure.launches + 1)
    final_legs = 2 + len(banked) + 1
    final = max((_mean(_lives(ctx, folder)) for folder in banked), default=0.0) * (final_legs * measure.final_launches + 1)
    if spent_s + candidate + final > 60 * ctx.config.wall_minutes:
        return "wall"
    return "device" if _served(ctx) + candidate + final > _device_s(ctx) else ""


def is_spent(ctx: Context, spent_s: float) -> bool:
    """True when a budget is used up."""
    return spent_s > 60 * ctx.config.wall_minutes or _served(ctx) > _device_s(ctx)


def _served(ctx: Context) -> float:
    """Seconds that servers ran."""
    return sum(_lives(ctx, ""))


def _device_s(ctx: Context) -> float:
    return float("inf") if ctx.config.device_minutes is None else 60 * ctx.config.device_minutes


def _lives(ctx: Context, folder: str) -> list[float]:
    """Seconds from start to stop of every sealed launch below a folder of the run."""
    ids = [str(entry.body["launch_id"]) for entry in ctx.ledger.of_kind("sealed")]
    servers = [
        json.loads((ctx.run_dir / item / "server.json").read_bytes())
        for item in ids
        if not folder or item.startswith(f"{folder}/")
    ]
    return [float(server["stopped_unix"] - server["started_unix"]) for server in servers]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
