"""Planted lies: recipes that edit a clean run, each beside an honest twin with the same surface and no lie.

for recipe in recipes.every(): ...
draft = bases.BASES["sglang-launches"].make(seed)
recipe.lie(draft, size, random.Random(seed))
draft.write(folder)
"""

from __future__ import annotations

from proof.inject.draft import Draft, Launch
from proof.inject.recipe import Recipe, every

__all__ = ["Draft", "Launch", "Recipe", "every"]
