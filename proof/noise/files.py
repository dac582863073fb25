"""Holds simulated decisions against whole audits: the same pairs, written as run directories and judged from disk."""

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
EVERY = 10
"""One campaign in so many is also judged by the command line, and under the strict policy."""

COMMAND = (sys.executable, "-c", "import sys; from workflow.cli import main; sys.exit(main())")
"""The command ``countersign`` of this installation."""


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


def campaigns_for(pairs: int) -> list[int]:
    """So many pairs as campaigns: how many candidates of each are written."""
    return [min(DESIGN.candidates, pairs - done) for done in range(0, pairs, DESIGN.candidates)]


def agree_one(world: World, seed: int, place: int, first: int = DESIGN.candidates, folder: str | None = None) -> Agreement:
    """The first candidates of one campaign: do verdict and outcome agree, pair by pair?

    They are drawn, decided, written below ``folder``, audited and removed. One campaign in ``EVERY`` is also audited by
    ``countersign audit --format json`` in a process of its own, which must print what the library said, and under the strict
    policy, which must decide as its simulation does.
    """
    gain = GAINS[place % len(GAINS)]
    chunk = draw(world, Plan(1, gain), seed_of(world, seed, "files", place))
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        run = campaign(Path(temporary), chunk, 0, first)
        thorough = (place + zlib.crc32(world.name.encode())) % EVERY == 0
        return compare(world, chunk.pairs(0)[:first], run, f"campaign {place}", thorough=thorough)


def compare(world: World, pairs: Sequence[Pair], run: Path, name: str, *, thorough: bool) -> Agreement:
    """Decisions on these pairs against the audit of a run directory; ``thorough`` asks the command and the strict policy too."""
    from audit import as_plain, audit_path

    def simulated(*, strict: bool) -> list[Decision]:
        return [judge(pair, world, DESIGN.alpha_per_look, strict=strict).decision for pair in pairs]

    found = printed = [as_plain(item) for item in audit_path(run)]
    readings = [("audit", simulated(strict=False), found)]
    if thorough:
        by_strict = [as_plain(item) for item in audit_path(run, "strict")]
        readings.append(("audit under the strict policy", simulated(strict=True), by_strict))
        printed = by_command(run)
    words = []
    for at in range(len(pairs)):
        wrong = [
            f"simulated {want[at].verdict}/{want[at].outcome}, {reader} says {item[at]['verdict']}/{item[at]['outcome']} "
            f"({' '.join(item[at]['reasons'])[:120]})"
            for reader, want, item in readings
            if (item[at]["verdict"], item[at]["outcome"]) != (want[at].verdict, want[at].outcome)
        ]
        if printed[at] != found[at]:
            wrong.append("the command line prints another verdict than the library returns")
        if wrong:
            words.append(f"{world.name}, {name}, candidate {at + 1}: {'; '.join(wrong)}")
    return Agreement(Rate(len(pairs) - len(words), len(pairs)), words[:SHOWN])


def by_command(run: Path) -> list[dict[str, Any]]:
    """What ``countersign audit RUN --format json`` prints. Raises RuntimeError when it judged nothing."""
    command = [*COMMAND, "audit", str(run), "--format", "json", "--fail-on", "never"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"countersign audit ended with {done.returncode}: {done.stderr[-300:]}")
    found = json.loads(done.stdout)
    return found if isinstance(found, list) else [found]


def agree(world: World, pairs: int, seed: int, folder: Path | None = None) -> Agreement:
    """So many pairs of a world, in this process."""
    whole = NONE
    for place, first in enumerate(campaigns_for(pairs)):
        whole = whole + agree_one(world, seed, place, first, None if folder is None else str(folder))
    return whole
