"""Settings that a claim file asserts: a walk through objects whose shape nobody promised."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

from audit.policy import ClaimFile, Claims

Json = Any
SAME = "*"
"""The key of a claim that everything is the same."""


class Said(NamedTuple):
    """One setting: where, key as written, leg or empty for both, value. ``subject`` is ``setting`` or ``same``."""

    field: str
    key: str
    leg: str
    value: Json
    subject: str = "setting"


class _At(NamedTuple):
    """Where the walk stands."""

    path: str
    leg: str
    inside: bool
    """Below a key that holds settings: every key counts, not only those the policy names."""


def walk(document: dict[str, Any], rule: ClaimFile, rules: Claims) -> Iterator[Said]:
    """Every setting that a claim file asserts, in the order of the file."""
    for key, value in document.items():
        if key in rule.settings:
            yield from _held(value, _At(key, rule.settings[key], True), rules, key)
        elif key not in rule.fields and rule.about not in ("leg", "bench", "probe"):
            yield from _entry(key, value, _At("", "", False), rules)


def flags(text: str) -> Iterator[tuple[str, Json]]:
    """Settings of a command line: ``--tp 4 --x=1 --flag``; a flag without a value is true."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if not word.startswith("--") or len(word) < 3:
            continue
        name, equals, value = word.partition("=")
        if not equals and at < len(words) and not words[at].startswith("--"):
            value, at, equals = words[at], at + 1, "="
        yield name, value if equals else True


def plain(key: str) -> str:
    """A key as settings are spelled: ``--mem-fraction`` is ``mem_fraction``."""
    return key.lower().lstrip("-").replace("-", "_")


def _entry(key: str, value: Json, at: _At, rules: Claims) -> Iterator[Said]:
    """One member of an object."""
    if value is None:
        return
    name = plain(key)
    where = _At(f"{at.path}.{key}" if at.path else key, at.leg, at.inside)
    if name in rules.legs:
        yield from _held(value, where._replace(leg=rules.legs[name]), rules, "")
    elif name in rules.containers:
        yield from _held(value, where._replace(inside=True), rules, name)
    else:
        leg, bare = _sided(name, rules)
        if at.inside or bare in rules.settings:
            yield from _setting(bare, value, where._replace(leg=leg or at.leg), rules)
        elif isinstance(value, dict):
            for inner, item in value.items():
                yield from _entry(inner, item, where, rules)


def _sided(name: str, rules: Claims) -> tuple[str, str]:
    """``ref_tp`` and ``tp_ref`` are ``tp`` of the reference; a name that is a setting as it stands is left alone."""
    if name in rules.settings:
        return "", name
    for word, leg in rules.legs.items():
        if name.startswith(f"{word}_"):
            return leg, name.removeprefix(f"{word}_")
        if name.endswith(f"_{word}"):
            return leg, name.removesuffix(f"_{word}")
    return "", name


def _setting(name: str, value: Json, at: _At, rules: Claims) -> Iterator[Said]:
    """A value under a setting's name: plain, per leg, or the word that it is the same."""
    if isinstance(value, dict):
        sides = {key: rules.legs[plain(key)] for key in value if plain(key) in rules.legs}
        if sides:
            for key, leg in sides.items():
                yield from _setting(name, value[key], at._replace(path=f"{at.path}.{key}", leg=leg), rules)
        elif at.inside:
            for key, item in value.items():
                yield from _entry(key, item, at, rules)
    elif isinstance(value, list):
        if len(value) == 2 and not at.leg and not any(isinstance(item, dict | list) for item in value):
            for index, leg in enumerate(("ref", "cand")):
                if value[index] is not None:
                    yield Said(f"{at.path}[{index}]", name, leg, value[index])
        else:
            yield from _list(value, at, rules)
    elif value is not None:
        word = isinstance(value, str) and value.lower() in rules.same and value.lower() != "true"
        yield Said(at.path, name, at.leg, value, "same" if word else "setting")


def _held(value: Json, at: _At, rules: Claims, name: str) -> Iterator[Said]:
    """What stands under a key that holds settings, or under a leg's name."""
    if isinstance(value, dict):
        for key, item in value.items():
            if plain(key) == "extra" and isinstance(item, str | list):
                yield from _held(item, at._replace(path=f"{at.path}.{key}"), rules, name)
            else:
                yield from _entry(key, item, at, rules)
    elif isinstance(value, list):
        yield from _list(value, at, rules)
    elif isinstance(value, str) and value.lstrip().startswith("--") and at.inside:
        for key, item in flags(value):
            yield Said(at.path, plain(key), at.leg, item)
    elif at.inside and str(value).lower() in rules.same and not at.leg:
        yield Said(at.path, SAME, "", value, "same")
    elif at.inside and name and isinstance(value, str | int | float) and not isinstance(value, bool):
        yield Said(at.path, plain(name), at.leg, value)


def _list(value: list[Json], at: _At, rules: Claims) -> Iterator[Said]:
    """A list of objects that name their leg, of flags, or of settings said to be the same."""
    texts = [item for item in value if isinstance(item, str)]
    if texts and any(item.startswith("--") for item in texts):
        if at.inside:
            for key, item in flags(shlex.join(texts)):
                yield Said(at.path, plain(key), at.leg, item)
        return
    for index, item in enumerate(value):
        where = f"{at.path}[{index}]"
        if isinstance(item, dict):
            named = next((str(item[key]).lower() for key in ("leg", "role", "name") if key in item), "")
            rest = {key: inner for key, inner in item.items() if key not in ("leg", "role", "name")}
            yield from _held(rest, _At(where, rules.legs.get(named, at.leg), at.inside), rules, "")
        elif isinstance(item, str) and at.inside and plain(item) in rules.settings:
            yield Said(where, plain(item), "", "same", "same")
