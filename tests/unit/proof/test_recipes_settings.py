"""Recipes about settings, logs, attribution and engagement: each lie is caught by its id, each twin passes."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest

from audit import Verdict, audit_path
from proof.inject.bases import BASES
from proof.inject.confounds import VLLM_DEFAULTS, gain, put
from proof.inject.draft import Draft
from proof.inject.overlays import bind, off, overlay
from proof.inject.recipe import Recipe
from proof.inject.recipes import attribution, engagement, inforce, logs, settings
from proof.inject.shape import middle

MODULES = (attribution, engagement, inforce, logs, settings)
ALL = [recipe for module in MODULES for recipe in module.RECIPES]
MISSED: dict[str, str] = {}
"""Lies that the judge does not see today."""


def _base(recipe: Recipe) -> str:
    """Another base for each recipe, so that a quick sample covers all dialects; for an open miss the first one."""
    return recipe.bases[0 if recipe.name in MISSED else len(recipe.name) % len(recipe.bases)]


def _draft(recipe: Recipe, base: str, kind: str | None) -> Draft:
    draft, size = BASES[base].make(5), recipe.sizes[1]
    if kind is not None:
        edit = recipe.lie if kind == "lie" else recipe.twin
        edit(draft, size, random.Random(f"{recipe.name}:{size!r}:5"))
    return draft


def _judged(draft: Draft, place: Path) -> Verdict:
    [verdict] = audit_path(draft.write(place))
    return verdict


def _told(draft: Draft) -> str:
    """Everything that will be written, as text."""
    return repr((draft.launches, draft.request, draft.beside))


def _lies() -> list[object]:
    def marked(recipe: Recipe) -> list[pytest.MarkDecorator]:
        return [pytest.mark.xfail(strict=True, reason=MISSED[recipe.name])] if recipe.name in MISSED else []

    return [pytest.param(recipe, marks=marked(recipe), id=recipe.name) for recipe in ALL]


@pytest.mark.parametrize("recipe", _lies())
def test_a_lie_is_caught_by_its_id(recipe: Recipe, tmp_path: Path) -> None:
    """The verdict is low enough, and a finding that lowers it names a row of the taxonomy that the lie is."""
    verdict = _judged(_draft(recipe, _base(recipe), "lie"), tmp_path / "run")
    assert verdict.verdict in (("FAIL",) if recipe.critical else recipe.verdicts), verdict.reasons
    low = [item for item in verdict.findings if item.status in ("fail", "flag") or (item.status == "unknown" and item.required)]
    assert {name for item in low for name in item.ids} & set(recipe.ids), [(item.ids, item.reason) for item in low]


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.name)
def test_a_twin_passes(recipe: Recipe, tmp_path: Path) -> None:
    """The same surface without the lie is a proven gain, or a bundle of them."""
    verdict = _judged(_draft(recipe, _base(recipe), "twin"), tmp_path / "run")
    assert verdict.verdict == "PASS", verdict.reasons


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.name)
def test_lie_and_twin_differ_from_each_other_and_from_the_clean_run(recipe: Recipe) -> None:
    """On every base something moves, and not the same thing."""
    for base in recipe.bases:
        clean, lie, twin = (_told(_draft(recipe, base, kind)) for kind in (None, "lie", "twin"))
        assert clean != lie != twin != clean, base


def test_names_and_ids_are_many() -> None:
    """No name twice, and at least 35 rows of the taxonomy as the first id."""
    assert len({recipe.name for recipe in ALL}) == len(ALL)
    assert len({recipe.ids[0] for recipe in ALL}) >= 35


def test_vllm_lists_no_default() -> None:
    """A setting put back to vLLM's default leaves the list of non-default arguments of every launch."""
    draft = BASES["vllm-launches"].make(1)
    put(draft, "cand", {"max_num_batched_tokens": 32768})
    put(draft, "cand", {"max_num_batched_tokens": VLLM_DEFAULTS["max_num_batched_tokens"]})
    for launch in draft.leg("cand"):
        args = ast.literal_eval(launch.log[0].partition("non-default args: ")[2])
        assert "max_num_batched_tokens" not in args and args["attention_backend"] == "TRITON_ATTN"


@pytest.mark.parametrize("name", BASES)
def test_a_gain_is_what_was_asked_for(name: str) -> None:
    """The medians of the legs lie that many percent apart, within their noise."""
    draft = BASES[name].make(3)
    gain(draft, 8.0)
    assert middle(draft, "cand") / middle(draft, "ref") == pytest.approx(1.08, abs=0.015)


@pytest.mark.parametrize("name", BASES)
def test_a_third_leg_stands_where_it_was_put(name: str, tmp_path: Path) -> None:
    """As many launches and repeats as the candidate, half of its gain, the reference's settings; nothing is damaged."""
    draft = BASES[name].make(3)
    rng = random.Random(1)
    overlay(draft, rng)
    bind(draft)
    off(draft, rng, 0.5)
    assert [len(launch.rows) for launch in draft.leg("off")] == [len(launch.rows) for launch in draft.leg("cand")]
    slow, half, fast = (middle(draft, leg) for leg in ("ref", "off", "cand"))
    assert half == pytest.approx((slow * fast) ** 0.5, rel=0.015)
    verdict = _judged(draft, tmp_path / "run")
    assert not [item for item in verdict.findings if item.situation == "damaged"]
    assert verdict.verdict == "FLAG", verdict.reasons
