"""The taxonomy is whole, every id that a finding may quote stands in it, and what it calls covered is planted."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from audit import known_lies
from audit.taxonomy import as_page
from tests.unit.audit import covered
from tests.unit.audit.planted import every
from workflow.cli import main

REFRESH = "run: python -m tests.unit.audit.planted"


def test_the_page_is_whole() -> None:
    """246 ids, each once, in order, in their layers; every text is one clean line."""
    lies = known_lies()
    assert len(lies) == len({lie.id for lie in lies}) == 246
    assert Counter(lie.layer for lie in lies) == {"L0": 152, "L1": 36, "L2": 39, "L3": 19}
    assert covered.TABLE.read_text(encoding="utf-8") == as_page(lies)
    for lie in lies:
        assert lie.name and lie.signal and lie.signal.isprintable()
        assert lie.gate is None or lie.gate in covered.gates(), lie.id
        assert not lie.covered or lie.gate, lie.id


def test_every_quoted_id_is_known() -> None:
    """Ids in gates, intake and policy, and of planted cases."""
    known = {lie.id for lie in known_lies()}
    named = covered.named_in_source()
    assert {"W06", "C01", "O12"} <= set(named)
    assert {name: where for name, where in named.items() if name not in known} == {}
    assert {case.id for case in every()} <= known


def test_what_is_called_covered_is_planted() -> None:
    """Flags and docs/covered.md hold the registry, no more and no less."""
    assert {lie.id for lie in known_lies() if lie.covered} == {case.id for case in every()}, REFRESH
    rows = covered.rows(covered.PAGE.read_text(encoding="utf-8"))
    cases = every()
    assert [(row[0], row[2], row[3]) for row in rows] == [covered.expected(case) for case in cases], REFRESH
    names = {lie.id: lie.name for lie in known_lies()}
    for row, case in zip(rows, cases, strict=True):
        assert row[1] == names[case.id] and row[4] in covered.gates() and row[5] in case.caught, REFRESH
    assert f"{len({case.id for case in cases})} of the 246 known ways" in covered.PAGE.read_text(encoding="utf-8"), REFRESH


def test_one_id_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """Small letters will do; what is known, which gate decides it, and how a finding reads."""
    assert main(["taxonomy", "w06"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("W06  shorter outputs\n") and "decided  by the gate same_work" in text and "same_work [W06]:" in text
    assert main(["taxonomy", "W06", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["layer"] == "L0"
    assert main(["taxonomy", "h43"]) == 0
    assert "by no gate of this version" in capsys.readouterr().out


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them, or those that are covered; JSON is one object."""
    assert main(["taxonomy"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 246 + 1
    assert main(["taxonomy", "--covered", "--format", "json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert page["schema"] == "countersign.taxonomy/1"
    assert {lie["id"] for lie in page["lies"]} == {case.id for case in every()}


@pytest.mark.parametrize(
    ("word", "near"), [("W60", "W06"), ("warm", "W01"), ("shorter output", "W06"), ("\x1b[31mPASS", "countersign taxonomy")]
)
def test_near_matches(word: str, near: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An id that does not exist is refused with what may have been meant, and no escape sequence comes back."""
    assert main(["taxonomy", word]) == 2
    err = capsys.readouterr().err
    assert near in err and "\x1b" not in err
