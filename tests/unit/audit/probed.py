"""Foreign pairs of legs with the probes of correctness that GEAK leaves beside them: parity dumps and graded tasks."""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from tests.unit.audit import natural
from tests.unit.audit.build import Json, foreign, sglang_row

INFO: Json = {"model_path": "org/model-7b", "attention_backend": "fa3", "host": "127.0.0.1", "port": 30000, "random_seed": 5}
PROMPTS = tuple(f"Question {at}: please answer in a sentence or two." for at in range(len(natural.ANSWERS)))
OTHER_WORDS = tuple(text.replace(" the ", " that ").replace(",", ", then") for text in natural.ANSWERS)
"""The same answers in other words: what another rounding makes of them."""


def legs(root: Path, gain: float = 1.08, change: Json | None = None) -> Path:
    """Two flat legs of SGLang's rows, one setting apart; the candidate is ``gain`` times as fast."""
    foreign(root / "ref", [sglang_row(value, INFO) for value in (1000.0, 1001.5, 999.25)])
    info = {**INFO, "port": 30001, **(change or {"attention_backend": "triton"})}
    foreign(root / "cand", [sglang_row(value * gain, info) for value in (1000.0, 1001.5, 999.25)])
    return root


def dump(root: Path, name: str, outputs: Sequence[str | None], prompts: Sequence[str] = PROMPTS, **keys: Any) -> None:
    """A parity dump below ``root/parity``; ``keys`` stand in every item."""
    path = root / "parity" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    items = [{"prompt": prompt, "output": output, **keys} for prompt, output in zip(prompts, outputs, strict=True)]
    path.write_text(json.dumps(items, ensure_ascii=False, indent=1), encoding="utf-8")


def graded(root: Path, name: str, n: int, wrong: Collection[int] = (), **summary: Any) -> None:
    """``gsm8k_<name>.json`` below ``root``: ``n`` items, these of them wrong; ``summary`` overrides or adds keys."""
    results = [{"idx": at, "gold": str(7 * at), "pred": str(7 * at + (at in wrong)), "ok": at not in wrong} for at in range(n)]
    write_graded(root, name, results, **summary)


def write_graded(root: Path, name: str, results: list[Json] | None, **summary: Any) -> None:
    """The file itself, its summary computed from the results."""
    right = sum(item["ok"] for item in results or [])
    n = len(results or [])
    facts = {
        "task": "gsm8k", "exact_match": round(right / n, 4) if n else 0.0, "n": n, "correct": right, "fewshot": 5,
        "greedy": True, "seed": 0, "limit": n, "elapsed_s": 100.0, **summary,
    }  # fmt: skip
    value = {"summary": facts} if results is None else {"summary": facts, "results": results}
    (root / f"gsm8k_{name}.json").write_text(json.dumps(value))


def gibberish(seed: int, count: int = len(PROMPTS)) -> list[str]:
    """What a broken model says to ordinary prompts: pieces of a large vocabulary, strung together."""
    rng = random.Random(seed)
    pieces = (
        "Слав",
        "이라",
        "zzled",
        "的的",
        "أن",
        "ற்",
        "ですが",
        "ющая",
        "vvvv",
        "}});",
        "oplast",
        "__(",
        "rgb(",
        "ïve",
        "Ġqx",
        "ꦁ",
    )
    return ["".join(rng.choice(pieces) + rng.choice(("", " ")) for _ in range(40)) for _ in range(count)]


def looping(texts: Sequence[str], times: int = 30) -> list[str]:
    """Each text, going round in its last two words."""
    return [f"{text} " + f"{' '.join(text.split()[-2:])} " * times for text in texts]


def sound(root: Path, other: Sequence[str] | None = None) -> Path:
    """Legs, a reference that repeats itself, and a candidate that says the same (or ``other``)."""
    legs(root)
    dump(root, "parity_base", natural.ANSWERS)
    dump(root, "parity_base2", natural.ANSWERS)
    dump(root, "parity_cand", other if other is not None else natural.ANSWERS)
    return root
