"""The cases of a proof: recipes spread over their bases and sizes, clean runs, and the runs that ship."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zlib import crc32

from proof.inject import recipe as recipes
from proof.inject.bases import BASES, Base
from proof.inject.recipe import Recipe

Kind = Literal["lie", "twin", "win", "recorded"]
WINS = {"quick": 4, "full": 20}
"""Seeds of every clean run that is audited as it is."""


@dataclass(frozen=True, order=True)
class Case:
    """One run directory to audit."""

    kind: Kind
    recipe: str
    """Name of the recipe; of the base for a win; of the folder for a recorded run."""
    base: str
    size: float
    seed: int

    @property
    def id(self) -> str:
        """An opaque name: it is all that the judge could read of a case."""
        words = f"{self.kind}|{self.recipe}|{self.base}|{self.size!r}|{self.seed}"
        return hashlib.sha256(words.encode()).hexdigest()[:12]


def bases() -> dict[str, Base]:
    """Every clean run, those that recipes bring along included."""
    return {**BASES, **recipes.extra_bases()}


def planted(mode: Literal["quick", "full"], seed: int) -> list[Case]:
    """Lies and twins. Full: every size on every base. Quick: every size of each recipe once.

    In quick mode the bases rotate from recipe to recipe, so that all pairs of size and base occur over the whole.
    """
    spread = [(item, size, base) for place, item in enumerate(recipes.every()) for size, base in _spread(item, place, mode)]
    both: tuple[Kind, ...] = ("lie", "twin")
    return [Case(kind, item.name, base, size, seed + crc32(item.name.encode())) for item, size, base in spread for kind in both]


def _spread(item: Recipe, place: int, mode: Literal["quick", "full"]) -> list[tuple[float, str]]:
    if mode == "full":
        return [(size, base) for base in item.bases for size in item.sizes]
    return [(size, item.bases[(n + place) % len(item.bases)]) for n, size in enumerate(item.sizes)]


def wins(mode: Literal["quick", "full"], seed: int) -> list[Case]:
    """Clean runs of a true gain as they are."""
    return [Case("win", name, name, 0.0, seed + n) for name in bases() for n in range(WINS[mode])]


def recorded(runs: Path) -> list[Case]:
    """The runs that ship."""
    return [Case("recorded", path.name, path.name, 0.0, 0) for path in sorted(runs.iterdir()) if path.is_dir()]


def write(case: Case, folder: Path) -> Path:
    """Write a planted or clean case below ``folder`` under its opaque name; what to audit. Raises KeyError for a recorded one."""
    draft = bases()[case.base].make(case.seed)
    if case.kind != "win":
        item = {item.name: item for item in recipes.every()}[case.recipe]
        edit = item.lie if case.kind == "lie" else item.twin
        edit(draft, case.size, random.Random(f"{case.recipe}:{case.size!r}:{case.seed}"))
    return draft.write(folder / case.id)
