"""Text from files made harmless: visible escapes for what steers a terminal, escapes for markup, tables of cleaned cells."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_MARKUP = {ord(char): f"\\{char}" for char in "\\`*_{}[]()#|~!"} | {ord("<"): "&lt;", ord(">"): "&gt;", ord("&"): "&amp;"}


def clean(text: str) -> str:
    """One line of text in which nothing can move a cursor, colour a terminal or reverse the reading order."""
    return "".join(_visible(char) if unicodedata.category(char)[0] == "C" or char in "\u2028\u2029" else char for char in text)


def _visible(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def clean_markdown(text: str) -> str:
    """``clean``, and without any markup or HTML."""
    return clean(text).translate(_MARKUP)


def table(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Lines of a table in plain columns, header first; cells are cleaned."""
    cells = [[clean(cell) for cell in row] for row in rows]
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(len(cells[0]) if cells else 0)]
    return [indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
