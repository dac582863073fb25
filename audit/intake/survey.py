"""What lies in a folder of results: every row that intake reads, and every file that it refuses, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from audit.contract import Source, Surveyed
from audit.errors import DamageError
from audit.intake import dialects, files, strict
from audit.intake.model import Row
from audit.policy import Policy

SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")


def survey(root: Path, policy: Policy) -> Iterator[Surveyed]:
    """Every JSON and JSON-lines file at or below ``root``, in the order of their paths."""
    if not root.is_dir():
        yield from _file(root.parent, root, policy)
        return
    for path in sorted(item for item in root.rglob("*") if item.name.endswith(SUFFIXES) and not item.is_dir()):
        yield from _file(root, path, policy)


def _file(root: Path, path: Path, policy: Policy) -> Iterator[Surveyed]:
    name = files.plain(path.relative_to(root).as_posix())
    if name.endswith(".gz"):
        yield Surveyed(name, None, "compressed: unpack it first, rows are cited by line")
        return
    try:
        data = files.read(root, path, policy.limits)
    except DamageError as error:
        yield Surveyed(name, None, error.what)
        return
    lines = list(values(name, data, policy))
    if not lines:
        yield Surveyed(name, None, "empty")
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


def _line(name: str, line: strict.Line, policy: Policy) -> Surveyed:
    if line.damage is not None:
        return Surveyed(name, line.number, line.damage)
    if not isinstance(line.value, dict):
        stranger = dialects.stranger(line.value)
        return Surveyed(name, line.number, f"{stranger}: this version does not read it" if stranger else "not an object")
    try:
        row = dialects.parse(line.value, 0, Source(name, None, line.number), policy.tolerance.unit_ratio)
        _identities(row, policy)
    except DamageError as error:
        return Surveyed(name, line.number, error.what)
    figures = (row.metrics, row.duration, row.completed, row.requested, row.tokens_in, row.tokens_out)
    return Surveyed(name, line.number, None, row.dialect, row.era, *figures)


def _identities(row: Row, policy: Policy) -> None:
    """Raise DamageError on a row that breaks throughput x duration = tokens, as an audit would."""
    product = row.metrics["output_throughput"] * row.duration
    if row.tokens_out is not None and abs(product - row.tokens_out) > policy.tolerance.identity_pct / 100 * max(
        row.tokens_out, 1
    ):
        raise DamageError(f"output_throughput x duration is {product:.6g} tokens, the row says {row.tokens_out}", ids=("R21",))
