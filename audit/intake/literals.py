"""Values as Python and server logs print them, read as data: nothing is evaluated."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator
from typing import Any, Literal

End = Literal["comma", "bracket", "text", "open"]
LONGEST = 10_000
"""A longer value stays text."""
_PLAIN = re.compile(r"None|True|False|-?\d{1,15}(?:\.\d{1,15})?|'[^'\\]*'|\"[^\"\\]*\"")
_PAIR = re.compile(r"""\s*(?:'([\w.]{1,200})'\s*:|"([\w.]{1,200})"\s*:|([A-Za-z_][\w.]{0,200})\s*=(?!=))(.*)""", re.DOTALL)


def as_json(text: str) -> str:
    """JSON text of a Python literal; what is none (a dtype, an enum, a call) is a JSON string of its words."""
    text = text.strip()
    value: Any = text
    if len(text) <= LONGEST:
        try:
            value = _literal(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            value = text
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(text, ensure_ascii=False)


def _literal(text: str) -> Any:  # noqa: ANN401 - whatever the literal holds
    if _PLAIN.fullmatch(text):
        return ast.literal_eval(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a stranger's escape sequences are not our user's concern
        return ast.literal_eval(text)


def pairs(text: str, limit: int) -> tuple[list[tuple[str, str]], bool]:
    """At most ``limit`` pairs ``key=value`` or ``'key': value`` of an argument list, values as JSON text.

    ``text`` begins after the opening bracket, or the list has none. Nested brackets and quotes are kept together; an item whose
    end is not there is left out. The second value says whether the list ended with its closing bracket.
    """
    found: list[tuple[str, str]] = []
    closed = False
    for item, end in split(text):
        match = _PAIR.match(item)
        if match and len(found) < limit and end != "open":
            found.append((match.group(1) or match.group(2) or match.group(3), as_json(match.group(4))))
        closed = end == "bracket"
    return found, closed


def split(text: str) -> Iterator[tuple[str, End]]:
    """Items between commas at the top level, and what ended each; ``open``: the text, inside a bracket or quote of the item."""
    depth, quote, start, skip = 0, "", 0, False
    for at, char in enumerate(text):
        if skip:
            skip = False
        elif quote:
            skip = char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "([{<":
            depth += 1
        elif char in ")]}>":
            if depth == 0:
                yield text[start:at], "bracket"
                return
            depth -= 1
        elif char == "," and depth == 0:
            yield text[start:at], "comma"
            start = at + 1
    yield text[start:], "open" if depth or quote else "text"
