"""Verdicts as canonical JSON, text, Markdown or JUnit XML, and their exit codes.

Text that came from files (names, settings, answers, log lines) is never trusted: outside JSON control characters become
visible escapes, in Markdown every character that could start markup is escaped, and in XML every one that is special there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from audit.contract import Verdict

Format = Literal["json", "text", "md", "junit"]
WIDTH = 110
"""Columns of text that goes to a file or a pipe."""


def canonical_json(value: Any) -> str:  # noqa: ANN401 - a struct or any JSON value
    """Sorted keys, no spaces, no ASCII escapes, one line without its end. Raises ValueError on NaN or Infinity."""
    plain = msgspec.to_builtins(value)
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def render(
    verdicts: Sequence[Verdict], format: str = "text", *, as_list: bool | None = None, width: int = WIDTH, colour: bool = False
) -> str:
    """All verdicts in one format, with a newline at the end.

    JSON is one object or a list; ``as_list`` None asks the sequence itself (``Verdicts`` remembers what its request
    file held), and for a plain sequence a single verdict is one object. ``width`` (columns) and ``colour`` are for text on a
    terminal. Raises ValueError on an unknown format.
    """
    from audit import junit, review

    if format == "json":
        listed = getattr(verdicts, "as_list", len(verdicts) != 1) if as_list is None else as_list
        return canonical_json(list(verdicts) if listed else verdicts[0]) + "\n"
    if format == "text":
        return review.text(verdicts, width, colour=colour)
    if format == "md":
        return review.markdown(verdicts)
    if format == "junit":
        return junit.document(verdicts)
    raise ValueError(f"format {format!r}: one of 'json', 'text', 'md', 'junit'")


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """0 PASS, 3 FAIL, 4 FLAG, 5 evidence damaged or a PASS or FLAG without signature; of several 5 beats 3 beats 4 beats 0."""
    codes = {_code(verdict) for verdict in verdicts}
    return next((code for code in (5, 3, 4) if code in codes), 0)


def _code(verdict: Verdict) -> int:
    if verdict.outcome == "evidence_damaged":
        return 5
    if verdict.verdict == "FAIL":
        return 3
    if not verdict.signed_off:
        return 5
    return 4 if verdict.verdict == "FLAG" else 0
