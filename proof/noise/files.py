"""Holds simulated decisions against whole audits: the same pairs, written as run directories and judged by the command."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from proof.noise.decide import judge
from proof.noise.draw import Pair, Plan, draw, seed_of
from proof.noise.worlds import DESIGN, World
from proof.noise.writing import campaign
from proof.rates import Rate

if TYPE_CHECKING:
    from audit.verdict import Decision

SHOWN = 5
"""Disagreements that are put into words."""
GAINS = (0.0, 0.0, 1.0, 3.0, 6.0, 12.0)
"""True gains, percent, of campaigns in turn: pairs of every outcome."""
BATCH = 20
"""Campaigns that are given to one command."""
EVERY = 5
"""The first campaign of one batch in so many is also judged under the strict policy, and by ``countersign audit``."""
LIMIT_S = 900

COMMAND = (sys.executable, "-c", "import sys; from workflow.cli import main; sys.exit(main())")
"""The command ``countersign`` of this installation."""
Json = dict[str, Any]


class Agreement(NamedTuple):
    """Decisions that agree, and those that do not, in words."""

    agreed: Rate
    disagreements: list[str]

    def __add__(self, other: object) -> Agreement:
        """Both together; only so many words are kept."""
        if not isinstance(other, Agreement):
            return NotImplemented
        return Agreement(self.agreed + other.agreed, [*self.disagreements, *other.disagreements][:SHOWN])


NONE = Agreement(Rate(0, 0), [])


class Place(NamedTuple):
    """One campaign of a world: its number, and how many of its candidates are written."""

    number: int
    first: int = DESIGN.candidates


class Written(NamedTuple):
    """A campaign on disk, and the pairs it was written from."""

    name: str
    pairs: Sequence[Pair]
    run: Path


def batches(pairs: int) -> list[list[Place]]:
    """So many pairs as campaigns, in batches; the last campaign may be written in part."""
    size = DESIGN.candidates
    places = [Place(number, min(size, pairs - done)) for number, done in enumerate(range(0, pairs, size))]
    return [places[at : at + BATCH] for at in range(0, len(places), BATCH)]


def agree(world: World, seed: int, places: Sequence[Place], folder: str | None = None) -> Agreement:
    """A batch of campaigns: do verdict and outcome agree, pair by pair?

    They are drawn, decided, written below ``folder``, judged by ``countersign replay`` and removed.
    """
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        written = []
        for place in places:
            chunk = draw(world, Plan(1, GAINS[place.number % len(GAINS)]), seed_of(world, seed, "files", place.number))
            run = campaign(Path(temporary) / f"{place.number:04d}", chunk, 0, place.first)
            written.append(Written(f"campaign {place.number}", chunk.pairs(0)[: place.first], run))
        thorough = (places[0].number // BATCH + zlib.crc32(world.name.encode())) % EVERY == 0
        return compare(world, written, thorough=thorough)


def compare(world: World, written: Sequence[Written], *, thorough: bool) -> Agreement:
    """Decisions on these pairs against what the command says of their campaigns.

    ``thorough``: the first of them is judged under the strict policy too, which must decide as its simulation does, and by
    ``countersign audit``, which must say what ``replay`` said.
    """
    found = replayed([item.run for item in written])
    whole = NONE
    for at, item in enumerate(written):
        readings = [("replay", _simulated(world, item.pairs, strict=False), found[at])]
        printed = found[at]
        if thorough and at == 0:
            (strictly,) = replayed([item.run], "strict")
            readings.append(("replay under the strict policy", _simulated(world, item.pairs, strict=True), strictly))
            printed = audited(item.run)
        whole = whole + _agreement(f"{world.name}, {item.name}", readings, printed)
    return whole


def _simulated(world: World, pairs: Sequence[Pair], *, strict: bool) -> list[Decision]:
    return [judge(pair, world, DESIGN.alpha_per_look, strict=strict).decision for pair in pairs]


def _agreement(name: str, readings: Sequence[tuple[str, list[Decision], list[Json]]], printed: Sequence[Json]) -> Agreement:
    """One campaign, pair by pair, by every reading; ``printed`` must be what the first reading found."""
    words = []
    count = len(readings[0][1])
    for at in range(count):
        wrong = [
            f"simulated {want[at].verdict}/{want[at].outcome}, {reader} says {item[at]['verdict']}/{item[at]['outcome']} "
            f"({' '.join(item[at]['reasons'])[:120]})"
            for reader, want, item in readings
            if (item[at]["verdict"], item[at]["outcome"]) != (want[at].verdict, want[at].outcome)
        ]
        if printed[at] != readings[0][2][at]:
            wrong.append("countersign audit prints another verdict than countersign replay")
        if wrong:
            words.append(f"{name}, candidate {at + 1}: {'; '.join(wrong)}")
    return Agreement(Rate(count - len(words), count), words[:SHOWN])


def replayed(runs: Sequence[Path], policy: str = "default") -> list[list[Json]]:
    """What ``countersign replay`` says of each run, in their order. Raises RuntimeError when it could not judge one."""
    paths = [str(run) for run in runs]
    page = _command(["replay", *paths, "--jobs", "1", "--policy", policy, "--format", "json"])
    said = {Path(item["run"]).name: item for item in page["runs"]}
    lost = [item["error"]["message"] for item in page["runs"] if item["error"]]
    if lost or len(said) != len(runs):
        raise RuntimeError(f"countersign replay judged {len(said) - len(lost)} of {len(runs)} campaigns: {' '.join(lost)[:300]}")
    return [said[run.name]["verdicts"] for run in runs]


def audited(run: Path) -> list[Json]:
    """What ``countersign audit RUN --format json`` prints. Raises RuntimeError when it judged nothing."""
    found = _command(["audit", str(run), "--format", "json", "--fail-on", "never"])
    return found if isinstance(found, list) else [found]


def _command(words: Sequence[str]) -> Any:  # noqa: ANN401 - any JSON value
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, timeout=LIMIT_S)
    if done.returncode != 0:
        raise RuntimeError(f"countersign {words[0]} ended with {done.returncode}: {done.stderr[-300:]}")
    return json.loads(done.stdout)
