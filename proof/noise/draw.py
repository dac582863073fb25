"""Draws campaigns of a world with numpy: tok/s of every timed repeat, whole chunks of campaigns at once."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from proof.noise.worlds import DESIGN, Design, World

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

REPEAT_S = 5.0
"""About how long a timed repeat lasts at the world's speed, seconds: far enough above the three that a window must last."""
SECONDS_AN_HOUR = 3600.0


class Medians(NamedTuple):
    """Launch medians, tok/s."""

    ref: list[float]
    cand: list[float]
    aa: list[float]


class Pair(NamedTuple):
    """One A/B of a campaign as lists, launch by launch: what is decided about."""

    ref: list[list[float]]
    cand: list[list[float]]
    """tok/s of each repeat."""
    aa: list[list[float]]
    given: float
    """Median of the A/A set's repeats, tok/s."""
    ref_foreign: list[float]
    cand_foreign: list[float]
    """Foreign cores during each launch."""
    warmups: tuple[int, int]
    """Warm-up requests of reference and candidate, as recorded."""
    blocks: bool
    hit: bool
    """Some repeat of the pair met a neighbour or a fault."""
    order: list[str]
    """Legs in the order of time."""
    medians: Medians
    """Of the launches above: drawn campaigns are asked for them again and again."""


@dataclass(frozen=True)
class Chunk:
    """Campaigns drawn together. Axes: campaign, candidate, launch, repeat."""

    world: World
    aa: Array
    ref: Array
    cand: Array
    aa_foreign: Array
    ref_foreign: Array
    cand_foreign: Array
    """Cores; without the last axis."""
    ref_hit: NDArray[np.bool_]
    cand_hit: NDArray[np.bool_]
    ref_first: NDArray[np.bool_]
    """Axes campaign and candidate: the reference opens the pair's order."""

    @property
    def campaigns(self) -> int:
        """How many."""
        return int(self.aa.shape[0])

    def pairs(self, campaign: int) -> list[Pair]:
        """Every A/B of one campaign, in the order of the candidates."""
        import numpy as np

        aa: list[list[float]] = self.aa[campaign].tolist()
        given = float(np.median(self.aa[campaign]))
        middles = [np.median(values[campaign], axis=-1).tolist() for values in (self.ref, self.cand, self.aa)]
        legs = (self.ref[campaign].tolist(), self.cand[campaign].tolist())
        strangers = (self.ref_foreign[campaign].tolist(), self.cand_foreign[campaign].tolist())
        hit = (self.ref_hit[campaign].any(axis=(1, 2)) | self.cand_hit[campaign].any(axis=(1, 2))).tolist()
        first = self.ref_first[campaign].tolist()
        warm, blocks = (self.world.warmup_ref, self.world.warmup_cand), self.world.blocks
        return [
            Pair(
                legs[0][at], legs[1][at], aa, given, strangers[0][at], strangers[1][at], warm, blocks, hit[at],
                order(len(legs[0][at]), ref_first=first[at], blocks=blocks), Medians(middles[0][at], middles[1][at], middles[2]),
            )
            for at in range(len(hit))
        ]  # fmt: skip


def order(launches: int, *, ref_first: bool, blocks: bool) -> list[str]:
    """Legs in the order of time: A B B A A B ..., or one block each."""
    first, second = ("ref", "cand") if ref_first else ("cand", "ref")
    if blocks:
        return [first] * launches + [second] * launches
    return [leg for pair in range(launches) for leg in ((first, second) if pair % 2 == 0 else (second, first))]


def seed_of(world: World, seed: int, purpose: str, place: int) -> tuple[int, int, int, int]:
    """A seed of its own for each world, purpose and chunk, so that results do not hang on who computes them."""
    return (seed, zlib.crc32(world.name.encode()), zlib.crc32(purpose.encode()), place)


@dataclass(frozen=True)
class Plan:
    """What to draw: ``campaigns`` of a design, every candidate with the same true gain."""

    campaigns: int
    gain_pct: float = 0.0
    design: Design = DESIGN
    one_slot: bool = False
    """Measure one candidate alone, at a random place among the design's candidates: pairs that share nothing."""


def draw(world: World, plan: Plan, seed: tuple[int, ...]) -> Chunk:
    """Campaigns of a world. The same seed gives the same numbers.

    log tok/s = level + gain + launch + drift(t) + mode + repeat, less what a neighbour, a fault or a cold start takes; the
    duration is then rounded to the clock's step.
    """
    import numpy as np

    rng = np.random.default_rng(np.random.SeedSequence(seed))
    design, n = plan.design, plan.campaigns
    shown = 1 if plan.one_slot else design.candidates
    path = _path(world, design, n, rng)
    busy = _bursts(world, design, n, rng)
    pick = rng.integers(0, design.candidates, (n, 1)) if plan.one_slot else np.tile(np.arange(design.candidates), (n, 1))
    ref_first = np.ones((n, shown), dtype=bool) if world.blocks else rng.random((n, shown)) < 0.5
    ref_at, cand_at = _places(design, pick, ref_first, blocks=world.blocks)
    aa_at = np.tile(np.arange(design.aa), (n, 1))
    legs = []
    for at, scatter, cold, shift in (
        (aa_at, 1.0, world.cold_ref_pct, 0.0),
        (ref_at, 1.0, world.cold_ref_pct, 0.0),
        (cand_at, world.cand_scatter, world.cold_cand_pct, plan.gain_pct),
    ):
        legs.append(_leg(world, design, _At(at, path, busy), _Kind(scatter, cold, shift), rng))
    (aa, aa_seen, _), (ref, ref_seen, ref_hit), (cand, cand_seen, cand_hit) = legs
    return Chunk(world, aa, ref, cand, aa_seen, ref_seen, cand_seen, ref_hit, cand_hit, ref_first)


def _path(world: World, design: Design, n: int, rng: np.random.Generator) -> Array:
    """Drift of the log at every launch of the campaign."""
    import numpy as np

    hours = np.arange(design.slots) * design.launch_s / SECONDS_AN_HOUR
    size = world.drift_pct / 100
    if world.drift == "linear":
        return np.tile(size * hours, (n, 1))
    if world.drift == "walk":
        return np.cumsum(rng.normal(0, size * np.sqrt(design.launch_s / SECONDS_AN_HOUR), (n, design.slots)), axis=1)
    if world.drift == "step":
        at, by = rng.integers(0, design.slots, (n, 1)), rng.normal(0, size, (n, 1))
        return np.asarray(by * (np.arange(design.slots) >= at), dtype=np.float64)
    return np.zeros((n, design.slots))


def _bursts(world: World, design: Design, n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Launches at which a neighbour is there: a chain of two states, begun in its long-run share."""
    import numpy as np

    there = np.zeros((n, design.slots), dtype=bool)
    if not world.burst_start:
        return there
    now = rng.random(n) < world.burst_start / (world.burst_start + 1 - world.burst_stay)
    for slot in range(design.slots):
        there[:, slot] = now
        now = rng.random(n) < np.where(now, world.burst_stay, world.burst_start)
    return there


def _places(
    design: Design, pick: NDArray[np.int64], ref_first: NDArray[np.bool_], *, blocks: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Slots of each leg's launches: axes campaign, candidate, launch."""
    import numpy as np

    orders = [order(design.launches, ref_first=first, blocks=blocks) for first in (False, True)]
    table = {leg: np.array([[at for at, name in enumerate(found) if name == leg] for found in orders]) for leg in ("ref", "cand")}
    start = design.aa + pick * 2 * design.launches
    chosen = ref_first.astype(np.int64)
    return start[..., None] + table["ref"][chosen], start[..., None] + table["cand"][chosen]


class _At(NamedTuple):
    """Slots of the launches, and what every slot of a campaign is like."""

    at: NDArray[np.int64]
    path: Array
    busy: NDArray[np.bool_]


class _Kind(NamedTuple):
    """What a leg is: its scatter over the world's, its cold first repeat and its true gain, percent."""

    scatter: float
    cold_pct: float
    gain_pct: float


def _leg(
    world: World, design: Design, where: _At, kind: _Kind, rng: np.random.Generator
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """tok/s of every repeat, foreign cores of every launch, and which repeats something happened to."""
    import numpy as np

    rows = np.arange(where.at.shape[0]).reshape(-1, *[1] * (where.at.ndim - 1))
    launch = where.path[rows, where.at] + np.log1p(kind.gain_pct / 100)
    launch = launch + kind.scatter * world.launch_sd_pct / 100 * _luck(world, where.at.shape, rng)
    if world.mode_share:
        launch = launch + np.log1p(-world.mode_gap_pct / 100) * (rng.random(where.at.shape) < world.mode_share)
    there = where.busy[rows, where.at]
    if world.burst_start:
        launch = launch + np.log1p(-world.burst_pct / 100 * rng.random(where.at.shape)) * there
    shape = (*where.at.shape, design.repeats)
    logs = launch[..., None] + kind.scatter * world.within_sd_pct / 100 * _repeats(world, shape, rng)
    hit = np.broadcast_to(there[..., None], shape)
    if world.fault_share:
        faulted = rng.random(shape) < world.fault_share
        logs, hit = logs + np.log1p(-world.fault_pct / 100) * faulted, hit | faulted
    if kind.cold_pct:
        logs[..., 0] += np.log1p(-kind.cold_pct / 100)
    return _timed(world, logs), np.where(there, world.burst_cores, 0.0), hit


def _luck(world: World, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Launch effects of SD 1."""
    if not world.tail_df:
        return rng.standard_normal(shape)
    found: Array = rng.standard_t(world.tail_df, shape) / math.sqrt(world.tail_df / (world.tail_df - 2))
    return found


def _repeats(world: World, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Repeat effects of SD 1, each correlated with the one before it."""
    import numpy as np

    found = rng.standard_normal(shape)
    for place in range(1, shape[-1] if world.memory else 0):
        found[..., place] = world.memory * found[..., place - 1] + np.sqrt(1 - world.memory**2) * found[..., place]
    return found


def _timed(world: World, logs: Array) -> Array:
    """tok/s as a client computes it: tokens over a duration that its clock rounds."""
    import numpy as np

    tokens = tokens_of(world)
    durations = tokens / (world.tok_s * np.exp(logs))
    if world.tick_s:
        steps = round(1 / world.tick_s)
        durations = np.round(durations * steps) / steps
    return np.asarray(tokens / durations, dtype=np.float64)


def tokens_of(world: World) -> int:
    """Output tokens of a repeat of about ``REPEAT_S``: a multiple of 400, so that requests share them evenly."""
    return max(1, round(REPEAT_S * world.tok_s / 400)) * 400
