"""Tools of the recipes about correctness: parity dumps and graded tasks beside foreign legs, as GEAK leaves them."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from proof.inject import texts
from proof.inject.draft import Draft
from proof.inject.texts import Said
from proof.making import Json

TASK = 1319
"""Items of the whole task."""


def dump(draft: Draft, name: str, said: Sequence[Said], answers: Sequence[str] | None = None, **keys: Any) -> list[Json]:
    """``parity/<name>.json``: these prompts, these answers (else their own); ``keys`` stand in every item. The items, to be edited."""
    told = [item.answer for item in said] if answers is None else answers
    items = [{"prompt": item.prompt, "output": answer, **keys} for item, answer in zip(said, told, strict=True)]
    draft.beside[f"parity/{name}.json"] = items
    return items


def parity(
    draft: Draft, said: Sequence[Said], cand: Sequence[str] | None = None, again: Sequence[str] | None = None
) -> list[Json]:
    """The reference decoded twice, the candidate once; each like the reference where nothing else is given. The candidate's items."""
    dump(draft, "parity_base", said)
    dump(draft, "parity_base2", said, again)
    return dump(draft, "parity_cand", said, cand)


def chosen(count: int, share: float, rng: random.Random) -> list[int]:
    """Places of a share of so many things, at least one."""
    return sorted(rng.sample(range(count), max(1, round(share * count))))


def replaced(said: Sequence[Said], places: Iterable[int], others: Sequence[str]) -> list[str]:
    """The answers, with others at these places."""
    found = [item.answer for item in said]
    for place, other in zip(places, others, strict=True):
        found[place] = other
    return found


def wrong(count: int, share: float, rng: random.Random) -> set[int]:
    """Items that a leg gets wrong."""
    return set(rng.sample(range(count), round(share * count)))


def moved(before: Collection[int], count: int, lost: int, won: int, rng: random.Random) -> set[int]:
    """The other leg's wrong items: so many more lost, so many won."""
    right = sorted(set(range(count)) - set(before))
    return (set(before) - set(rng.sample(sorted(before), won))) | set(rng.sample(right, lost))


def items(count: int, failed: Collection[int]) -> list[Json]:
    """Graded items, those of ``failed`` answered with another number."""
    return [{"idx": at, "gold": str(7 * at), "pred": str(7 * at + (at in failed)), "ok": at not in failed} for at in range(count)]


def graded(draft: Draft, leg: str, results: Sequence[Json] | None, **summary: Any) -> Json:
    """``gsm8k_<leg>.json`` with a summary computed from its results; ``summary`` overrides or adds keys. The file, to be edited."""
    right, n = sum(item["ok"] for item in results or ()), len(results or ())
    facts = {
        "task": "gsm8k", "exact_match": round(right / n, 4) if n else 0.0, "n": n, "correct": right, "fewshot": 5, "greedy": True,
        "seed": 0, "limit": n, "elapsed_s": 100.0, **summary,
    }  # fmt: skip
    value: Json = {"summary": facts} if results is None else {"summary": facts, "results": list(results)}
    draft.beside[f"gsm8k_{leg}.json"] = value
    return value


def good_task(draft: Draft, rng: random.Random) -> None:
    """Both legs graded on the whole task; one item in a hundred changed sides, as many each way."""
    before = wrong(TASK, 0.15, rng)
    graded(draft, "base", items(TASK, before))
    graded(draft, "cand", items(TASK, moved(before, TASK, 7, 7, rng)))


def sound(draft: Draft, rng: random.Random) -> list[Said]:
    """Twelve prompts of a probe, and a graded task that says both legs are as good."""
    good_task(draft, rng)
    return texts.sound(rng)
