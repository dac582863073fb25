"""The compiled graph as the Mermaid diagram in docs/graph.md: ``python -m tests.support.mermaid`` writes it anew."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.graphs import EVERYTHING, compiled

PAGE = Path(__file__).resolve().parents[2] / "docs" / "graph.md"
UPDATE = "python -m tests.support.mermaid"
_BLOCK = re.compile(r"```mermaid\n.*?```", re.DOTALL)


def diagram() -> str:
    """The graph with everything in it, as LangGraph draws it, in its fence."""
    drawn: str = compiled(EVERYTHING).get_graph().draw_mermaid()
    return f"```mermaid\n{drawn.strip()}\n```"


def page(text: str) -> str:
    """The page with today's diagram in place of its own."""
    return _BLOCK.sub(lambda _: diagram(), text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
