"""Source files of overlays and operator benchmarks, read as text and as a syntax tree, never run."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from audit.contract import Source
from audit.errors import DamageError
from audit.intake import files, readers, strict, syntax
from audit.intake.syntax import Fact
from audit.policy import Policy, Sources

MANIFEST = "countersign.overlay/1"
"""Schema of an overlay.json, which says what the overlay rebinds."""
_DIRECTIVES = "include|define|pragma|if|ifdef|ifndef|endif|else|elif|undef"
_COMMENTS = re.compile(rf"/\*.*?\*/|//[^\n]*|^\s*#(?!\s*(?:{_DIRECTIVES}))[^\n]*", re.S | re.M)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file: what it does, whether it does anything, or why that cannot be told."""

    source: Source
    facts: tuple[Fact, ...] = ()
    empty: bool = False
    problem: str | None = None


def is_code(path: Path, policy: Policy) -> bool:
    """True for the suffixes of programs."""
    return path.suffix.lower() in (".py", *policy.overlays.kernel_suffixes)


def is_source(path: Path, policy: Policy) -> bool:
    """True for programs and for tables of tuned settings, by suffix and name; rows and claims are neither."""
    table = path.suffix.lower() in policy.overlays.table_suffixes and path.name not in policy.layout.claim_files
    return is_code(path, policy) or table


def below(directory: Path, policy: Policy, skip: tuple[str, ...] = ()) -> Iterator[Path]:
    """Regular files below a directory, sorted, hidden ones and caches left out, links not followed, up to the policy's count."""
    left = policy.overlays.max_files
    todo = [directory]
    walked = 0
    while todo and walked < policy.limits.walk_dirs:
        place = todo.pop(0)
        walked += 1
        for path in files.entries(place):
            if path.name.startswith((".", "__pycache__")) or path.name in skip:
                continue
            if path.is_dir():
                if not path.is_symlink():
                    todo.append(path)
            elif is_source(path, policy) and left > 0:
                left -= 1
                yield path


def read(run_dir: Path, path: Path, policy: Policy) -> SourceFile:
    """One file, within the limits on sources."""
    name = files.plain(Path(os.path.relpath(path, run_dir)).as_posix())
    limits = msgspec.structs.replace(policy.limits, file_bytes=policy.overlays.file_bytes)
    try:
        data = files.read(run_dir, path, limits)
    except DamageError as error:
        return SourceFile(Source(name), problem=error.what)
    return examine(Source(name, files.sha256(data)), data, policy)


def examine(source: Source, data: bytes, policy: Policy) -> SourceFile:
    """The facts in the bytes of one file, by its suffix."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return SourceFile(source, problem=f"not UTF-8 (byte {error.start})")
    suffix = Path(source.file).suffix.lower()
    if suffix == ".py":
        return _python(source, text, policy.overlays)
    if suffix in policy.overlays.table_suffixes:
        found, problem = _table(data, text, suffix, policy)
        return SourceFile(source, tuple(found), not text.strip(), problem)
    return SourceFile(source, tuple(_native(text, policy.overlays)), not _COMMENTS.sub("", text).strip())


def _python(source: Source, text: str, policy: Sources) -> SourceFile:
    tree = syntax.parse(text, policy)
    if isinstance(tree, str):
        return SourceFile(source, problem=tree)
    cut = [fact._replace(detail=fact.detail[: policy.detail_chars]) for fact in readers.facts(tree)]
    return SourceFile(source, tuple(cut), syntax.is_empty(tree))


def _native(text: str, policy: Sources) -> Iterator[Fact]:
    """C++, CUDA and HIP: marks of a kernel, the first one alone."""
    for mark in policy.kernel_marks:
        at = text.find(mark)
        if at >= 0:
            yield Fact("authored_kernel", text.count("\n", 0, at) + 1, mark)
            return


def _table(data: bytes, text: str, suffix: str, policy: Policy) -> tuple[list[Fact], str | None]:
    """A JSON or CSV file of tuned settings."""
    rules = policy.overlays
    if not text.strip():
        return [], None
    if suffix == ".json":
        try:
            value = strict.document(data, policy.limits)
        except DamageError as error:
            return [], error.what
        if (target := _rebound(value)) is not None:
            line = next((n for n, row in enumerate(text.splitlines(), start=1) if '"target"' in row), 1)
            return [Fact("rebind", line, target[: rules.detail_chars])], None
        keys = [key for key in _keys(value) if syntax.matches(key, rules.table_keys)]
    else:
        header = next(csv.reader(text.splitlines()[:1]), [])
        keys = [key.strip() for key in header if syntax.matches(key.strip(), rules.table_keys)]
    named = list(dict.fromkeys(keys))
    if len(named) < rules.table_min_keys:
        return [], None
    line = next((n for n, row in enumerate(text.splitlines(), start=1) if json.dumps(named[0]) in row or named[0] in row), 1)
    return [Fact("tuning_table", line, ", ".join(named[:4]))], None


def _rebound(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """What the description of one of our overlays puts in the place of something; None for any other file."""
    if not isinstance(value, dict) or value.get("schema") != MANIFEST:
        return None
    return f"{value.get('target')} by {value.get('entry')}"


def _keys(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    todo = [value]
    while todo:
        item = todo.pop(0)
        if isinstance(item, dict):
            yield from item
            todo += item.values()
        elif isinstance(item, list):
            todo += item
