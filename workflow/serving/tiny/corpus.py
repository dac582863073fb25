"""Seeded synthetic corpus of the tiny model: plain instructions and the one right answer to each.

Two tasks. ``tool``: an instruction becomes one JSON tool call. ``code``: an instruction becomes a one-line
Python function. Every instruction carries at least one open slot (a pseudo-word or a number). Slot values are
split by a hash of the value itself, so a value seen in training never occurs in a held-out prompt and the
model can answer held-out prompts only by copying, not by recall.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

Task = Literal["tool", "code"]
Split = Literal["train", "heldout"]

HELD_OUT_SHARE = 8
"""One slot value in this many is held out."""

HELD_OUT_KEYWORDS = frozenset({"del"})
"""Python keywords among the held-out pseudo-words: no name of a function. (Training keeps its two, for and raise: the
shipped weights were made with them.)"""

_ONSETS = ["b", "br", "d", "dr", "f", "g", "gr", "k", "kl", "l", "m", "n", "p", "pl", "r", "s", "st", "t", "tr", "v", "z"]
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ou"]
_CODAS = ["", "", "n", "r", "l", "s", "m"]
_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_UNITS = ["celsius", "fahrenheit"]
_ROOMS = ["kitchen", "bedroom", "office", "garage"]


@dataclass(frozen=True, slots=True)
class Item:
    """One prompt and its only right answer (plain text, without chat markup)."""

    task: Task
    prompt: str
    answer: str


def held_out(value: str) -> bool:
    """True when a slot value belongs to the held-out split (sha256 of the value, one in eight)."""
    return hashlib.sha256(b"slot:" + value.encode()).digest()[0] % HELD_OUT_SHARE == 0


class Slots:
    """Draws open slot values of one split; closed slots (days, units, rooms) are shared by both splits."""

    def __init__(self, rng: random.Random, split: Split) -> None:
        self.rng = rng
        self._want = split == "heldout"

    def word(self, syllables: tuple[int, int] = (2, 3)) -> str:
        """A pseudo-word of two or three syllables, lower case, from this split."""
        while True:
            count = self.rng.randint(*syllables)
            text = "".join(self.rng.choice(_ONSETS) + self.rng.choice(_VOWELS) for _ in range(count))
            text += self.rng.choice(_CODAS)
            if held_out(text) is self._want and text not in HELD_OUT_KEYWORDS:
                return text

    def name(self) -> str:
        """A capitalised pseudo-word."""
        return self.word().capitalize()

    def number(self, low: int = 10, high: int = 999) -> int:
        """An integer in [low, high] from this split."""
        while True:
            value = self.rng.randint(low, high)
            if held_out(str(value)) is self._want:
                return value


def _call(name: str, **arguments: str | int) -> str:
    return json.dumps({"name": name, "arguments": arguments}, separators=(", ", ": "))


def _tool(slots: Slots) -> Item:
    rng = slots.rng
    kind = rng.randrange(8)
    values: tuple[str, ...]
    if kind == 0:
        city, day = slots.name(), rng.choice(_DAYS)
        prompt = rng.choice(
            ["What is the weather in {0} on {1}?", "Tell me the {1} forecast for {0}.", "Will it rain in {0} on {1}?"]
        )
        answer, values = _call("get_weather", city=city, day=day), (city, day)
    elif kind == 1:
        who, about = slots.name(), slots.word()
        prompt = rng.choice(
            ["Send {0} a mail about {1}.", "Write an email to {0} on the subject {1}.", "Mail {0} regarding {1}."]
        )
        answer, values = _call("send_mail", to=who, subject=about), (who, about)
    elif kind == 2:
        minutes, label = slots.number(), slots.word()
        prompt = rng.choice(
            ["Set a timer of {0} minutes for {1}.", "Start a {0} minute timer called {1}.", "Remind me of {1} in {0} minutes."]
        )
        answer, values = _call("set_timer", minutes=minutes, label=label), (str(minutes), label)
    elif kind == 3:
        artist = slots.name()
        prompt = rng.choice(["Play something by {0}.", "Put on music by {0}.", "I want to hear {0}."])
        answer, values = _call("play_music", artist=artist), (artist,)
    elif kind == 4:
        room, degrees, unit = rng.choice(_ROOMS), slots.number(10, 99), rng.choice(_UNITS)
        prompt = rng.choice(["Set the {0} to {1} degrees {2}.", "Make the {0} {1} {2}.", "Heat the {0} to {1} {2}."])
        answer, values = _call("set_heating", room=room, degrees=degrees, unit=unit), (room, str(degrees), unit)
    elif kind == 5:
        place, people, day = slots.name(), slots.number(10, 99), rng.choice(_DAYS)
        prompt = rng.choice(
            ["Book a table at {0} for {1} on {2}.", "Reserve {0} on {2} for {1} people.", "On {2} we are {1} at {0}."]
        )
        answer, values = _call("book_table", place=place, people=people, day=day), (place, str(people), day)
    elif kind == 6:
        ticket, owner = slots.number(100, 999), slots.name()
        prompt = rng.choice(["Assign ticket {0} to {1}.", "Give {1} ticket {0}.", "{1} takes over ticket {0}."])
        answer, values = _call("assign_ticket", id=ticket, owner=owner), (str(ticket), owner)
    else:
        query, limit = slots.word(), slots.number(10, 99)
        prompt = rng.choice(["Find {1} results for {0}.", "Search {0} and show {1} hits.", "Look up {0}, at most {1} results."])
        answer, values = _call("search", query=query, limit=limit), (query, str(limit))
    return Item("tool", prompt.format(*values), answer)


_CODE: list[tuple[list[str], str]] = [
    (["adds {n} to {a}", "returns {a} plus {n}"], "{a} + {n}"),
    (["subtracts {n} from {a}", "returns {a} minus {n}"], "{a} - {n}"),
    (["multiplies {a} by {n}", "returns {a} times {n}"], "{a} * {n}"),
    (["tells whether {a} is above {n}", "returns true if {a} exceeds {n}"], "{a} > {n}"),
    (["tells whether {a} is below {n}", "returns true if {a} is less than {n}"], "{a} < {n}"),
    (["returns the remainder of {a} by {n}", "gives {a} modulo {n}"], "{a} % {n}"),
    (["returns the first {n} items of {a}", "takes {n} items from the front of {a}"], "{a}[:{n}]"),
    (["returns the last {n} items of {a}", "takes {n} items from the end of {a}"], "{a}[-{n}:]"),
    (["repeats {a} {n} times in a list", "builds a list of {n} times {a}"], "[{a}] * {n}"),
    (["caps {a} at {n}", "returns {a} but at most {n}"], "min({a}, {n})"),
    (["raises {a} to at least {n}", "returns {a} but at least {n}"], "max({a}, {n})"),
    (["adds {a} and {b}", "returns {a} plus {b}"], "{a} + {b}"),
    (["returns the larger of {a} and {b}", "picks the maximum of {a} and {b}"], "max({a}, {b})"),
    (["returns the length of {a}", "counts the items of {a}"], "len({a})"),
    (["reverses {a}", "returns {a} backwards"], "{a}[::-1]"),
    (["keeps the items of {a} above {n}", "filters {a} to values over {n}"], "[x for x in {a} if x > {n}]"),
]


def _code(slots: Slots) -> Item:
    rng = slots.rng
    texts, body = rng.choice(_CODE)
    func, arg_a, arg_b = slots.word(), slots.word((1, 2)), slots.word((1, 2))
    while len({func, arg_a, arg_b}) < 3:
        arg_b = slots.word((2, 3))
        arg_a = slots.word((2, 3))
    number = slots.number(10, 999)
    values = {"a": arg_a, "b": arg_b, "n": number}
    head = rng.choice(["Write a function {f} that {t}.", "Define {f}, which {t}.", "Python function {f}: {t}."])
    text = rng.choice(texts).format(**values)
    params = f"{arg_a}, {arg_b}" if "{b}" in body else arg_a
    return Item("code", head.format(f=func, t=text), f"def {func}({params}): return {body.format(**values)}")


def stream(seed: int | str, split: Split, task: Task | None = None) -> Iterator[Item]:
    """Endless distinct items of a split, the same for the same seed; both tasks alternate unless one is named."""
    rng = random.Random(f"countersign-tiny:{split}:{seed}")
    slots = Slots(rng, split)
    seen: set[str] = set()
    while True:
        chosen = task or ("tool" if len(seen) % 2 == 0 else "code")
        item = _tool(slots) if chosen == "tool" else _code(slots)
        if item.prompt not in seen:
            seen.add(item.prompt)
            yield item


def draw(seed: int | str, count: int, split: Split, task: Task | None = None) -> list[Item]:
    """The first ``count`` items of ``stream``."""
    return list(islice(stream(seed, split, task), count))
