"""A judge that stays: one question a line on stdin, one answer a line on stdout (``python -m audit.worker``).

``{"id", "path", "policy"}`` is answered with ``{"id", "verdicts": [...]}``, the verdicts canonical as everywhere, or with
``{"id", "error": {"code", "message", "next_step"}}``. An audit that crashes is an error of code ``crash``, its traceback goes to
stderr, and the next question is answered as if nothing had happened. The end of stdin is the end.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, BinaryIO

from audit import AuditError, audit_path, canonical_json, clean

POLICY_KINDS = (str, type(None))


def answer(line: bytes) -> str:
    """The answer to one question, one line without its end. Never raises on what a run or a question may hold."""
    number: Any = None
    try:
        question = json.loads(line)
        number = question["id"]
        path, policy = question["path"], question.get("policy")
        if not (isinstance(number, int | str) and isinstance(path, str) and isinstance(policy, POLICY_KINDS)):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _error(number if isinstance(number, int | str) else None, "question_invalid", "not a question to a judge", "")
    try:
        return canonical_json({"id": number, "verdicts": list(audit_path(Path(path), policy))})
    except AuditError as error:
        return _error(number, error.code, error.message, error.next_step)
    except Exception as error:  # noqa: BLE001 - the named edge: one audit that crashes must not end the others
        traceback.print_exc()
        return _error(number, "crash", f"the audit crashed: {type(error).__name__}: {error}", "Report it with the run.")


def _error(number: int | str | None, code: str, message: str, next_step: str) -> str:
    return canonical_json({"id": number, "error": {"code": code, "message": clean(message), "next_step": clean(next_step)}})


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer every line until there is none."""
    for line in questions:
        answers.write(answer(line).encode() + b"\n")
        answers.flush()


def main() -> int:
    """Serve on stdin and stdout. Whatever else prints goes to stderr: nothing but answers stands in the answers."""
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        serve(sys.stdin.buffer, answers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
