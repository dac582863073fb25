"""The known ways a performance claim is false: what findings mean by ``W06`` or ``C01``, and which gate decides it here."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec
from msgspec import Struct

SCHEMA = "countersign.taxonomy/1"  # 1: first form


class Lie(Struct, frozen=True, forbid_unknown_fields=True):
    """One row of ``taxonomy.json``."""

    id: str
    name: str
    group: str
    layer: Literal["L0", "L1", "L2", "L3"]
    """L0: raw rows and settings decide it; L1: server logs or scrapes; L2: an active probe or another run; L3: source code."""
    signal: str
    """What gives it away in the raw evidence."""
    gate: str | None
    """The gate that decides it here; None where none does."""
    covered: bool
    """A test plants this lie in a whole run: it is caught under this id, and its honest twin passes."""
    example: str | None = None
    """The reason given for the planted lie, cut."""


class _Page(Struct, frozen=True, forbid_unknown_fields=True):
    schema: Literal["countersign.taxonomy/1"]
    lies: tuple[Lie, ...]


@cache
def lies() -> tuple[Lie, ...]:
    """Every known lie, in the order of the page."""
    return msgspec.json.decode(files("audit").joinpath("taxonomy.json").read_bytes(), type=_Page).lies


def as_page(found: tuple[Lie, ...]) -> str:
    """``taxonomy.json``: one lie a line."""
    lines = ",\n".join("  " + msgspec.json.format(msgspec.json.encode(item), indent=0).decode() for item in found)
    return f'{{"schema": "{SCHEMA}", "lies": [\n{lines}\n]}}\n'
