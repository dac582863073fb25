"""``countersign audit PATH``: hand a directory to the auditor and print what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from workflow.errors import UsageError
from workflow.startup import check_packages, require

CLEAN, FLAGGED = 0, 4


def audit_command(path: Path, form: Literal["text", "json", "md"], fail_on: Literal["fail", "flag"] | None) -> int:
    """Audit every request of a run directory. Returns the auditor's exit code; with ``fail_on`` fail, a FLAG is 0."""
    if not path.is_dir():
        raise UsageError(f"{path}: not a directory", "Give a run directory, e.g. runs/<campaign-id>.")
    check_packages(audit=True)
    require("audit")
    from audit import AuditError, audit_path, exit_code, render

    try:
        verdicts = audit_path(path)
    except AuditError as error:
        raise UsageError(f"{path}: {error.message}", error.next_step) from error
    click.echo(render(verdicts, form), nl=False)
    code = exit_code(verdicts)
    return CLEAN if fail_on == "fail" and code == FLAGGED else code
