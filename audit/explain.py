"""The questions behind a verdict's figures: each query as it was asked, its parameters, and the rows it returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit import engine, policies, requests, sql
from audit.contract import AuditRequest, Verdict
from audit.errors import AuditError
from audit.intake.store import Record, Store
from audit.policy import Loaded


@dataclass(frozen=True, slots=True)
class Question:
    """One named query of ``audit/sql``."""

    name: str
    text: str
    parameters: Mapping[str, float]
    columns: tuple[str, ...]
    rows: tuple[Record, ...]
    asked: bool = True
    """False: the verdict names it, but it was not put to this evidence (a gate that computes beside the store)."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A verdict and the questions that its findings name, in the order of first mention."""

    verdict: Verdict
    questions: tuple[Question, ...]


class _Listening(Store):
    """The usual store, keeping what it was asked and what it answered."""

    def __init__(self) -> None:
        super().__init__(thrifty=False)
        self.heard: dict[str, Question] = {}

    def ask(self, name: str, values: Mapping[str, float] | None = None) -> list[Record]:
        rows = super().ask(name, values)
        if name in self.heard and self.heard[name].parameters == dict(values or {}):
            return rows
        columns = tuple(str(column[0]) for column in self._db.description or ())
        self.heard[name] = Question(name, sql.load(name), dict(values or {}), columns, tuple(rows))
        return rows


def explain(run_dir: Path, request: AuditRequest, policy: Loaded | None = None, remarks: Sequence[str] = ()) -> Explained:
    """The verdict on one request, the same bytes as ``audit`` gives, and its questions."""
    store = _Listening()
    verdict = engine.judge(run_dir, request, policy, engine.Manner(remarks, store))
    named = dict.fromkeys(name for finding in verdict.findings for name in finding.sql)
    return Explained(verdict, tuple(store.heard.get(name) or _unasked(name) for name in named))


def _unasked(name: str) -> Question:
    try:
        text = sql.load(name)
    except FileNotFoundError:
        text = ""
    return Question(name, text, {}, (), (), asked=False)


def explain_path(path: Path, name: str | None = None, policy: str | Path | None = None) -> list[Explained]:
    """Every request of a directory, or the one of this short name. Raises AuditError."""
    run_dir = engine.directory(path)
    chosen = None if policy is None else policies.choose(policy)
    commission = requests.read(run_dir, (chosen or policies.choose(None)).policy)
    kept = [request for request in commission.requests if name is None or _name(request) == name]
    if not kept:
        there = ", ".join(repr(_name(request)) for request in commission.requests)
        raise AuditError("request_missing", f"no request is named {name!r}.", f"There are: {there}.")
    remarks = (engine.DERIVED,) if commission.derived else ()
    return [explain(run_dir, request, chosen, remarks) for request in kept]


def _name(request: AuditRequest) -> str:
    return request.short_name or request.scope


def as_plain(question: Question, shown: int) -> dict[str, Any]:
    """One question for JSON; ``more`` counts the rows that are not shown."""
    return {
        "name": question.name,
        "text": question.text,
        "parameters": dict(question.parameters),
        "columns": list(question.columns),
        "rows": [list(row) for row in question.rows[:shown]],
        "more": max(0, len(question.rows) - shown),
        "asked": question.asked,
    }
