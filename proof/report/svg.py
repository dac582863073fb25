"""A drawn figure as SVG that stands inside a page: no file, no foreign address, colours that follow the reader's screen."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, GRID, GOAL = "#1c2733", "#5b6770", "#d5dae0", "#a11d2e"
RULE, DEFAULT, STRICT, OTHER = "#b3541e", "#1f5fa8", "#1d7a57", "#7a4b9e"
COLOURS = {
    INK: "--ink", MUTED: "--muted", GRID: "--grid", GOAL: "--bad",
    RULE: "--rule", DEFAULT: "--default", STRICT: "--strict", OTHER: "--other",
}  # fmt: skip
"""What is drawn with -> the page's own property, which has a value for light and for dark."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and copied
    "svg.image_inline": True,
    "text.parse_math": False,  # a name with two dollar signs is a name
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib, so what is measured is the same everywhere
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


class Picture(NamedTuple):
    """A figure beside the words that replace it."""

    svg: str
    title: str
    desc: str


@contextmanager
def style(salt: str) -> Iterator[None]:
    """Draw with our settings alone, whatever the reader's matplotlibrc says; ``salt`` makes the names inside a figure its own."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+")  # the browser has the sign that DejaVu lacks
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**STYLE, "svg.hashsalt": salt})
        yield


def picture(figure: Figure, name: str, title: str, desc: str) -> Picture:
    """The figure as one ``<svg>`` element with title and description; call it within ``style``."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>", "", buffer.getvalue(), flags=re.DOTALL)
    root = ElementTree.fromstring(text)  # noqa: S314 - our own drawing, its document type cut off
    for node in root.iter():
        for child in [item for item in node if item.tag.rpartition("}")[2] in ("metadata", "title", "style")]:
            node.remove(child)
    used = {word for node in root.iter() for value in node.attrib.values() for word in _pointed(value)}
    for node in root.iter():
        _localise(node, name, used)
    for tag, words in (("desc", desc), ("title", title)):
        child = ElementTree.Element(tag, {"id": f"{name}-{tag}"})
        child.text = words
        root.insert(0, child)
    size = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib.update({
        "viewBox": size, "id": name, "role": "img", "aria-labelledby": f"{name}-title {name}-desc", "class": "plot",
    })  # fmt: skip
    return Picture(ElementTree.tostring(root, encoding="unicode"), title, desc)


def _pointed(value: str) -> list[str]:
    """Names that an attribute points to."""
    return re.findall(r"url\(#([^)]+)\)", value) or re.findall(r"^#([A-Za-z].*)$", value)


def _localise(node: ElementTree.Element, name: str, used: set[str]) -> None:
    """Names get the figure's own prefix, or go where nothing points to them; colours become properties of the page."""
    node.tag = node.tag.rpartition("}")[2]
    for key in list(node.attrib):
        value = node.attrib.pop(key)
        local = key.rpartition("}")[2]
        if local == "id":
            if value in used:
                node.set("id", f"{name}-{value}")
            continue
        value = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", value)
        if local == "href":
            value = f"#{name}-{value.removeprefix('#')}"
        if local == "style":
            value = _dressed(value)
        node.set(local, value)


def _dressed(style_text: str) -> str:
    text = re.sub(r"font:[^;]*?([\d.]+)px[^;]*", r"font-size: \1px", style_text)
    for colour, name in COLOURS.items():
        text = text.replace(colour, f"var({name}, {colour})")
    return text
