"""``countersign rows PATH...``: what the auditor reads out of result files, and what it refuses, with the reason."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workflow.errors import UsageError
from workflow.startup import check_packages, require

if TYPE_CHECKING:
    from audit import Surveyed

HEADER = ("file", "dialect", "tok/s", "req/s", "TTFT ms", "TPOT ms", "s", "done/asked", "tokens in/out")
COLUMNS = ("output_throughput", "request_throughput", "ttft_ms", "tpot_ms")


def rows_command(paths: tuple[Path, ...], form: str) -> int:
    """Print one line for each row or refusal. Returns 0; a path that is not there is a usage error."""
    check_packages(audit=True)
    require("audit")
    from audit import as_plain, clean, survey, table

    found: list[tuple[Path, Surveyed]] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: no such file or directory", "Name result files or folders of them.")
        found += [(path, item) for item in survey(path)]
    if form == "json":
        click.echo(
            json.dumps([{"path": str(path), **as_plain(item)} for path, item in found], ensure_ascii=False, sort_keys=True)
        )
        return 0
    lines = [_cells(path, item) for path, item in found if item.refused is None]
    for line in table([HEADER, *lines], indent="") if lines else []:
        click.echo(line)
    for (path, _, why), group in groupby(found, lambda pair: (pair[0], pair[1].file, pair[1].refused)):
        items = [item for _, item in group]
        if why is not None:
            last = f"-{items[-1].line}" if len(items) > 1 else ""
            click.echo(clean(f"{_where(path, items[0])}{last}  refused: {why}"))
    read = sum(item.refused is None for _, item in found)
    click.echo(f"{read} rows read, {len(found) - read} refused")
    return 0


def _where(path: Path, item: Surveyed) -> str:
    place = f"{path.name}/{item.file}" if path.is_dir() else item.file
    return f"{place}:{item.line}" if item.line else place


def _cells(path: Path, item: Surveyed) -> tuple[str, ...]:
    figures = [f"{item.metrics[name]:.6g}" if name in item.metrics else "-" for name in COLUMNS]
    asked = "?" if item.requested is None else str(item.requested)
    tokens = "/".join("?" if value is None else str(value) for value in (item.tokens_in, item.tokens_out))
    kind = f"{item.dialect} ({item.era})"
    return (_where(path, item), kind, *figures, f"{item.duration:.6g}", f"{item.completed}/{asked}", tokens)
