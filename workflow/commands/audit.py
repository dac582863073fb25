"""``countersign audit``: hand a directory, or two folders of rows, to the auditor and print what it says."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from workflow.errors import UsageError
from workflow.startup import check_packages, require

if TYPE_CHECKING:
    from audit import AuditError, Scope, Verdict, Verdicts

Form = Literal["text", "json", "md", "junit"]
FailOn = Literal["flag", "fail", "unsigned", "never"]
NEVER_FAILING: dict[FailOn, tuple[int, ...]] = {"flag": (), "fail": (4,), "unsigned": (3, 4), "never": (3, 4, 5)}
"""Verdict exit codes that become 0."""
NARROWEST, WIDEST = 60, 160
"""Columns that text is wrapped to on a terminal, whatever its width."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asked for."""

    path: Path | None
    legs: tuple[Path, Path] | None = None
    scope: Scope | None = None
    request_file: Path | None = None
    policy: str | None = None


def audit_command(asked: Asked, form: Form, fail_on: FailOn = "flag") -> int:
    """Print the verdicts. Returns the auditor's exit code, 0 where ``fail_on`` lets it pass."""
    if asked.path is None and asked.legs is None:
        raise UsageError("nothing to audit", "Give a run directory, e.g. runs/<campaign-id>, or --legs REF CAND.")
    if asked.path is not None and not asked.path.is_dir():
        raise UsageError(f"{asked.path}: not a directory", "Give a run directory, e.g. runs/<campaign-id>.")
    check_packages(audit=True)
    require("audit")
    from audit import AuditError, exit_code

    try:
        verdicts = _verdicts(asked)
    except AuditError as error:
        raise refused(asked.path, error) from error
    show(verdicts, form)
    code = exit_code(verdicts)
    return 0 if code in NEVER_FAILING[fail_on] else code


def _verdicts(asked: Asked) -> Verdicts:
    from audit import audit_legs, audit_path

    if asked.legs is not None:
        return audit_legs(*asked.legs, asked.path, asked.policy, asked.request_file, asked.scope)
    assert asked.path is not None  # noqa: S101 - the caller checked
    return audit_path(asked.path, asked.policy, asked.request_file, asked.scope)


def refused(path: Path | None, error: AuditError) -> UsageError:
    """The auditor's refusal as a usage error; its words may quote files, so they are cleaned."""
    from audit import clean

    where = "" if path is None else f"{path}: "
    return UsageError(clean(f"{where}{error.message}"), clean(error.next_step))


def show(verdicts: Sequence[Verdict], form: Form) -> None:
    """Print verdicts; on a terminal as wide as it is, and in colour unless NO_COLOR is set."""
    from audit import render

    if form == "text" and sys.stdout.isatty():
        columns = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
        colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        click.echo(render(verdicts, form, width=columns, colour=colour), nl=False)
    else:
        click.echo(render(verdicts, form), nl=False)
