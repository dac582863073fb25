"""``countersign examples``: what there is to try an audit on, and copies of it."""

from __future__ import annotations

import shlex
import textwrap
from pathlib import Path
from typing import Any

import click

from workflow.examples import EXAMPLES, Example, copy, example, size
from workflow.plain import megabytes, one_line, path_text, to_json

LIST_SCHEMA = "countersign.examples/1"  # 1: first form
COPY_SCHEMA = "countersign.example_copied/1"  # 1: first form
WIDTH = 100


def examples_command(name: str | None, directory: Path | None, *, machine: bool) -> int:
    """List the examples, show one, or copy one to ``directory``. Returns 0."""
    if name is not None and directory is not None:
        return _copy(example(name), directory, machine=machine)
    shown = EXAMPLES if name is None else (example(name),)
    if machine:
        click.echo(to_json({"schema": LIST_SCHEMA, "examples": [_plain(item) for item in shown]}))
    else:
        click.echo("\n\n".join(_told(item) for item in shown))
    return 0


def _copy(item: Example, directory: Path, *, machine: bool) -> int:
    copied = copy(item, directory)
    step = f"countersign audit {shlex.quote(str(directory))}"
    if machine:
        plain = {**_plain(item), "directory": path_text(directory)}
        click.echo(to_json({"schema": COPY_SCHEMA, **plain}))
        return 0
    click.echo(one_line(f"{directory}: {copied.files} files, {megabytes(copied.bytes)}"))
    click.echo(f"expect: {_expected(item)}")
    click.echo(one_line(f"next: {step}"))
    return 0


def _told(item: Example) -> str:
    here = size(item)
    scopes = ", ".join(dict.fromkeys(asked.scope for asked in item.expect))
    about = textwrap.fill(item.about, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(
        [
            f"{item.name}: {_expected(item)}",
            f"    {item.origin}, scope {scopes}, {here.files} files, {megabytes(here.bytes)}",
            about,
            f"    {_commands(item)}",
        ]
    )


def _expected(item: Example) -> str:
    """The verdicts in the order of the requests, and what ``audit`` returns."""
    return f"{', '.join(asked.verdict for asked in item.expect)} (exit code {item.exit_code})"


def _commands(item: Example) -> str:
    return f"countersign examples {item.name} try && countersign audit try"


def _plain(item: Example) -> dict[str, Any]:
    here = size(item)
    return {
        "name": item.name,
        "origin": item.origin,
        "about": item.about,
        "expect": [asked._asdict() for asked in item.expect],
        "exit_code": item.exit_code,
        "files": here.files,
        "bytes": here.bytes,
        "command": _commands(item),
    }
