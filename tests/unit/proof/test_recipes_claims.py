"""Recipes about claim files, probes, operator benchmarks, profiles: each lie is caught, each twin passes. One base, one size."""

from __future__ import annotations

import gzip
import json
import random
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import audit_path
from audit.contract import Verdict
from proof.cases import bases
from proof.inject import benches, claimed, probes, texts, traces
from proof.inject.recipe import Edit, Recipe
from proof.inject.recipes import (
    answers,
    claims,
    correctness,
    kernel_outputs,
    kernel_sources,
    kernels,
    profile_tables,
    profiles,
    reports,
)

MODULES = (claims, reports, correctness, answers, kernels, kernel_outputs, kernel_sources, profiles, profile_tables)
ALL = tuple(recipe for module in MODULES for recipe in module.RECIPES)
OPEN = {
    "invented-log-quote": "engagement_evidence against the log that it quotes",
    "other-client-in-one-leg": "caught, as a confound: two clients in two legs",
    "probed-elsewhere": "base_url of every item, not only where all agree",
    "layers-left-out": "caught, without an id where the broken texts do not loop",
    "computed-once": "iterations that are almost nothing beside the first",
    "one-launch-for-many-calls": "iterations that are almost nothing beside the others",
    "one-output-for-many-inputs": "outputs that repeat in some of the iterations",
    "constant-output": "a variance far below the reference's",
    "outputs-of-the-baseline": "outputs bit for bit at some of the shapes",
}
"""Recipes whose usual size the judge does not catch yet, or not by name: what it would have to look at."""
QUICK = ("vllm-files", "sglang-flat", "ours")
"""Bases whose runs are small, where a recipe can be told of one of them."""


def _written(recipe: Recipe, edit: Edit | None, folder: Path) -> Path:
    name = next((base for base in QUICK if base in recipe.bases), recipe.bases[-1])
    draft = bases()[name].make(0)
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
    """The same surface without the lie passes."""
    (verdict,) = audit_path(_written(recipe, recipe.twin, tmp_path / "run"))
    assert verdict.verdict == "PASS", verdict.reasons


@pytest.mark.parametrize("recipe", [item for item in ALL if item.name not in OPEN], ids=lambda recipe: recipe.name)
def test_the_lie_is_caught_by_name(recipe: Recipe, tmp_path: Path) -> None:
    """The verdict is lowered as far as it must be, by a finding with one of the recipe's ids."""
    (verdict,) = audit_path(_written(recipe, recipe.lie, tmp_path / "run"))
    assert verdict.verdict in (("FAIL",) if recipe.critical else recipe.verdicts), verdict.reasons
    assert _ids(verdict) & set(recipe.ids)


def test_names_are_unique_and_sizes_grow_more_gross() -> None:
    """No two recipes share a name; the three sizes are in one order; every base is known; forty lies and more."""
    assert len({recipe.name for recipe in ALL}) == len(ALL)
    for recipe in ALL:
        assert len(set(recipe.sizes)) == 3
        assert list(recipe.sizes) in (sorted(recipe.sizes), sorted(recipe.sizes, reverse=True)), recipe.name
        assert set(recipe.bases) <= set(bases()), recipe.name
    assert set(OPEN) <= {recipe.name for recipe in ALL}
    assert len({recipe.ids[0] for recipe in ALL}) >= 40


@pytest.mark.parametrize("name", [*benches.EXTRA_BASES, *traces.EXTRA_BASES, *reports.EXTRA_BASES])
def test_clean_runs_of_other_scopes_pass(name: str, tmp_path: Path) -> None:
    """What the recipes start from is sound with several seeds, and the seed decides it whole."""
    for seed in range(5):
        (verdict,) = audit_path(bases()[name].make(seed).write(tmp_path / f"{seed}"))
        assert verdict.verdict == "PASS", verdict.reasons
    again = bases()[name].make(0).write(tmp_path / "again")
    assert dict(_files(again)) == dict(_files(tmp_path / "0"))
    assert dict(_files(again)) != dict(_files(tmp_path / "1"))


@pytest.mark.parametrize("base", ["ours", "sglang-launches", "vllm-files"])
def test_claims_are_those_of_the_rows(base: str) -> None:
    """Every level and gain that is told is computed from the rows, to the digits it is written with."""
    draft = bases()[base].make(1)
    told = claimed.tell(draft, 3)
    ref, cand = (statistics.median(row["output_throughput"] for row in draft.rows(leg)) for leg in ("ref", "cand"))
    assert told.get(claimed.INTEGRATE, "cand_med") == pytest.approx(cand, abs=5.1e-4)
    assert told.get(claimed.INTEGRATE, "e2e_delta_pct") == pytest.approx(100 * (cand / ref - 1), abs=5.1e-3)
    assert told.get("cand/bench_summary.json", "runs") == len(draft.rows("cand"))
    told.put(claimed.SWEEP, "trials.1.kept", value=True)
    assert draft.beside[next(name for name in draft.beside if name.endswith(claimed.SWEEP))]["trials"][1]["kept"] is True


def test_a_graded_task_moves_as_many_items_as_it_says() -> None:
    """``moved`` loses and wins exactly so many; the summary of the file is that of its items."""
    rng = random.Random(5)
    before = probes.wrong(400, 0.15, rng)
    after = probes.moved(before, 400, 9, 4, rng)
    assert (len(before), len(after - before), len(before - after)) == (60, 9, 4)
    draft = bases()["sglang-flat"].make(0)
    value = probes.graded(draft, "cand", probes.items(400, after))
    assert (value["summary"]["correct"], value["summary"]["exact_match"]) == (335, 0.8375)
    assert sum(item["pred"] == item["gold"] for item in value["results"]) == 335


def test_damaged_texts_are_real_decodes() -> None:
    """Damaged answers are taken from the recorded decodes; a circle exchanges words, a loop repeats its end."""
    rng = random.Random(6)
    found = texts.damaged(("noise 1.0", "keys scrambled"), 5, rng)
    known = {item.answer for name in ("noise 1.0", "keys scrambled") for item in texts.decodes(name)}
    assert set(found) <= known
    assert len(texts.sound(rng)) == texts.DOZEN
    assert texts.looping("one two three", 2) == "one two three two three two three "
    assert len(set(texts.circling(rng).split(". "))) > 5


def test_times_of_a_benchmark_follow_its_edits() -> None:
    """``faster`` gives the speed-up that it says; ``retime`` reduces what it wrote; a new source has its digest."""
    for name in benches.EXTRA_BASES:
        draft = bases()[name].make(2)
        benches.faster(draft, 2.5)
        told = benches.told(draft)
        assert (told["speedup"] if name == benches.RECORD else told["isolated_speedup"]) == pytest.approx(2.5, rel=1e-3)
    benches.retime(draft, lambda number, ms: 2 * ms if number == 0 else ms)
    for row in benches.rows(draft):
        assert row["device_ms"][0] > 1.9 * row["device_ms"][1]
        assert row["reported_ms"] == pytest.approx(statistics.median(row["device_ms"]))
    benches.source(draft, "pass\n")
    assert {row["file_sha256"] for row in benches.rows(draft)} == {benches.told(draft)["candidate"]["sha256"]}


def test_the_table_is_made_of_the_trace() -> None:
    """Calls, times and shares of the table are those of the trace's kernels."""
    draft = bases()[traces.GRAPHS].make(3)
    seen = traces.window(draft)
    files = traces.rendered(seen, {})
    trace = json.loads(gzip.decompress(files[f"{traces.FOLDER}/run-TP-0.trace.json.gz"]))
    kernels_seen = [event for event in trace["traceEvents"] if event["cat"] == "kernel"]
    first = files[f"{traces.FOLDER}/profile_topN.json"]["top_kernels"][0]
    mine = [event["dur"] for event in kernels_seen if event["name"] == first["name"]]
    assert (first["name"], first["calls"]) == (traces.ATTN, len(mine))
    assert first["total_ms"] == pytest.approx(sum(mine) / 1000, abs=1e-3)
    assert first["pct_gpu_time"] == pytest.approx(100 * sum(mine) / sum(event["dur"] for event in kernels_seen), abs=0.05)
    with pytest.raises(TypeError, match="has no profile"):
        traces.window(bases()["sglang-flat"].make(0))
