"""The auditor: recomputes every number of a run directory from its raw rows and says PASS, FLAG or FAIL.

It imports nothing else of Countersign and runs no foreign code. Importing it has no effects and loads neither DuckDB
nor numpy: those come with the first audit.
"""

from __future__ import annotations

from pathlib import Path

from audit.contract import AuditRequest, Finding, Verdict, Verdicts
from audit.errors import AuditError
from audit.rendering import canonical_json, exit_code, render

__all__ = [
    "AuditError",
    "AuditRequest",
    "Finding",
    "Verdict",
    "Verdicts",
    "audit",
    "audit_path",
    "canonical_json",
    "exit_code",
    "render",
]


def audit(run_dir: Path, request: AuditRequest) -> Verdict:
    """The verdict on one request. Raises AuditError when the directory is missing or the request is impossible."""
    from audit import engine

    return engine.audit(run_dir, request)


def audit_path(path: Path) -> Verdicts:
    """Verdicts on every request that stands in a directory; without ``audit_request.json`` on what the layout suggests.

    Raises AuditError when there is nothing to audit or the request file is not right.
    """
    from audit import engine

    return engine.audit_path(path)
