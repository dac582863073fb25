"""Copies of examples: whole, or as a run lay there after one line of its ledger."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from workflow.errors import InfrastructureError, InstallError, UsageError
from workflow.examples.catalogue import Example

LEDGER, REQUESTS = "ledger.jsonl", "audit_request.json"

Content = Path | bytes
"""A file of a copy: the file it is copied from, or what stands in it."""


class Size(NamedTuple):
    """What a copy takes."""

    files: int
    bytes: int


def size(item: Example) -> Size:
    """Files and bytes of an example's copy. Raises InstallError when it is not there."""
    found = contents(item).values()
    return Size(len(found), sum(len(what) if isinstance(what, bytes) else what.stat().st_size for what in found))


def copy(item: Example, target: Path) -> Size:
    """Copy an example to ``target``, a directory that does not exist yet; it appears whole or not at all.

    Raises UsageError when there is something already, InstallError when the example is not there, InfrastructureError when
    ``target`` cannot be written.
    """
    if os.path.lexists(target):
        raise UsageError(f"{target}: exists already, nothing was copied", "Name a new directory.")
    files = contents(item)
    part = target.parent / f".{target.name[:100]}.{secrets.token_hex(4)}.partial"
    try:
        for name, what in files.items():
            place = part / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(what, bytes):
                place.write_bytes(what)
            else:
                shutil.copyfile(what, place)
        part.rename(target)
    except OSError as error:
        raise InfrastructureError(f"{target}: cannot be written: {error.strerror}", "Name another directory.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return size(item)


def contents(item: Example) -> Mapping[str, Content]:
    """The files of a copy by their names in it. Raises InstallError when the example is not there."""
    if not (item.folder / REQUESTS).is_file():
        raise InstallError(
            f"example {item.name!r} is not in this installation (no {item.folder})",
            "Install Countersign anew; a source tree needs a file system that knows symbolic links.",
        )
    files: dict[str, Content] = {
        path.relative_to(item.folder).as_posix(): path for path in sorted(item.folder.rglob("*")) if path.is_file()
    }
    return files if item.until is None else _cut(item.folder, files, item.until)


def _cut(run: Path, files: Mapping[str, Content], key: str) -> dict[str, Content]:
    """A run as it lay there when the ledger line ``key`` had been written: a prefix of a hash chain is a hash chain."""
    lines = (run / LEDGER).read_bytes().splitlines(keepends=True)
    records = [json.loads(line) for line in lines]
    end = next(number for number, record in enumerate(records, 1) if record["key"] == key)
    there = {record["key"] for record in records[:end]}
    requests = [asked for asked in json.loads((run / REQUESTS).read_bytes()) if f"request/{asked['short_name']}" in there]
    kept = {name: what for name, what in files.items() if "/" not in name or f"sealed/{name.rpartition('/')[0]}" in there}
    return kept | {LEDGER: b"".join(lines[:end]), REQUESTS: (json.dumps(requests, indent=1) + "\n").encode()}
