"""Plot of false accepts: each world a row, each rule a mark with its interval, what noticed beside it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from proof.report import svg, words
from proof.report.shape import Before, OfPolicy, Rate, World

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GOAL_PCT = 5.0
WIDTH, LEFT, RIGHT, ROW = 10.4, 2.1, 2.9, 0.46
"""Inches."""
HEAD, FOOT = 0.55, 0.62
NAME, NOTE, NOTES = 27, 52, 3
"""Letters of a world's name and of a line beside it, and lines."""


class Mark(NamedTuple):
    """How a rule looks: told apart by shape, by place in the row and by colour."""

    words: str
    colour: str
    marker: str
    line: Literal["-", "--", "-.", ":"]


MARKS = {
    "range rule": Mark("range rule of the field", svg.RULE, "s", "--"),
    "default": Mark("Countersign, default policy", svg.DEFAULT, "o", "-"),
    "strict": Mark("Countersign, strict policy", svg.STRICT, "^", ":"),
}


def mark(policy: str) -> Mark:
    """Of a policy; one that is not known gets the fourth look."""
    return MARKS.get(policy, Mark(policy, svg.OTHER, "D", "-."))


def order(policies: Sequence[str]) -> list[str]:
    """Policies, those with a look of their own first."""
    return [name for name in MARKS if name in policies] + sorted(set(policies) - set(MARKS))


def draw(worlds: Sequence[World]) -> svg.Picture | None:
    """The plot; None where no world has a trial."""
    rates = [item.per_campaign for world in worlds for item in world.policies if item.per_campaign.rate is not None]
    if not rates:
        return None
    from matplotlib.figure import Figure

    groups = [(words_, found) for words_, found in grouped(worlds) if found]
    rows = sum(len(found) + 1 for _, found in groups)
    height = HEAD + FOOT + rows * ROW
    floor = _floor(rates)
    title = "False accepts per campaign of candidates that bring nothing, world by world"
    with svg.style("accepts"):
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.add_axes((
            LEFT / WIDTH, FOOT / height, (WIDTH - LEFT - RIGHT) / WIDTH, rows * ROW / height,
        ))  # fmt: skip
        _frame(axes, rows, floor)
        place = 0
        for heading, found in groups:
            axes.text(
                0.01 - LEFT / (WIDTH - LEFT - RIGHT),
                place,
                heading,
                transform=axes.get_yaxis_transform(),
                fontweight="bold",
                va="center",
            )
            place += 1
            for world in found:
                _world(axes, place, world, floor)
                place += 1
        _legend(axes, worlds)
        return svg.picture(figure, "accepts", title, _describe(worlds))


def grouped(worlds: Sequence[World]) -> list[tuple[str, list[World]]]:
    """Worlds that meet the stated assumptions, then those that do not."""
    return [
        ("Worlds that meet the stated assumptions", [world for world in worlds if world.meets_assumptions]),
        ("Worlds that do not meet them", [world for world in worlds if not world.meets_assumptions]),
    ]


def _floor(rates: Sequence[Rate]) -> float:
    """Left end of the axis, percent: a power of ten below every share but 0, which is drawn at this end."""
    least = min([100 * rate.rate for rate in rates if rate.rate] or [1.0])
    return max(1e-4, min(0.01, 10.0 ** (math.ceil(math.log10(least)) - 1)))


def _frame(axes: Axes, rows: int, floor: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    axes.set_xlim(floor * 0.7, 140)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(LogLocator(base=10, numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: "0" if value <= floor * 1.01 else f"{value:g} %"))
    axes.grid(axis="x")
    axes.axvline(GOAL_PCT, color=svg.GOAL, linewidth=1, linestyle=(0, (4, 3)))
    axes.text(
        GOAL_PCT, 1.002, f"goal {GOAL_PCT:g} %", transform=axes.get_xaxis_transform(), color=svg.GOAL, fontsize=8, ha="center",
        va="bottom",
    )  # fmt: skip
    axes.text(1.03, 1.002, "how often a gate notices", transform=axes.transAxes, color=svg.MUTED, fontsize=8, va="bottom")
    axes.set_xlabel("campaigns with at least one false accept (log scale; bars are 95 % intervals; lower is better)")
    axes.tick_params(axis="x", length=0)
    axes.spines["left"].set_visible(False)


def _world(axes: Axes, place: int, world: World, floor: float) -> None:
    axes.axhspan(place - 0.5, place + 0.5, color=svg.GRID, alpha=0.25 if place % 2 else 0.0, linewidth=0)
    axes.text(
        -0.02, place, words.short(world.name, NAME), transform=axes.get_yaxis_transform(), ha="right", va="center", clip_on=False
    )
    shown = order([item.policy for item in world.policies])
    for item in world.policies:
        _mark(axes, place + 0.26 * (shown.index(item.policy) - (len(shown) - 1) / 2), item, floor)
        if item.policy == "default" and world.before is not None and world.before.per_campaign is not None:
            _before(axes, place + 0.26 * (shown.index("default") - (len(shown) - 1) / 2), (world.before, item), floor)
    for line, text in enumerate(_notes(world)):
        axes.text(
            1.03, place + 0.27 * (line - (len(_notes(world)) - 1) / 2), text, transform=axes.get_yaxis_transform(), fontsize=7.5,
            va="center", color=svg.MUTED,
        )  # fmt: skip


def _notes(world: World) -> list[str]:
    if world.meets_assumptions:
        return []
    said = [f"{item.gate} {words.share(item.rate)} of {item.of}" for item in world.detections if item.rate.n]
    lines = [line for text in said for line in textwrap.wrap(text, NOTE)]
    if len(lines) > NOTES:
        lines = [words.short(text, NOTE) for text in said]
    return lines if len(lines) <= NOTES else [*lines[: NOTES - 1], "and more: see the table"]


def _mark(axes: Axes, y: float, item: OfPolicy, floor: float) -> None:
    rate, look = item.per_campaign, mark(item.policy)
    if rate.rate is None:
        return
    ends = [max(floor, 100 * value) for value in (rate.low, rate.high)]
    axes.plot(ends, [y, y], color=look.colour, linewidth=1.6, solid_capstyle="butt")
    at = max(floor, 100 * rate.rate)
    axes.plot([at], [y], marker=look.marker, color=look.colour, markersize=5.5 if rate.rate else 4, clip_on=False)


def _before(axes: Axes, y: float, both: tuple[Before, OfPolicy], floor: float) -> None:
    was, now = both[0].per_campaign, both[1].per_campaign
    if was is None or was.rate is None or now.rate is None:
        return
    at = [max(floor, 100 * value) for value in (was.rate, now.rate)]
    axes.plot(at, [y, y], color=svg.DEFAULT, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.plot([at[0]], [y], marker="o", markersize=5.5, markerfacecolor="none", markeredgecolor=svg.DEFAULT)


def _legend(axes: Axes, worlds: Sequence[World]) -> None:
    from matplotlib.lines import Line2D

    names = order([item.policy for world in worlds for item in world.policies])
    keys = [
        Line2D([], [], color=mark(name).colour, marker=mark(name).marker, markersize=5.5, linewidth=1.6, label=mark(name).words)
        for name in names
    ]
    if any(world.before is not None and world.before.per_campaign is not None for world in worlds):
        keys.append(
            Line2D([], [], marker="o", markersize=5.5, markerfacecolor="none", markeredgecolor=svg.DEFAULT, linewidth=0,
                   label="default policy, as it was before")
        )  # fmt: skip
    figure = axes.get_figure()
    if figure is not None:
        figure.legend(handles=keys, loc="upper left", bbox_to_anchor=(0.0, 1.0), ncols=4, fontsize=8, borderaxespad=0.2)


def _describe(worlds: Sequence[World]) -> str:
    said = []
    for world in worlds:
        rates = [f"{mark(item.policy).words} {words.share(item.per_campaign)}" for item in world.policies]
        said.append(f"{world.name}: {', '.join(rates) or 'no rates'}.")
    return " ".join(said)
