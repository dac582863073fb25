"""docs/graph.md shows the graph that is compiled."""

from __future__ import annotations

from tests.support.graphs import EVERYTHING, compiled, nodes_of
from tests.support.mermaid import PAGE, UPDATE, diagram, page


def test_the_page_shows_the_compiled_graph() -> None:
    """The diagram is drawn again and compared, character for character."""
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, f"{PAGE.name} shows another graph than the one that is compiled; if that is meant: {UPDATE}"
    assert diagram() in text


def test_every_node_stands_in_it() -> None:
    """Those of the auditor and of the kernel track, too."""
    drawn = diagram()
    missing = [name for name in nodes_of(EVERYTHING) if f"{name}(" not in drawn]
    assert not missing and "audit_harness" in drawn


def test_without_an_auditor_none_of_its_nodes_is_there() -> None:
    """Another graph is compiled, not another path taken."""
    plain = EVERYTHING.model_copy(update={"use_auditor": False})
    assert set(nodes_of(EVERYTHING)) - set(nodes_of(plain)) == {
        "audit_baseline",
        "audit_final",
        "audit_harness",
        "audit_patch",
        "audit_profile",
        "fix",
    }
    assert not {edge.target for edge in compiled(plain).get_graph().edges if "audit" in edge.target}
