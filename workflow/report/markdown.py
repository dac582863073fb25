"""report.md: the report's facts without plots, every text escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from workflow.report import words


class Verbatim(str):
    """Text of our own that is markdown already."""

    __slots__ = ()


def escape(value: object) -> str:
    """Text from anywhere as one line of markdown that shows it letter by letter."""
    if isinstance(value, Verbatim):
        return value
    line = re.sub(r"[\x00-\x20\x7f\x85\u2028\u2029]+", " ", str(value))
    line = re.sub(r"([\\`*_\[\]<|~&])", r"\\\1", line)
    return re.sub(r"^(\s*\d*)([-+>#.)])", r"\1\\\2", line) if re.match(r"\s*([-+>#]|\d+[.)])(\s|$|[>#])", line) else line


def code_block(text: str) -> Verbatim:
    """A fenced block whose fence is longer than any run of backticks in the text."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return Verbatim(f"{fence}sh\n{text}\n{fence}")


def render(facts: Mapping[str, Any]) -> str:
    """report.md of a report; every text is escaped, an unknown name in the template is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - markdown: `finalize` escapes every expression instead
        finalize=escape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["verbatim"] = Verbatim
    environment.globals.update(code_block=code_block, words=words)
    return environment.get_template("report.md.j2").render(report=facts)
