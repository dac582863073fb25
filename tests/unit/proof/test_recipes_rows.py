"""Recipes about rows, series, work and seals: each lie changes the run and is caught, each twin passes. One base, one size."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import audit_path
from audit.contract import Verdict
from proof.cases import bases
from proof.inject import edits, shape
from proof.inject.draft import Draft
from proof.inject.recipe import Edit, Recipe
from proof.inject.recipes import counts, loads, machine, order, rows, sealed, series, work

MODULES = (series, order, machine, counts, work, rows, loads, sealed)
ALL = tuple(recipe for module in MODULES for recipe in module.RECIPES)
OPEN: dict[str, str] = {}
"""Recipes that the judge does not catch yet, or not by name: what it would have to look at."""


QUICK = ("vllm-files", "sglang-flat")
"""Bases whose runs are small, where a recipe can be told of one of them."""


def _draft(recipe: Recipe, seed: int = 0) -> Draft:
    name = next((base for base in QUICK if base in recipe.bases), recipe.bases[0])
    return bases()[name].make(seed)


def _written(recipe: Recipe, edit: Edit | None, folder: Path) -> Path:
    draft = _draft(recipe)
    if edit is not None:
        edit(draft, recipe.sizes[1], random.Random(recipe.name))
    return draft.write(folder)


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def _ids(verdict: Verdict) -> set[str]:
    lowers = (
        item for item in verdict.findings if item.status in ("fail", "flag") or (item.status == "unknown" and item.required)
    )
    return {name for item in lowers for name in item.ids}


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.name)
def test_a_lie_and_its_twin_change_the_run_and_differ(recipe: Recipe, tmp_path: Path) -> None:
    """What is written differs from the clean run and from the other; the same seed writes the same bytes."""
    clean = dict(_files(_written(recipe, None, tmp_path / "clean")))
    lie = dict(_files(_written(recipe, recipe.lie, tmp_path / "lie")))
    twin = dict(_files(_written(recipe, recipe.twin, tmp_path / "twin")))
    assert lie != clean
    assert twin not in (clean, lie)
    assert lie == dict(_files(_written(recipe, recipe.lie, tmp_path / "again")))


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.name)
def test_the_twin_passes(recipe: Recipe, tmp_path: Path) -> None:
    """The same surface without the lie is proven."""
    (verdict,) = audit_path(_written(recipe, recipe.twin, tmp_path / "run"))
    assert verdict.verdict == "PASS", verdict.reasons


@pytest.mark.parametrize("recipe", [item for item in ALL if item.name not in OPEN], ids=lambda recipe: recipe.name)
def test_the_lie_is_caught_by_name(recipe: Recipe, tmp_path: Path) -> None:
    """The verdict is lowered as far as it must be, by a finding with one of the recipe's ids."""
    (verdict,) = audit_path(_written(recipe, recipe.lie, tmp_path / "run"))
    assert verdict.verdict in (("FAIL",) if recipe.critical else recipe.verdicts), verdict.reasons
    assert _ids(verdict) & set(recipe.ids)


def test_names_are_unique_and_sizes_grow_more_gross() -> None:
    """No two recipes share a name; the three sizes are in one order; every base is known."""
    assert len({recipe.name for recipe in ALL}) == len(ALL)
    for recipe in ALL:
        assert len(set(recipe.sizes)) == 3
        assert list(recipe.sizes) in (sorted(recipe.sizes), sorted(recipe.sizes, reverse=True)), recipe.name
        assert set(recipe.bases) <= set(bases()), recipe.name
    assert set(OPEN) <= {recipe.name for recipe in ALL}


@pytest.mark.parametrize("base", sorted(shape.GAINS))
def test_without_its_gain_the_candidate_is_the_reference(base: str) -> None:
    """``no_gain`` leaves medians that differ by noise alone, far less than the gain was."""
    draft = bases()[base].make(3)
    assert shape.middle(draft, "cand") / shape.middle(draft, "ref") == pytest.approx(shape.GAINS[base], rel=0.02)
    shape.no_gain(draft)
    assert shape.middle(draft, "cand") / shape.middle(draft, "ref") == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("base", sorted(shape.GAINS))
def test_fewer_requests_keep_the_rate(base: str) -> None:
    """Half of the requests last half as long at the same throughput, and every identity holds: the run is damaged nowhere."""
    draft = bases()[base].make(4)
    before = [(row["output_throughput"], row["completed"], row["duration"]) for row in draft.rows("ref")]
    shape.fewer(draft, 0.5)
    for row, (tok_s, completed, duration) in zip(draft.rows("ref"), before, strict=True):
        assert row["output_throughput"] == pytest.approx(tok_s, rel=1e-9)
        assert (row["completed"], row["duration"]) == (completed / 2, pytest.approx(duration / 2))


@pytest.mark.parametrize("base", sorted(shape.GAINS))
def test_other_latencies_leave_no_damage(base: str, tmp_path: Path) -> None:
    """TTFT and TPOT of a leg change by their factor; what belongs to them follows, so no row contradicts itself."""
    draft = bases()[base].make(5)
    before = draft.rows("cand")[0]["median_ttft_ms"]
    shape.wait(draft, "cand", 0.7)
    shape.pace(draft, "cand", 0.8)
    assert draft.rows("cand")[0]["median_ttft_ms"] == pytest.approx(0.7 * before)
    (verdict,) = audit_path(draft.write(tmp_path / "run"))
    assert verdict.verdict == "PASS", verdict.reasons


def test_further_launches_are_measured_like_the_others(tmp_path: Path) -> None:
    """Launches that are added stand in turns in the plan, with rows of their own."""
    for base in ("ours", "sglang-launches", "vllm-launches"):
        draft = bases()[base].make(6)
        shape.more_launches(draft, 2, random.Random(1))
        assert [launch.leg for launch in draft.launches if launch.leg != "aa"] == shape.turns(5)
        (verdict,) = audit_path(draft.write(tmp_path / base))
        assert verdict.verdict == "PASS", verdict.reasons


def test_dates_follow_the_order_of_measuring() -> None:
    """vLLM's dates rise through the whole run, with the pause where it was asked for."""
    draft = bases()["vllm-files"].make(7)
    shape.stamp(draft, {5: 600.0})
    dates = [row["date"] for launch in draft.launches for row in launch.rows]
    assert dates == sorted(dates)
    assert dates[4][:8] == dates[5][:8]
    assert int(dates[5][9:11]) - int(dates[4][9:11]) == 10


def test_a_speed_that_is_set_is_the_speed_of_the_row() -> None:
    """``tune`` gives a repeat exactly this throughput and leaves its tokens alone."""
    draft = bases()["ours"].make(8)
    launch = draft.leg("ref")[0]
    tokens = launch.rows[0]["total_output_tokens"]
    shape.tune(draft, launch, 0, 900.0)
    assert launch.rows[0]["output_throughput"] == pytest.approx(900.0)
    assert launch.rows[0]["total_output_tokens"] == tokens
    edits.recompute(launch)
    assert launch.rows[0]["output_throughput"] == pytest.approx(900.0)
