"""Figures and foreign text as words of a report."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Protocol

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Unicode categories that a reader cannot see, or that change how the rest of a line is shown."""


class RateLike(Protocol):
    """What is needed of a rate: shares, and what they were counted from."""

    @property
    def k(self) -> int: ...
    @property
    def n(self) -> int: ...
    @property
    def rate(self) -> float | None: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def digits(low: float, high: float) -> int:
    """Decimals of a percentage that are worth printing, from its interval (percent)."""
    width = high - low
    return 0 if width >= 10 else 1 if width >= 0.9 else 2 if width >= 0.05 else 3


def _enough(value: float, places: int) -> int:
    """More decimals where rounding would turn almost all into all, or almost none into none."""
    while places < 6 and 0 < value < 100 and float(f"{value:.{places}f}") in (0.0, 100.0):
        places += 1
    return places


def _places(rate: RateLike) -> int:
    value = 100 * (rate.rate or 0.0)
    return _enough(value, digits(100 * rate.low, 100 * rate.high))


def _shown(fraction: float, places: int) -> str:
    """None and all are exact, and look it."""
    return f"{100 * fraction:.0f}" if fraction in (0.0, 1.0) else f"{100 * fraction:.{places}f}"


def share(rate: RateLike | None) -> str:
    """``1.2 %``; ``no trials`` without one."""
    if rate is None or rate.rate is None:
        return "no trials"
    return f"{_shown(rate.rate, _places(rate))} %"


def interval(rate: RateLike | None) -> str:
    """``[0.9, 1.6]`` in percent; empty without trials."""
    if rate is None or rate.rate is None:
        return ""
    places = _places(rate)
    return f"[{_shown(rate.low, places)}, {_shown(rate.high, places)}]"


def counts(rate: RateLike | None) -> str:
    """``24 of 2,000``; empty without trials."""
    return "" if rate is None or rate.rate is None else f"{rate.k:,} of {rate.n:,}"


def full(rate: RateLike | None) -> str:
    """``1.2 % [0.9, 1.6] (24 of 2,000)``: the one form in which the report prints a rate."""
    if rate is None or rate.rate is None:
        return "no trials"
    return f"{share(rate)} {interval(rate)} ({counts(rate)})"


def count(number: int, one: str, many: str = "") -> str:
    """``1 world``, ``2,000 worlds``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def figure(value: object) -> str:
    """A number of up to four digits, or any other value as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def listed(items: Sequence[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return f"{', '.join(items[:-1])} {last} {items[-1]}" if len(items) > 1 else "".join(items)


def short(text: str, most: int) -> str:
    """The beginning of a text, with dots where the rest is missing."""
    return text if len(text) <= most else text[: most - 3].rstrip() + "..."


def clean(value: object) -> object:
    """A JSON value whose texts are each one line of visible characters.

    White space becomes one space; what cannot be seen, or turns the direction of writing, is shown as its number.
    """
    if isinstance(value, str):
        line = " ".join(value.split())
        if line.isprintable():
            return line
        return "".join(f"\\u{ord(sign):04x}" if unicodedata.category(sign) in HIDDEN else sign for sign in line)
    if isinstance(value, Mapping):
        return {clean(name): clean(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return value


class Verbatim(str):
    """Text that is Markdown already."""

    __slots__ = ()


def markdown(value: object) -> str:
    """One line of text as Markdown that shows it letter by letter, in a table cell too."""
    if isinstance(value, Verbatim):
        return value
    line = re.sub(r"([\\`*_\[\]<|~&$#])", r"\\\1", str(value))
    return re.sub(r"^(\d*)(>|[-+.)=](?=[\s=-]|$))", r"\1\\\2", line)  # opens a list, a quote, a heading


def code(text: object) -> Verbatim:
    """Inline code: digests, commands and identifiers, whatever stands in them."""
    line = str(text).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return Verbatim(f"{fence}{pad}{line}{pad}{fence}")
