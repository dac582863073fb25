"""What lies in a folder of results: every row that intake reads, and every file that it refuses, with the reason."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from audit.contract import Source, Surveyed
from audit.errors import DamageError
from audit.intake import dialects, files, forensics, strict
from audit.intake.launch import PACKED, PACKED_WORDS
from audit.intake.model import Launch, Leg, Row
from audit.policy import Policy

SUFFIXES = (".json", ".jsonl", *PACKED)


class _Read(NamedTuple):
    """A place in a file, and the row that stands there or why it is refused."""

    file: str
    line: int | None
    row: Row | None
    refused: str | None


def survey(root: Path, policy: Policy) -> list[Surveyed]:
    """Every JSON and JSON-lines file at or below ``root``, in the order of their paths; each row held against itself."""
    found = [item for path in _paths(root) for item in _file(root if root.is_dir() else root.parent, path, policy)]
    return _told(found, _contradictions([item.row for item in found if item.row is not None], policy))


def _paths(root: Path) -> list[Path]:
    if not root.is_dir():
        return [root]
    found = [Path(place) / name for place, _, names in os.walk(root) for name in names if name.endswith(SUFFIXES)]
    return sorted(found, key=os.fsencode)


def _file(root: Path, path: Path, policy: Policy) -> Iterator[_Read]:
    name = files.plain(path.relative_to(root).as_posix())
    if name.endswith(".gz"):
        yield _Read(name, None, None, PACKED_WORDS)
        return
    try:
        data = files.read(root, path, policy.limits)
    except DamageError as error:
        yield _Read(name, None, None, error.what)
        return
    lines = list(values(name, data, policy))
    if not lines:
        yield _Read(name, None, None, "empty")
    for line in lines:
        yield _line(name, line, policy)


def values(name: str, data: bytes, policy: Policy) -> Iterator[strict.Line]:
    """Objects of a file: a ``.json`` file is one document, a list of them, or objects appended line by line."""
    if name.endswith(".json"):
        try:
            value: Any = strict.document(data, policy.limits)
        except DamageError as error:
            found = list(strict.lines(data, policy.limits))
            yield from found if any(line.damage is None for line in found) else [strict.Line(1, None, error.what)]
            return
        rows = isinstance(value, list) and any(dialects.looks_like_row(item) for item in value)
        yield from (strict.Line(1, item, None) for item in (value if rows else [value]))
        return
    yield from strict.lines(data, policy.limits)


def _line(name: str, line: strict.Line, policy: Policy) -> _Read:
    try:
        if line.damage is not None:
            raise DamageError(line.damage)
        if not isinstance(line.value, dict):
            stranger = dialects.stranger(line.value)
            raise DamageError(f"{stranger}: this version does not read it" if stranger else "not an object")
        return _Read(name, line.number, dialects.parse(line.value, 0, Source(name, None, line.number), policy), None)
    except DamageError as error:
        return _Read(name, line.number, None, error.what)


def _contradictions(rows: Sequence[Row], policy: Policy) -> dict[int, str]:
    """Rows that break an identity, as an audit would find it: number of the row -> why."""
    from dataclasses import replace

    from audit.intake.store import Store

    if not rows:
        return {}
    numbered = tuple(replace(row, source=Source(row.source.file, None, number)) for number, row in enumerate(rows))
    with Store() as store:
        leg = Leg("ref", ".", (Launch(".", numbered, own=False),), False)
        store.fill([leg], policy)
        damage = forensics.alone(store, [leg], policy)
    found: dict[int, str] = {}
    for item in damage:
        found.setdefault(item.source.line or 0, item.what)
    return found


def _told(found: Sequence[_Read], broken: dict[int, str]) -> list[Surveyed]:
    told: list[Surveyed] = []
    number = 0
    for item in found:
        row, why = item.row, item.refused
        if row is not None:
            why = broken.get(number)
            number += 1
        if row is None or why is not None:
            told.append(Surveyed(item.file, item.line, why))
            continue
        figures = (row.metrics, row.duration, row.completed, row.requested, row.tokens_in, row.tokens_out)
        told.append(Surveyed(item.file, item.line, None, row.dialect, row.era, *figures))
    return told
