"""Names of kernels: which operation a symbol is a variant of, its family, and whether its source is at hand."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from audit.policy import Symbols

Origin = Literal["closed", "open", "unknown"]
_MANGLED = re.compile(r"_ZN?K?")
_PART = re.compile(r"\d+")
_NOISE = re.compile(r"\(anonymous namespace\)(?:::)?|\[clone [^\]]*\]|->|\.kd$")
_DISPATCHED = re.compile(r"[a-z_]\w*::[\w.]+")
"""A dispatcher's operator (``aten::mm``): its namespace tells it from another one's."""


class Symbol(NamedTuple):
    """What a raw name stands for."""

    op: str
    family: str
    origin: Origin


class Split(NamedTuple):
    """A C++ signature: the qualified name without template arguments, and those arguments."""

    name: str
    template: str


class Namer:
    """Answers for one policy; raw names repeat by the hundred thousand, so answers are kept."""

    def __init__(self, rules: Symbols) -> None:
        self._rules = rules
        self._known: dict[str, Symbol] = {}
        self._strip = [re.compile(item) for item in rules.strip]
        self._generic, self._functor = re.compile(rules.generic), re.compile(rules.functor)
        self._fold = [(op, re.compile(item)) for op, item in rules.fold.items()]
        self._families = [(name, re.compile(item)) for name, item in rules.families.items()]
        self._closed, self._open = re.compile(rules.closed), re.compile(rules.open)

    def __call__(self, raw: str) -> Symbol:
        """The operation of a raw name."""
        found = self._known.get(raw)
        if found is None:
            found = self._known[raw] = self._judge(raw[: self._rules.name_chars].strip())
        return found

    def _judge(self, raw: str) -> Symbol:
        text = demangled(raw)
        op = next((op for op, pattern in self._fold if pattern.search(text)), None) or self._canonical(text, raw)
        family = next((name for name, pattern in self._families if pattern.search(text)), "other")
        origin: Origin = "closed" if self._closed.search(text) else "open" if self._open.search(text) else "unknown"
        return Symbol(op, family, origin)

    def _canonical(self, text: str, raw: str) -> str:
        if _DISPATCHED.fullmatch(raw):
            return raw
        split = split_signature(text)
        base = split.name.rpartition("::")[2].strip() or split.name or text
        base = self._stripped(base)
        if self._generic.fullmatch(base):
            inner = self._functor.search(split.template)
            if inner:
                return f"{base}<{inner.group(1)}>"
        return base

    def _stripped(self, base: str) -> str:
        """Without what tuning and compilation append, as often as they append it."""
        before = ""
        while before != base:
            before = base
            for pattern in self._strip:
                base = pattern.sub("", base) or base
        return base.strip("_ ") or base


def demangled(raw: str) -> str:
    """The qualified name in an Itanium-mangled symbol, as far as it is plain names; anything else unchanged."""
    start = _MANGLED.match(raw)
    if start is None:
        return raw
    at, parts = start.end(), list[str]()
    while (length := _PART.match(raw, at)) is not None:
        at = length.end() + int(length.group())
        if length.end() - length.start() > 4 or at > len(raw):
            break
        parts.append(raw[length.end() : at])
        if not raw.startswith("_ZN"):
            break
    plain = [part for part in parts if not part.startswith("_GLOBAL_")]
    return "::".join(plain) or raw


def split_signature(text: str) -> Split:
    """``void a::b<c<d>>(e)`` is ``a::b`` with ``c<d>``; a name that was cut off in the middle ends where it was cut."""
    flat = _NOISE.sub("", text.removeprefix("void ").strip()).lstrip(": ")
    outside: list[str] = []
    inside: list[str] = []
    depth = 0
    for char in flat:
        if char == "(" and depth == 0:
            break
        if char == ">" and depth > 0:
            depth -= 1
        if depth == 0 and char not in "<>":
            outside.append(char)
        elif depth > 0:
            inside.append(char)
        if char == "<":
            depth += 1
    return Split("".join(outside).strip(), "".join(inside))
