"""Whether a text that begins as JSON or code goes on as such: a cut at its end is no break, a wrong turn before it is."""

from __future__ import annotations

import json
import re

from audit.policy import Text

_JSON = re.compile(r'\{\s*"|\[\s*\{\s*"|\["')
_CODE = re.compile(
    r"(?:async def|def|class|import|from|function|const|let|fn|#include|return|public|private|void|int)\b|@\w|```|#!"
)
_DEF = re.compile(r"(?:async\s+)?def\b(?!\s+\w+\s*[(\[]|\s+\w*$|$)")
_QUOTED = re.compile(
    r'"""[\s\S]*?(?:"""|$)|\'\'\'[\s\S]*?(?:\'\'\'|$)|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|#[^\n]*|//[^\n]*'
)
_ENUMERATED = re.compile(r"(?:(?<=\s)|^)\(?(?:\w|\d{1,3}|[ivx]{1,5})\)|[:;=8]-?[)(\]\[]")
BETWEEN = ", \t\r\n"
"""What may stand between two values of JSON."""
_WORDS = ("true", "false", "null", "-")
_CLOSES = {")": "(", "]": "[", "}": "{"}


def broken(text: str, marks_share: float, rules: Text | None) -> str:
    """Where JSON or brackets break, in words; empty when they hold or when there are none.

    ``rules`` None asks about JSON alone.
    """
    body = text.strip()
    if _JSON.match(body):
        return _json(body)
    if rules is None:
        return "no JSON"
    code = _CODE.match(body) is not None
    if _DEF.match(body):
        return "a function without a name or arguments"
    if not code and marks_share < rules.code_marks:
        return ""
    wrong, closing = _mismatched(_QUOTED.sub(" ", body) if code else _ENUMERATED.sub(" ", _QUOTED.sub(" ", body)), strict=code)
    least = 1 if code else rules.brackets_min
    return (
        f"{wrong} of {closing} closing brackets close nothing"
        if wrong >= least and wrong > rules.brackets_share * closing
        else ""
    )


def holds_data(text: str) -> bool:
    """True for JSON, whole or cut off, one value or one after another, that is most of a text.

    Records repeat their keys, and that is no loop; what goes on behind them in words is read as words.
    """
    body = text.strip()
    if not _JSON.match(body) or _json(body):
        return False
    at, decoder = 0, json.JSONDecoder(strict=False)
    while body.startswith(("{", "["), at):
        try:
            _, at = decoder.raw_decode(body, at)
        except (ValueError, RecursionError):
            return not _json(body[at:])
        while at < len(body) and body[at] in BETWEEN:
            at += 1
    return 2 * at >= len(body)


def _json(body: str) -> str:
    try:
        _, end = json.JSONDecoder(strict=False).raw_decode(body)
    except json.JSONDecodeError as error:
        rest = body[error.pos :]
        cut = not rest or "Unterminated" in error.msg or any(word.startswith(rest) for word in _WORDS)
        cut = cut or ("escape" in error.msg and len(rest) < 12)
        return "" if cut else f"JSON breaks at character {error.pos}"
    except (RecursionError, ValueError):
        return "JSON beyond reading"
    rest = body[end:].lstrip()
    return f"JSON goes on after its end at character {end}" if rest[:1] in tuple(']})":') else ""


def _mismatched(plain: str, *, strict: bool) -> tuple[int, int]:
    """Closing brackets that close nothing, and all closing ones; ``strict``: they must close the last one opened."""
    opened: list[str] = []
    wrong = total = 0
    for mark in re.findall(r"[()\[\]{}]", plain):
        if mark in "([{":
            opened.append(mark)
            continue
        total += 1
        if opened and opened[-1] == _CLOSES[mark]:
            opened.pop()
        elif not strict and _CLOSES[mark] in opened:
            while opened.pop() != _CLOSES[mark]:
                pass
        else:
            wrong += 1
    return wrong, total
