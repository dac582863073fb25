"""The auditor's questions, one ``.sql`` file each; all values are bound parameters."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def load(name: str) -> str:
    """Text of ``<name>.sql``. Raises FileNotFoundError for a question nobody wrote."""
    return files("audit.sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")
