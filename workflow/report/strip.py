"""Strip plot: every timed repeat of every launch, leg by leg, so that a reader sees the scatter that a mean would hide."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from proof.report import svg
from proof.report import words as proof_words
from workflow.report import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, LEFT, RIGHT, HEAD, FOOT = 9.6, 2.1, 0.95, 0.34, 0.5
"""Inches."""
LANE, GAP = 0.17, 0.2
"""Inches of a launch, and between two legs."""
NAME = 24
"""Letters of a leg's name."""
CUT = 0.3
"""An axis begins at 0 unless all marks lie within this share of the largest: then they would be one blot."""
LOOKS = {"aa": (svg.MUTED, "o"), "ref": (svg.MUTED, "o"), "cand": (svg.DEFAULT, "D"), "off": (svg.OTHER, "s")}
OTHER = (svg.STRICT, "^")


class Row(NamedTuple):
    """One leg: its name, its look (a leg's name again), and repeats by launch, tok/s; none for a launch without rows."""

    label: str
    look: str
    launches: tuple[tuple[float, ...], ...]


def rows_of(legs: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The rows of one comparison, in the order of its legs."""
    return [
        Row(words.leg_name(leg["name"]), leg["name"], tuple(tuple(item["tok_s"]) for item in leg["launches"])) for leg in legs
    ]


def draw(rows: Sequence[Row], name: str, title: str) -> svg.Picture | None:
    """The plot; None where no launch has a row."""
    values = [value for row in rows for launch in row.launches for value in launch]
    if not values:
        return None
    from matplotlib.figure import Figure

    height = HEAD + FOOT + sum(LANE * max(len(row.launches), 1) + GAP for row in rows)
    begin = _begin(values)
    with svg.style(name):
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.add_axes((LEFT / WIDTH, FOOT / height, (WIDTH - LEFT - RIGHT) / WIDTH, (height - HEAD - FOOT) / height))
        _frame(axes, (height - HEAD - FOOT), (begin, max(values) * 1.03 - begin * 0.03))
        top = 0.0
        for place, row in enumerate(rows):
            deep = LANE * max(len(row.launches), 1) + GAP
            axes.axhspan(top, top + deep, color=svg.GRID, alpha=0.25 if place % 2 else 0.0, linewidth=0)
            _row(axes, row, top, deep)
            top += deep
        _legend(axes)
        return svg.picture(figure, name, title, _describe(rows))


def _begin(values: Sequence[float]) -> float:
    """Left end of the axis, tok/s: 0, or a round number below every mark where all of them lie close together."""
    low, high = min(values), max(values)
    if high - low > CUT * high or high <= 0:
        return 0.0
    step = 10.0 ** len(str(int(max(high - low, high / 100)))) / 10
    return max(0.0, (low - (high - low) * 0.4) // step * step)


def _frame(axes: Axes, deep: float, span: tuple[float, float]) -> None:
    axes.set_xlim(*(span if span[1] > span[0] else (0.0, 1.0)))
    axes.set_ylim(deep, 0)
    axes.set_yticks([])
    axes.grid(axis="x")
    axes.tick_params(axis="x", length=0)
    axes.spines["left"].set_visible(False)
    cut = f"; the axis begins at {span[0]:g}, NOT at 0" if span[0] > 0 else ""
    axes.set_xlabel(f"output tokens per second{cut}", color=svg.GOAL if cut else svg.INK)


def _row(axes: Axes, row: Row, top: float, deep: float) -> None:
    colour, marker = LOOKS.get(row.look, OTHER)
    middle, across = top + deep / 2, axes.get_yaxis_transform()
    axes.text(-0.015, middle, proof_words.short(row.label, NAME), transform=across, ha="right", va="center", fontweight="bold")
    values = [value for launch in row.launches for value in launch]
    if values:
        whole = statistics.median(values)
        axes.plot([whole, whole], [top + 0.03, top + deep - 0.03], color=colour, linewidth=1, linestyle=(0, (3, 2)))
        axes.text(1.01, middle, words.figure(whole), transform=across, va="center", fontweight="bold", clip_on=False)
    for place, launch in enumerate(row.launches):
        y = top + GAP / 2 + LANE * (place + 0.5)
        if not launch:
            axes.text(0.01, y, f"launch {place + 1}: no rows", transform=across, va="center", fontsize=7.5, color=svg.GOAL)
            continue
        axes.plot([min(launch), max(launch)], [y, y], color=colour, linewidth=0.8)
        axes.plot(list(launch), [y] * len(launch), linestyle="none", marker=marker, markersize=4.2, color=colour, alpha=0.75)
        middle_of = statistics.median(launch)
        axes.plot([middle_of, middle_of], [y - LANE * 0.46, y + LANE * 0.46], color=svg.INK, linewidth=1.8)


def _legend(axes: Axes) -> None:
    from matplotlib.lines import Line2D

    keys = [
        Line2D([], [], linestyle="none", marker="o", markersize=4.2, color=svg.MUTED, label="a timed repeat"),
        Line2D(
            [], [], linestyle="none", marker="|", markersize=9, markeredgewidth=1.8, color=svg.INK, label="median of a launch"
        ),
        Line2D([], [], color=svg.MUTED, linewidth=1, linestyle=(0, (3, 2)), label="median of the leg, printed right"),
    ]
    figure = axes.get_figure()
    if figure is not None:
        figure.legend(handles=keys, loc="upper left", bbox_to_anchor=(LEFT / WIDTH, 1.0), ncols=3, fontsize=8, borderaxespad=0.1)


def _describe(rows: Sequence[Row]) -> str:
    said = []
    for row in rows:
        each = [
            f"launch {place}: {', '.join(words.figure(value) for value in launch) or 'no rows'}"
            for place, launch in enumerate(row.launches, 1)
        ]
        said.append(f"{row.label}, tokens per second of each repeat: {'; '.join(each) or 'no launch'}.")
    return " ".join(said)
