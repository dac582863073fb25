"""The auditor's own errors: what a caller can mend. What is wrong with the evidence is a finding, never an exception."""

from __future__ import annotations

from typing import Literal

Code = Literal["request_invalid", "request_missing", "path_refused", "run_missing", "policy_invalid"]


class AuditError(Exception):
    """The audit cannot begin: the commission or the place is wrong. The command line answers with exit code 2."""

    exit_code = 2

    def __init__(self, code: Code, message: str, next_step: str) -> None:
        super().__init__(f"{message} {next_step}")
        self.code: Code = code
        self.message = message
        self.next_step = next_step


class DamageError(Exception):
    """Inside intake only: this file, or this line of it, is not what it claims to be. Becomes a damage record."""

    def __init__(self, what: str, line: int | None = None, ids: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.line = line
        self.ids = ids
