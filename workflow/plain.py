"""Plain text for terminals: no control characters out of files, and tables in columns. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def printable(text: str) -> str:
    """Text without control characters: reasons quote logs, and a log must not drive the terminal. Line ends stay."""
    return "".join(char if char == "\n" or char.isprintable() else "?" for char in text)


def one_line(text: object) -> str:
    """Anything as one line of printable text; names of files that are no UTF-8 are shown, too."""
    return "".join(char if char.isprintable() else "?" for char in str(text).replace("\n", " "))


def columns(rows: Sequence[Sequence[object]], indent: str = "") -> list[str]:
    """Lines of a table, the first row its header; every cell is one printable line."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]) if cells else 0)]
    return [indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def megabytes(count: int) -> str:
    """A size in MB (10^6 bytes), to the tenth."""
    return f"{max(count / 1e6, 0.1):.1f} MB"


def path_text(path: Path) -> str:
    """A path as text that can be encoded, whatever bytes its name has."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def to_json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """One line of JSON in ASCII: nothing in it can drive a terminal or fail to be encoded. Raises ValueError on NaN."""
    return json.dumps(value, sort_keys=True, allow_nan=False)
