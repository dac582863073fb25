"""The evidence database: nothing of one audit is seen by another, and what is not asked would have said nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import audit_path, canonical_json, engine, policy, requests
from audit.intake import store
from audit.intake.store import NEEDS, Store
from tests.unit.audit.build import foreign, sglang_row
from tests.unit.audit.cases import CASES, build

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("case", [CASES[0], CASES[3], CASES[-1]], ids=lambda case: case.name)
def test_a_question_that_is_not_asked_has_no_answer(case: object, tmp_path: Path) -> None:
    """With every question put to the database, and with those alone that can have an answer: the same bytes."""
    assert case in CASES
    run = build(tmp_path, next(item for item in CASES if item is case))
    request = requests.read(run, policy.load().policy).requests[0]
    asked = engine.judge(run, request, None, engine.Manner(store=Store(thrifty=False)))
    assert canonical_json(asked) == canonical_json(engine.judge(run, request))


def test_foreign_rows_too(tmp_path: Path) -> None:
    """Flat legs hold no launches, requests or samples."""
    for leg, level in (("ref", 1000.0), ("cand", 1100.0)):
        foreign(tmp_path / leg, [sglang_row(level + n) for n in range(3)])
    request = requests.read(tmp_path, policy.load().policy).requests[0]
    asked = engine.judge(tmp_path, request, None, engine.Manner(store=Store(thrifty=False)))
    assert canonical_json(asked) == canonical_json(engine.judge(tmp_path, request))


def test_every_question_named_exists() -> None:
    """And every table that it needs."""
    for name, place in NEEDS.items():
        assert (ROOT / "audit/sql" / f"{name}.sql").is_file()
        assert f"CREATE TABLE {place.partition('.')[0]} " in (ROOT / "audit/sql/tables.sql").read_text()


def test_one_audit_after_another_sees_nothing_of_it(tmp_path: Path) -> None:
    """Two runs in turns, twice: each verdict is what it was; the database that is kept holds no record."""
    one, two = build(tmp_path / "one", CASES[0]), build(tmp_path / "two", CASES[3])
    told = [[canonical_json(verdict) for verdict in audit_path(run)] for run in (one, two, one, two)]
    assert told[0] == told[2] != told[1] == told[3]
    assert store._idle
    for table in store._columns():
        assert store._idle[-1].link.execute(f"SELECT count(*) FROM {table}").fetchall() == [(0,)]  # noqa: S608 - our own names


def test_two_at_once_are_apart() -> None:
    """A store opened while another is in use has a database of its own; one that ends in an error is not used again."""
    with Store(thrifty=False) as first, Store(thrifty=False) as second:
        first._insert("config", [("ref", ".", 0, "key", "1", "file", 1)])
        assert len(first.ask("config_between")) == 1
        assert second.ask("config_between") == []
    broken = Store()
    with pytest.raises(ZeroDivisionError), broken:
        raise ZeroDivisionError
    assert broken._base not in store._idle
