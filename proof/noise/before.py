"""Keeps the figures of an earlier judge beside those of today's: ``python -m proof.noise.before CAMPAIGNS WORDS``.

Run it with that judge's ``audit`` first on PYTHONPATH. It writes before.json: false accepts of the default policy and what
noticed, in every world, and in words which judge it was.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proof.noise import BEFORE, QUICK, Task, detections, work
from proof.noise.simulate import CHUNK, Tally, add
from proof.noise.worlds import worlds
from proof.pool import pool

SCHEMA = "countersign.before/1"  # 1: first form


def tallies(campaigns: int, jobs: int) -> Iterator[tuple[str, Tally]]:
    """Name and tally of each world; the seed is that of every proof."""
    tasks = [
        Task("false_accepts", world.name, (min(CHUNK, campaigns - start), QUICK.seed, start // CHUNK))
        for world in worlds()
        for start in range(0, campaigns, CHUNK)
    ]
    found: dict[str, Tally] = {}
    with pool(jobs) as workers:
        for task, tally in zip(tasks, workers.map(work, tasks), strict=True):
            found[task.world] = add(found.get(task.world, {}), tally)
    yield from found.items()


def main() -> None:
    """Write before.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("campaigns", type=int)
    parser.add_argument("words", help="which judge it was")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / BEFORE)
    given = parser.parse_args()
    found: dict[str, Any] = {
        name: {"per_campaign": tally["campaigns/default"].plain(), "detections": detections(tally)}
        for name, tally in tallies(given.campaigns, os.cpu_count() or 1)
    }
    plain = {"schema": SCHEMA, "judge": given.words, "campaigns": given.campaigns, "worlds": found}
    given.out.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
