"""Plot of power: how likely a true gain is accepted, by its size, one small panel a world."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from proof.report import svg, words
from proof.report.accepts import mark, order
from proof.report.shape import Power, World

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS, PANEL_W, PANEL_H = 3, 3.3, 2.2
"""Panels in a row; inches."""
HEAD, FOOT = 0.4, 0.3
TICKS = (0.3, 1.0, 3.0, 10.0, 30.0)


def draw(worlds: Sequence[World], name: str, title: str) -> svg.Picture | None:
    """The plot of those worlds that have power figures; None without any."""
    shown = [world for world in worlds if any(item.accepted.rate is not None and item.gain_pct > 0 for item in world.power)]
    if not shown:
        return None
    from matplotlib.figure import Figure

    rows = math.ceil(len(shown) / COLUMNS)
    width, height = COLUMNS * PANEL_W, HEAD + FOOT + rows * PANEL_H
    gains = [item.gain_pct for world in shown for item in world.power if item.gain_pct > 0]
    span = (min([*gains, TICKS[0]]) * 0.85, max([*gains, TICKS[-1]]) * 1.15)
    with svg.style(name):
        figure = Figure(figsize=(width, height))
        for place, world in enumerate(shown):
            row, column = divmod(place, COLUMNS)
            box = (
                (column * PANEL_W + 0.5) / width,
                1 - (HEAD + (row + 1) * PANEL_H - 0.42) / height,
                (PANEL_W - 0.65) / width,
                (PANEL_H - 0.78) / height,
            )
            _panel(figure.add_axes(box), world, span)
        figure.supxlabel("true gain, percent (log scale)", fontsize=9, y=0.12 / height)
        _legend(figure.add_axes((0, 0, 1, 1), frameon=False), shown)
        return svg.picture(figure, name, title, _describe(shown))


def _panel(axes: Axes, world: World, span: tuple[float, float]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log")
    axes.set_xlim(*span)
    axes.set_ylim(-4, 104)
    axes.xaxis.set_major_locator(FixedLocator(list(TICKS)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_locator(FixedLocator([0, 50, 100]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
    axes.tick_params(length=0, labelsize=8)
    axes.grid()
    axes.set_title(words.short(world.name, 32), fontsize=9, fontweight="bold", loc="left")
    for policy in order([item.policy for item in world.power]):
        _curve(axes, policy, [item for item in world.power if item.policy == policy])
    if world.true_wins is not None and world.true_wins.gain_pct > 0:
        axes.axvline(world.true_wins.gain_pct, color=svg.MUTED, linewidth=1, linestyle=(0, (1, 2)))


def _curve(axes: Axes, policy: str, points: Sequence[Power]) -> None:
    look = mark(policy)
    found = sorted(
        (item for item in points if item.gain_pct > 0 and item.accepted.rate is not None), key=lambda item: item.gain_pct
    )
    gains = [item.gain_pct for item in found]
    low, high = [100 * item.accepted.low for item in found], [100 * item.accepted.high for item in found]
    axes.fill_between(gains, low, high, color=look.colour, alpha=0.18, linewidth=0)
    axes.plot(
        gains, [100 * (item.accepted.rate or 0.0) for item in found], color=look.colour, linestyle=look.line, linewidth=1.6,
        marker=look.marker, markersize=3.6,
    )  # fmt: skip


def _legend(axes: Axes, worlds: Sequence[World]) -> None:
    from matplotlib.lines import Line2D

    axes.set_axis_off()
    keys = [
        Line2D([], [], color=look.colour, linestyle=look.line, marker=look.marker, markersize=4, linewidth=1.6, label=look.words)
        for look in (mark(name) for name in order([item.policy for world in worlds for item in world.power]))
    ]
    if any(world.true_wins is not None for world in worlds):
        keys.append(
            Line2D([], [], color=svg.MUTED, linestyle=(0, (1, 2)), linewidth=1, label="98 %-power effect of the whole rule")
        )
    axes.legend(handles=keys, loc="upper left", ncols=4, fontsize=8, borderaxespad=0.2)


def _describe(worlds: Sequence[World]) -> str:
    said = []
    for world in worlds:
        points = sorted(
            (item.gain_pct, item.policy, words.share(item.accepted)) for item in world.power if item.policy == "default"
        )
        said.append(f"{world.name}: {', '.join(f'{gain:g} % gain accepted {rate}' for gain, _, rate in points)}.")
    return "Default policy. " + " ".join(said)
