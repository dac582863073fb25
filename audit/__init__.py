"""The auditor: recomputes every number of a run directory from its raw rows and says PASS, FLAG or FAIL.

It imports nothing else of Countersign and runs no foreign code. Importing it has no effects and loads neither DuckDB
nor numpy: those come with the first audit.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from audit.contract import AuditRequest, Change, Finding, Scope, Surveyed, Verdict, Verdicts
from audit.errors import AuditError
from audit.plain import clean, table
from audit.rendering import canonical_json, exit_code, render
from audit.taxonomy import Lie

if TYPE_CHECKING:
    from audit.explain import Explained, Question
    from audit.judge import Judge

__all__ = [
    "AuditError",
    "AuditRequest",
    "Change",
    "Finding",
    "Lie",
    "Scope",
    "Surveyed",
    "Verdict",
    "Verdicts",
    "as_plain",
    "audit",
    "audit_legs",
    "audit_path",
    "canonical_json",
    "clean",
    "exit_code",
    "explained",
    "known_lies",
    "question_as_plain",
    "questions",
    "render",
    "survey",
    "table",
]


def audit(run_dir: Path, request: AuditRequest, policy: str | Path | None = None, judge: Judge | None = None) -> Verdict:
    """The verdict on one request. ``policy`` is ``default``, ``strict`` or a file; None leaves the choice to the request.

    ``judge`` (``audit.judge.Judge``) reads after the gates and can only lower. Raises AuditError when the directory is missing
    or the request is impossible.
    """
    from audit import engine

    return engine.audit(run_dir, request, policy, judge)


def audit_path(
    path: Path, policy: str | Path | None = None, request_file: Path | None = None, scope: Scope | None = None
) -> Verdicts:
    """Verdicts on every request that stands in a directory; without ``audit_request.json`` on what the layout suggests.

    ``request_file`` is read in its place, wherever it lies; ``scope`` keeps the requests of one scope. Raises AuditError when
    there is nothing to audit or the request file is not right.
    """
    from audit import engine

    return engine.audit_path(path, policy, request_file, scope)


def audit_legs(
    ref: Path,
    cand: Path,
    path: Path | None = None,
    policy: str | Path | None = None,
    request_file: Path | None = None,
    scope: Scope | None = None,
) -> Verdicts:
    """The verdict on two folders of rows, each relative to ``path`` or to the working directory.

    Raises AuditError when a folder is missing or holds no rows.
    """
    from audit import engine, requests

    return engine.audit_legs(requests.Given(ref, cand, path), policy, request_file, scope)


def explained(path: Path, name: str | None = None, policy: str | Path | None = None) -> list[Explained]:
    """Verdicts of a directory, each with the questions behind its figures: query, parameters and the rows they returned.

    ``name`` keeps the request of that short name. Raises AuditError as ``audit_path`` does, and when there is no such request.
    """
    from audit import explain

    return explain.explain_path(path, name, policy)


def question_as_plain(question: Question, shown: int) -> dict[str, Any]:
    """One question as JSON values, with at most ``shown`` of its rows."""
    from audit import explain

    return explain.as_plain(question, shown)


def questions(path: Path, name: str) -> list[dict[str, Any]]:
    """What a second reader is asked about one request of a directory, as JSON values; nothing where the verdict is a FAIL.

    Raises AuditError when there is no such request.
    """
    from audit import engine

    return [msgspec.to_builtins(item) for item in engine.questions(path, name)]


def as_plain(item: Verdict | Surveyed) -> dict[str, Any]:
    """A verdict or a surveyed row as JSON values."""
    plain: dict[str, Any] = msgspec.to_builtins(item)
    return plain


def survey(path: Path) -> list[Surveyed]:
    """Every row that intake reads out of a file or a folder of result files, and every refusal with its reason."""
    from audit.intake import survey as reading
    from audit.policy import load

    return list(reading.survey(Path(path).absolute(), load().policy))


def known_lies() -> tuple[Lie, ...]:
    """The taxonomy: every known way a performance claim is false, in the order of the ids."""
    from audit import taxonomy

    return taxonomy.lies()
