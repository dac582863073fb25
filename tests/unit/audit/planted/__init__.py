"""Planted lies and their honest twins: the cases that make a taxonomy id count as covered.

Each topic file exports ``PLANTED``; this package collects them. ``tests/unit/audit/test_planted.py`` audits both forms of every
case, and ``docs/covered.md`` is generated from the same table.
"""

from __future__ import annotations

import importlib
import pkgutil

from tests.unit.audit.planted.case import Planted


def every() -> tuple[Planted, ...]:
    """All planted cases, in the order of id and name."""
    found: list[Planted] = []
    for item in pkgutil.iter_modules(__path__):
        if item.name not in ("case", "__main__"):
            found += importlib.import_module(f"{__name__}.{item.name}").PLANTED
    return tuple(sorted(found, key=lambda case: (case.id, case.name)))


__all__ = ["Planted", "every"]
