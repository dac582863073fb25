"""The two files in which probes of correctness come: parity dumps and task accuracy, each read strictly."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from audit.contract import Scalar, Source
from audit.errors import DamageError
from audit.policy import ProbeFiles

Side = Literal["ref", "cand"]


class Answer(NamedTuple):
    """One answer of a parity dump; ``output`` is empty where the dump holds null."""

    prompt: str
    output: str
    stop: str | None
    tokens: int | None


class Answerer(NamedTuple):
    """A server as some items of a probe name it, and how many items it answered."""

    identity: Mapping[str, Scalar]
    items: int


@dataclass(frozen=True, slots=True)
class Dump:
    """One decode of the probe's prompts."""

    side: Side
    source: Source
    answers: tuple[Answer, ...]
    identity: Mapping[str, Scalar]
    """What all items agree on about the server that answered."""
    answerers: tuple[Answerer, ...] = ()
    """Who answered the items, where they do not agree: a part of a probe may have been answered by another server."""


class Item(NamedTuple):
    """One graded question."""

    idx: str
    gold: str
    ok: bool
    stop: str | None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One task graded on one leg. ``items`` is empty where the file holds a summary alone."""

    side: Side
    source: Source
    task: str
    n: int
    correct: int
    items: tuple[Item, ...]
    protocol: Mapping[str, Scalar]
    identity: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Missing:
    """A probe that is named and not there: deferred, empty, or of no leg that can be told."""

    side: Side | None
    source: Source
    why: str


def dump(value: list[Any], side: Side, source: Source, names: ProbeFiles) -> Dump:
    """A list of ``{prompt, output}``. Raises DamageError naming the item."""
    answers = tuple(_answer(at, item, names) for at, item in enumerate(value))
    return Dump(side, source, answers, _settled(item for item in value), _answerers(value, names))


def _answer(at: int, item: Any, names: ProbeFiles) -> Answer:  # noqa: ANN401 - any JSON value
    if not isinstance(item, dict) or not isinstance(item.get("prompt"), str) or "output" not in item:
        raise DamageError(f"item {at} is not an object with 'prompt' and 'output'")
    output = item["output"]
    if output is not None and not isinstance(output, str):
        raise DamageError(f"item {at}: 'output' is neither text nor null")
    tokens = next((item[key] for key in names.token_keys if key in item), None)
    if tokens is not None and (isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 0):
        raise DamageError(f"item {at}: a token count that is no count")
    return Answer(item["prompt"], output or "", _stop(item, names), tokens)


def _stop(item: Mapping[str, Any], names: ProbeFiles) -> str | None:
    found = next((item[key] for key in names.stop_keys if key in item), None)
    return found if isinstance(found, str) else None


def _settled(items: Iterator[Any]) -> dict[str, Scalar]:
    """Scalars on which all items agree."""
    found: dict[str, Scalar] = {}
    for at, item in enumerate(items):
        scalars: dict[str, Scalar] = {}
        scalars |= {k: v for k, v in item.items() if isinstance(v, str | int | float) and k not in ("prompt", "output")}
        found = scalars if at == 0 else {key: value for key, value in found.items() if scalars.get(key) == value}
    return found


def _answerers(items: Iterable[Mapping[str, Any]], names: ProbeFiles) -> tuple[Answerer, ...]:
    """Each server that items name, with the keys that name it; one entry where all agree."""
    keys = dict.fromkeys(("host", *names.url_keys, *names.port_keys, *names.launch_keys, *names.model_keys, *names.same_server))
    told = Counter(tuple((key, item[key]) for key in keys if isinstance(item.get(key), str | int | float)) for item in items)
    return tuple(Answerer(dict(named), count) for named, count in told.items())


def accuracy(value: Mapping[str, Any], side: Side, source: Source, names: ProbeFiles) -> Accuracy:
    """``{summary, results}``, every figure of the summary recomputed. Raises DamageError where they disagree."""
    summary = value["summary"]
    results = value.get("results")
    if results is not None and not isinstance(results, list):
        raise DamageError("'results' is not a list")
    items = tuple(_item(at, item, names) for at, item in enumerate(results or []))
    if len({item.idx for item in items}) != len(items):
        raise DamageError("a question stands twice in 'results'", ids=("R19",))
    said, n, correct = _number(summary, "exact_match"), _count(summary, "n"), _count(summary, "correct")
    if said is not None and not 0 <= said <= 1:
        raise DamageError(f"'exact_match' is {said:g}, not a share", ids=("R21",))
    if items:
        right = sum(item.ok for item in items)
        _agree("n", n, len(items), ("R14",))
        _agree("correct", correct, right, ("R02",))
        if said is not None and abs(said - right / len(items)) > names.rounding:
            raise DamageError(f"'exact_match' is {said:g}, the results give {right / len(items):.4g}", ids=("R02",))
        n, correct = len(items), right
    elif n and correct is None and said is not None:
        correct = round(said * n)
    facts = {key: item for key, item in summary.items() if isinstance(item, str | int | float | bool)}
    protocol = {key: facts[key] for key in names.protocol if key in facts}
    task = facts.get("task")
    return Accuracy(side, source, str(task) if task is not None else "", n or 0, correct or 0, items, protocol, facts)


def _agree(key: str, said: int | None, found: int, ids: tuple[str, ...]) -> None:
    if said is not None and said != found:
        raise DamageError(f"'{key}' is {said}, the results give {found}", ids=ids)


def _number(summary: Mapping[str, Any], key: str) -> float | None:
    value = summary.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DamageError(f"'{key}' is not a number")
    return float(value)


def _count(summary: Mapping[str, Any], key: str) -> int | None:
    value = _number(summary, key)
    if value is not None and (value < 0 or value != int(value)):
        raise DamageError(f"'{key}' is not a count")
    return None if value is None else int(value)


def _item(at: int, item: Any, names: ProbeFiles) -> Item:  # noqa: ANN401 - any JSON value
    if not isinstance(item, dict) or not {"idx", "ok"} <= item.keys():
        raise DamageError(f"result {at} is not an object with 'idx' and 'ok'")
    idx, ok, gold, pred = item["idx"], item["ok"], item.get("gold"), item.get("pred")
    if not isinstance(idx, str | int) or isinstance(idx, bool) or not isinstance(ok, bool):
        raise DamageError(f"result {at}: 'idx' or 'ok' has the wrong type")
    if ok and "pred" in item and pred is None:
        raise DamageError(f"result {at} (idx {idx}): no answer was parsed, and it counts as right", ids=("K16",))
    right = _same(gold, pred)
    if right is not None and right != ok:
        words = f"result {at} (idx {idx}): 'ok' is {str(ok).lower()}, but gold is {str(gold)[:40]!r} and pred {str(pred)[:40]!r}"
        raise DamageError(words, ids=("K16",))
    return Item(str(idx), str(gold), ok, _stop(item, names))


def _same(gold: Any, pred: Any) -> bool | None:  # noqa: ANN401 - any JSON value
    """Whether two answers are the same number; None when one of them is no number."""
    one, other = (_plain(item) for item in (gold, pred))
    return None if one is None or other is None else math.isclose(one, other, rel_tol=1e-9)


def _plain(value: Any) -> float | None:  # noqa: ANN401 - any JSON value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(str(value).replace(",", "").strip().lstrip("$"))
    except ValueError:
        return None
    return found if math.isfinite(found) else None
