"""Noise worlds: how often is the judge wrong when nothing but noise is there, and how large a true gain must be to be seen.

``run`` draws campaigns in every world, decides each pair by the auditor's own rules and gates, counts, and holds a share of
the decisions against audits of the same pairs from disk.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from proof.noise.worlds import World

__all__ = ["FULL", "QUICK", "Budget", "run"]

Json = dict[str, Any]


@dataclass(frozen=True)
class Budget:
    """How much is drawn in each world."""

    campaigns: int
    """Without any true gain."""
    power_pairs: int
    """At each point of a power curve; true wins get ``WIN_TIMES`` as many, at least ``LEAST_WINS``."""
    file_pairs: int
    """Written to disk and audited."""
    seed: int = 20261121


QUICK, FULL = Budget(200, 60, 10), Budget(20_000, 2_000, 2_000)
WIN_TIMES = 4
"""A rate near 2 % asks for more pairs than a curve."""
LEAST_WINS = 1000
"""True wins of a world that meets the assumptions: there they are held to a goal."""
BEFORE = "before.json"


class Task(NamedTuple):
    """One piece of work: a function of ``proof.noise.simulate`` or ``files`` by name, the world, its other arguments."""

    kind: str
    world: str
    given: tuple[Any, ...]


def run(budget: Budget, jobs: int, progress: Callable[[str, float], None], names: Sequence[str] | None = None) -> list[Json]:
    """Every world, or those of these names, as proof.json holds it. The same budget gives the same figures, whatever ``jobs`` is.

    ``progress`` is called with the world worked on and the share of all work that is done.
    """
    from proof.noise.worlds import worlds

    everything = [world for world in worlds() if names is None or world.name in names]
    with tempfile.TemporaryDirectory(prefix="noise-") as place:
        tasks = [task for world in everything for task in _tasks(world, budget, place)]
        found: list[Any] = []
        for result in _results(tasks, jobs):
            found.append(result)
            progress(tasks[len(found) - 1].world, len(found) / len(tasks))
    by_world: dict[str, list[tuple[Task, Any]]] = {world.name: [] for world in everything}
    for task, result in zip(tasks, found, strict=True):
        by_world[task.world].append((task, result))
    earlier = _before()
    return [_plain(world, budget, by_world[world.name], earlier.get(world.name)) for world in everything]


def _tasks(world: World, budget: Budget, place: str) -> Iterator[Task]:
    """All the work of a world, in pieces of a few seconds."""
    from proof.noise import files, simulate

    for at in range(math.ceil(budget.campaigns / simulate.CHUNK)):
        size = min(simulate.CHUNK, budget.campaigns - at * simulate.CHUNK)
        yield Task("false_accepts", world.name, (size, budget.seed, at))
    for gain in simulate.GAINS:
        yield Task("power", world.name, (budget.power_pairs, budget.seed, gain))
    wins = WIN_TIMES * budget.power_pairs
    yield Task("wins", world.name, (max(wins, LEAST_WINS) if world.meets else wins, budget.seed))
    for chance in simulate.HALF_POWERS:
        yield Task("needed", world.name, (budget.power_pairs, budget.seed, chance))
    if world.meets:
        for noise in simulate.LAUNCH_NOISES:
            yield Task("odds", world.name, (WIN_TIMES * budget.power_pairs, budget.seed, noise))
    for places in files.batches(budget.file_pairs):
        yield Task("files", world.name, (budget.seed, places, place))


def work(task: Task) -> Any:  # noqa: ANN401 - a tally, a table row or an agreement, by kind
    """Do one task; what every process of the pool runs."""
    from proof.noise import files, simulate, worlds

    world = worlds.world(task.world)
    kinds: dict[str, Callable[..., Any]] = {
        "false_accepts": simulate.false_accepts, "power": simulate.power, "wins": simulate.wins, "needed": simulate.needed,
        "odds": simulate.odds, "files": files.agree,
    }  # fmt: skip
    return kinds[task.kind](world, *task.given)


def _results(tasks: Sequence[Task], jobs: int) -> Iterator[Any]:
    """Results in the order of the tasks."""
    if jobs <= 1:
        yield from map(work, tasks)
        return
    from proof.pool import pool

    with pool(jobs) as workers:
        yield from workers.map(work, tasks, chunksize=1)


def _before() -> Mapping[str, Json]:
    """Figures of these worlds under the judge as it was before it was held against them; empty where none were kept."""
    import json

    path = Path(__file__).parent / BEFORE
    found: dict[str, Json] = json.loads(path.read_text(encoding="utf-8"))["worlds"] if path.is_file() else {}
    return found


def _plain(world: World, budget: Budget, results: Sequence[tuple[Task, Any]], earlier: Json | None) -> Json:
    """One world as JSON values."""
    from proof.noise import files, simulate
    from proof.noise.worlds import DESIGN
    from proof.rates import Rate

    of = {
        kind: [result for task, result in results if task.kind == kind] for kind in ("false_accepts", "needed", "odds", "files")
    }
    tally: simulate.Tally = {}
    for one in of["false_accepts"]:
        tally = simulate.add(tally, one)
    agreed = files.NONE
    for one in of["files"]:
        agreed = agreed + one
    won = next(result for task, result in results if task.kind == "wins")
    none = Rate(0, 0)
    return {
        "name": world.name, "says": world.says, "meets_assumptions": world.meets, "parameters": world.parameters(),
        "fitted_from": world.fitted_from, "campaigns": budget.campaigns, "candidates": DESIGN.candidates,
        "policies": [
            {
                "policy": policy, "per_claim": tally.get(f"claims/{policy}", none).plain(),
                "per_campaign": tally.get(f"campaigns/{policy}", none).plain(),
            }
            for policy in simulate.POLICIES
        ],
        "detections": detections(tally),
        "power": [
            {"policy": policy, "gain_pct": task.given[2], "accepted": result[policy].plain()}
            for task, result in results if task.kind == "power" for policy in simulate.POLICIES
        ],
        "true_wins": {
            "gain_pct": won["gain_pct"], "not_proven": won["not_proven"].plain(), "exactly": won["exactly"].plain(),
        },
        "launches_needed": [{**row, "power_there": row["power_there"].plain()} for row in of["needed"] if row is not None],
        "odds": [{**row, "seen": row["seen"].plain()} for row in of["odds"]],
        "files": {"pairs": agreed.agreed.n, "agreed": agreed.agreed.plain(), "disagreements": agreed.disagreements},
        "before": earlier,
    }  # fmt: skip


def detections(tally: Mapping[str, Any]) -> list[Json]:
    """Every rate of the tally that is no false accept: which gate noticed, of what."""
    found = []
    for name, rate in tally.items():
        gate, _, what = name.partition("/")
        if gate not in ("claims", "campaigns"):
            found.append({"gate": gate, "rate": rate.plain(), "of": what})
    return found
