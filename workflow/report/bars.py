"""Bars of two profiles: each operation's share of the time before the changes and after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from proof.report import svg
from proof.report import words as proof_words
from workflow.report import words
from workflow.report.evidence import finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, LEFT, RIGHT, ROW, HEAD, FOOT = 9.6, 2.6, 0.9, 0.5, 0.4, 0.62
"""Inches."""
NAME, MOST = 34, 12
"""Letters of an operation's name, and operations shown."""


class Op(NamedTuple):
    """One operation: its share of the time in percent; None where a profile does not have it."""

    name: str
    before: float | None
    after: float | None


def ops_of(profiles: Sequence[Mapping[str, Any]]) -> list[Op]:
    """Operations of the first and the last profile, the largest share first; rows of one operation are added up."""
    before, after = (_shares(item["ops"]) for item in (profiles[0], profiles[-1]))
    found = [
        Op(name, before.get(name), after.get(name) if len(profiles) > 1 else None) for name in dict.fromkeys([*before, *after])
    ]
    return sorted(found, key=lambda op: (-max(op.before or 0.0, op.after or 0.0), op.name))[:MOST]


def _shares(ops: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for op in ops:
        share, known = finite(op["share_pct"]), found.get(op["op"])
        found[op["op"]] = known if share is None else share + (known or 0.0)
    return found


def draw(profiles: Sequence[Mapping[str, Any]]) -> svg.Picture | None:
    """The bars; None without a profile that has an operation."""
    found = ops_of(profiles) if profiles else []
    if not found:
        return None
    from matplotlib.figure import Figure

    height = HEAD + FOOT + ROW * len(found)
    with svg.style("profile-bars"):
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.add_axes((LEFT / WIDTH, FOOT / height, (WIDTH - LEFT - RIGHT) / WIDTH, ROW * len(found) / height))
        axes.set_xlim(0, max([1.0, *(value for op in found for value in (op.before, op.after) if value)]))
        axes.set_ylim(len(found) - 0.5, -0.5)
        axes.set_yticks(range(len(found)), [proof_words.short(op.name, NAME) for op in found])
        axes.grid(axis="x")
        axes.tick_params(length=0)
        axes.set_xlabel("share of the profiled time, percent")
        for place, op in enumerate(found):
            _bar(axes, place - 0.19, op.before, svg.MUTED, "")
            _bar(axes, place + 0.19, op.after, svg.DEFAULT, "//")
        if len(profiles) > 1:
            _legend(axes)
        title = "Where the time goes, before and after" if len(profiles) > 1 else "Where the time goes"
        return svg.picture(figure, "profile-bars", title, _describe(found))


def _bar(axes: Axes, place: float, value: float | None, colour: str, hatch: str) -> None:
    if value is None:
        return
    axes.barh([place], [value], height=0.34, color=colour, alpha=0.55, hatch=hatch, edgecolor=colour, linewidth=0.8)
    axes.text(value, place, f" {words.number(value)} %", va="center", fontsize=8)


def _legend(axes: Axes) -> None:
    from matplotlib.patches import Patch

    keys = [
        Patch(facecolor=svg.MUTED, alpha=0.55, edgecolor=svg.MUTED, label="first profile"),
        Patch(facecolor=svg.DEFAULT, alpha=0.55, edgecolor=svg.DEFAULT, hatch="//", label="last profile"),
    ]
    figure = axes.get_figure()
    if figure is not None:
        figure.legend(handles=keys, loc="upper left", ncols=2, fontsize=8, borderaxespad=0.1)


def _describe(found: Sequence[Op]) -> str:
    return " ".join(f"{op.name}: before {words.percent(op.before)}, after {words.percent(op.after)}." for op in found)
