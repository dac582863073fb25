"""The shape of a planted case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Planted:
    """One lie in a whole run directory, and the same surface without the lie."""

    id: str
    """Row of the taxonomy, e.g. ``W06``."""
    name: str
    field: str
    """Who writes the field that decides it, and which: ``sglang row: total_output_tokens``."""
    lie: Callable[[Path], Path]
    """Writes the run below an empty directory; returns what to audit."""
    twin: Callable[[Path], Path]
    caught: tuple[str, ...] = ("FAIL",)
    """Verdicts that count as caught: the finding with this id must be a flag or a fail (or a required unknown)."""
