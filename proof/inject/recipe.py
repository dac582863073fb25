"""A recipe: one lie, its honest twin, and what the judge must say of both."""

from __future__ import annotations

import importlib
import pkgutil
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from proof.inject.bases import Base
from proof.inject.draft import Draft

Edit = Callable[[Draft, float, random.Random], None]
"""Changes a draft in place, by so much, with these draws."""


@dataclass(frozen=True)
class Recipe:
    """One way to lie about a clean run, in three sizes.

    ``lie`` and ``twin`` get a fresh draft of the same base and seed, the same size and equal generators.
    """

    name: str
    """Words joined by hyphens; stands in the answer key: ``shorter-answers``."""
    ids: tuple[str, ...]
    """Rows of the taxonomy that this lie is; the judge must name one of them."""
    field: str
    """Who writes the field that decides it, and which: ``sglang row: total_output_tokens``."""
    bases: tuple[str, ...]
    """Names of the clean runs it can be told about (``bases.BASES``)."""
    sizes: tuple[float, float, float]
    """Small but worth lying about, usual, gross; the unit is the recipe's own and stands in ``says``."""
    says: str
    """What the lie is, with the meaning of its size, in one sentence."""
    lie: Edit
    twin: Edit
    critical: bool = False
    """True when believing it banks a gain that is not there or not the change's: the verdict must be FAIL."""
    verdicts: tuple[str, ...] = ("FAIL", "FLAG")
    """Verdicts that count as caught."""


def nothing(_draft: Draft, _size: float, _rng: random.Random) -> None:
    """The twin of a lie whose surface is a clean run."""


def every() -> tuple[Recipe, ...]:
    """All recipes in the order of their names. Raises ValueError where two share one."""
    found: dict[str, Recipe] = {}
    for module in _modules():
        for recipe in module.RECIPES:
            if recipe.name in found:
                raise ValueError(f"two recipes are called {recipe.name!r}")
            found[recipe.name] = recipe
    return tuple(found[name] for name in sorted(found))


def extra_bases() -> dict[str, Base]:
    """Clean runs that recipes bring along, for scopes of their own."""
    found: dict[str, Base] = {}
    for module in _modules():
        found |= getattr(module, "EXTRA_BASES", {})
    return dict(sorted(found.items()))


@cache
def _modules() -> tuple[ModuleType, ...]:
    from proof.inject import recipes

    return tuple(importlib.import_module(f"{recipes.__name__}.{item.name}") for item in pkgutil.iter_modules(recipes.__path__))
