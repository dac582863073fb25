"""The answer key is frozen: its labels change only with a dated correction, and this page pins every digest it ever had."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import msgspec
import pytest
import yaml

from audit import known_lies
from audit.verdict import PASSED, TABLE
from proof import cases, key
from proof.inject import recipe as recipes
from proof.key import ROWS, Answer, Key, KeyFaultError, Label, right

ROOT = Path(__file__).resolve().parents[3]
PINNED: list[str] = [
    "456eaca66da3dfae0fd4b96f014e95811e5ec22f61e6d6b0683ad335af435406",
    "2345ff6b5b0996fe988c449d8e5ba67dc184083d55e702048a8f9e42ccee7517",
    "7b0627abfbf695ab3d0384d86b81a2b17f854948f8aee795981a3faf52f29c8c",
]
"""The digest when frozen, then that of each correction, oldest first. Only ever append."""


def test_the_labels_are_those_of_the_newest_pinned_digest() -> None:
    """Whoever changes a label must write a correction into the key and append its digest here."""
    assert key.load().digests == PINNED


def test_corrections_are_dated_and_say_why() -> None:
    """Each names labels that exist, a date and a reason of at least a sentence."""
    loaded = key.load()
    names = {*loaded.planted, *loaded.recorded}
    for item in loaded.corrections:
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", item.date)
        assert item.labels and len(item.why) > 40
        assert all(label.partition("/")[0] in names for label in item.labels), item.labels


def test_a_changed_label_is_refused(tmp_path: Path) -> None:
    """One id added without a correction: the key does not load."""
    raw = yaml.safe_load((ROOT / "proof/key.yaml").read_text(encoding="utf-8"))
    first = next(iter(raw["planted"].values()))
    first["lie"]["any_of"] = ["M01", "M02", "M03"]
    (tmp_path / "key.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    with pytest.raises(KeyFaultError, match="dated entry"):
        key.load(tmp_path / "key.yaml")


def test_a_key_that_is_no_key_is_refused(tmp_path: Path) -> None:
    """Unknown fields, another schema, no file."""
    with pytest.raises(KeyFaultError, match="cannot be read"):
        key.load(tmp_path / "none.yaml")
    (tmp_path / "key.yaml").write_text("schema: x\nfrozen: y\nplanted: {}\nrecorded: {}\nmore: 1\n")
    with pytest.raises(KeyFaultError, match="more"):
        key.load(tmp_path / "key.yaml")
    (tmp_path / "key.yaml").write_text("schema: x\nfrozen: y\nplanted: {}\nrecorded: {}\n")
    with pytest.raises(KeyFaultError, match="schema 'x'"):
        key.load(tmp_path / "key.yaml")


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """YAML would take the later one: a label that a reader sees and no digest covers."""
    text = (ROOT / "proof/key.yaml").read_text(encoding="utf-8")
    name = next(iter(key.load().planted))
    twice = text.replace("planted:\n", f"planted:\n  {name}: {{}}\n", 1)
    (tmp_path / "key.yaml").write_text(twice, encoding="utf-8")
    with pytest.raises(KeyFaultError, match="stands twice"):
        key.load(tmp_path / "key.yaml")


def test_every_recipe_and_every_shipped_run_has_its_labels() -> None:
    """No lie without an answer, no answer without a lie; every folder in raw_runs is in the key."""
    loaded = key.load()
    assert set(loaded.planted) == {item.name for item in recipes.every()}
    assert set(loaded.recorded) == {path.name for path in (ROOT / "raw_runs").iterdir() if path.is_dir()}


def test_labels_agree_with_their_recipes_and_the_taxonomy() -> None:
    """Ids exist; the lie's ids are the recipe's; twins must pass and must not name the lie; critical means FAIL."""
    loaded, known = key.load(), {lie.id for lie in known_lies()}
    for item in recipes.every():
        labels = loaded.planted[item.name]
        assert set(labels.lie.any_of) == set(item.ids) <= known, item.name
        assert labels.lie.critical == item.critical, item.name
        assert set(labels.lie.verdicts) <= set(item.verdicts), item.name
        assert not item.critical or labels.lie.verdicts == ["FAIL"], item.name
        assert labels.twin.verdicts == ["PASS"] and set(labels.twin.must_not) >= set(item.ids), item.name


def test_the_rows_of_the_key_are_those_of_the_decision_table() -> None:
    """The key speaks of the same rows as the auditor decides by."""
    assert {name: tuple(row) for name, row in TABLE.items()} | {"passed": tuple(PASSED)} == ROWS


def test_at_least_eighty_ids_are_planted_in_three_sizes_each_over_several_bases() -> None:
    """Counted over first ids: what a lie mainly is. Quick takes every size; full every size on every base."""
    planted = cases.planted("quick", 1)
    lies = [case for case in planted if case.kind == "lie"]
    by_recipe = {item.name: item for item in recipes.every()}
    ids = {by_recipe[case.recipe].ids[0] for case in lies}
    assert len(ids) >= 80
    for item in by_recipe.values():
        mine = [case for case in lies if case.recipe == item.name]
        assert [case.size for case in mine] == list(item.sizes) and len(mine) == 3, item.name
        assert {case.base for case in mine} <= set(item.bases) and len({case.base for case in mine}) == min(3, len(item.bases))
    assert len({case.id for case in planted}) == len(planted)
    whole = [(case.recipe, case.size, case.base) for case in cases.planted("full", 1) if case.kind == "lie"]
    assert sorted(whole) == sorted(
        (item.name, *place) for item in by_recipe.values() for place in product(item.sizes, item.bases)
    )


@pytest.mark.parametrize(
    ("got", "wrong"),
    [
        (Answer("FAIL", "eject", "not_measured", frozenset({"C01", "R11"})), 0),
        (Answer("FAIL", "eject", "not_measured", frozenset({"C02"})), 1),
        (Answer("FAIL", "remeasure", "underpowered", frozenset({"C01"})), 1),
        (Answer("PASS", "pass", "proven", frozenset()), 2),
        (Answer("FAIL", "eject", "not_measured", frozenset({"C01", "M01"})), 1),
    ],
)
def test_an_answer_is_held_against_verdict_action_outcome_and_ids(got: Answer, wrong: int) -> None:
    """Each part that differs is one word of complaint."""
    label = Label(rows=["not_comparable"], source="test", any_of=["C01"], must_not=["M01"], critical=True)
    assert len(right(label, got)) == wrong


def test_the_rows_have_a_verdict_each() -> None:
    """Several rows allow several verdicts, in a fixed order."""
    label = Label(rows=["noisy", "damaged"], source="test")
    assert label.verdicts == ["FAIL", "FLAG"] and all(len(row) == 3 for row in ROWS.values())
    assert isinstance(msgspec.convert({"schema": "s", "frozen": "f", "planted": {}, "recorded": {}}, Key), Key)
