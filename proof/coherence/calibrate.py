"""Decodes held-out prompts with the shipped tiny model and with damaged copies of it, for the measures of ``audit/text.py``.

    python -m proof.coherence.calibrate                 # the table of the README, from decodes.jsonl
    python -m proof.coherence.calibrate OUT.jsonl SEED  # decodes another draw into OUT.jsonl (torch; half a minute), its table

The model has to be a known one, so that whether a text is right is known too: ``expected`` stands beside every text.
"""

from __future__ import annotations

import difflib
import json
import random
import sys
from pathlib import Path

from proof.coherence.decode import Decode, decode

HERE = Path(__file__).resolve().parent
DECODES = HERE / "decodes.jsonl"
SEED = "coherence/2"
"""Draw of prompts and damage that ships. The thresholds were set on draw ``coherence/1``; this one was decoded afterwards."""


def load(path: Path = DECODES) -> list[Decode]:
    """The recorded answers."""
    return [Decode(**json.loads(line)) for line in path.read_text(encoding="utf-8").split("\n") if line]


def honest(decodes: list[Decode]) -> bool:
    """A variant that answers as well as the untouched model: nine in ten right."""
    return sum(item.exact for item in decodes) >= 0.9 * len(decodes)


def damaged(decodes: list[Decode]) -> bool:
    """A clearly damaged variant: fewer than half right."""
    return sum(item.exact for item in decodes) < 0.5 * len(decodes)


def likeness(decodes: list[Decode]) -> float:
    """Mean likeness of the answers to the right ones (Ratcliff and Obershelp), 0 to 1: how gross the damage is."""
    ratios = [difflib.SequenceMatcher(None, item.text, item.expected, autojunk=False).ratio() for item in decodes]
    return sum(ratios) / len(ratios)


def gross(decodes: list[Decode]) -> bool:
    """Damage that a reader sees: answers less than 0.6 like the right ones. Well-formed wrong answers are likelier than that."""
    return damaged(decodes) and likeness(decodes) < 0.6


def dozens(decodes: list[Decode], count: int = 50, size: int = 12) -> list[list[Decode]]:
    """Random dozens of one variant, the same each time."""
    rng = random.Random(len(decodes))
    return [rng.sample(decodes, size) for _ in range(count)]


def rates(decodes: list[Decode]) -> dict[str, float]:
    """Share of dozens by the verdict that ``audit.text`` gives on their texts alone."""
    from audit import text
    from audit.policy import load as policy

    kinds = [text.judge([item.text for item in dozen], policy().policy.text).kind for dozen in dozens(decodes)]
    return {kind: kinds.count(kind) / len(kinds) for kind in ("coherent", "incoherent", "too little")}


def table(decodes: list[Decode]) -> list[str]:
    """Lines of the README's table."""
    found = []
    for name, items in by_variant(decodes).items():
        exact, told = sum(item.exact for item in items), rates(items)
        row = [name, f"{exact} of {len(items)}", f"{likeness(items):.2f}", *(f"{100 * told[key]:.0f} %" for key in sorted(told))]
        found.append("| " + " | ".join(row) + " |")
    return found


def summary(decodes: list[Decode], floor: float = 0.9) -> list[str]:
    """The README's figures: sound text, gross damage, all damage by texts alone, all damage by known answers."""
    from audit import text
    from audit.policy import load as policy

    variants = by_variant(decodes)
    sound = [item for items in variants.values() if honest(items) for item in items]
    faulty = sum(not text.examine(item.text, policy().policy.text).sound for item in sound)
    called = rates(sound)["incoherent"]
    hurt = {name: rates(items) for name, items in variants.items() if damaged(items)}
    seen = [told for name, told in hurt.items() if gross(variants[name]) and told["too little"] < 0.5]
    short = [name for name, told in hurt.items() if told["too little"] >= 0.5]
    caught = [sum(item.exact for item in dozen) < floor * len(dozen) for name in hurt for dozen in dozens(variants[name])]
    return [
        f"Sound text: {faulty} of {len(sound)} texts have a fault; {100 * called:.1f} % of dozens are called incoherent.",
        f"Gross damage, {len(seen)} variants: {100 * _mean(seen):.1f} % of dozens are called incoherent.",
        f"Too short to judge: {', '.join(short)}.",
        f"All damage, {len(hurt)} variants, by texts alone: "
        f"{100 * _mean(list(hurt.values())):.1f} % of dozens are called incoherent.",
        f"All damage, by known answers: {100 * sum(caught) / len(caught):.1f} % of dozens fall below {100 * floor:.0f} % right.",
    ]


def _mean(told: list[dict[str, float]]) -> float:
    return sum(item["incoherent"] for item in told) / len(told)


def by_variant(decodes: list[Decode]) -> dict[str, list[Decode]]:
    """Variant -> its answers, in the order of the file."""
    found: dict[str, list[Decode]] = {}
    for item in decodes:
        found.setdefault(item.variant, []).append(item)
    return found


def main(arguments: list[str]) -> None:
    """Print the table of the recorded draw, or decode another one."""
    path = DECODES
    if arguments:
        path, seed = Path(arguments[0]), arguments[1]

        decode(seed, path)
    sys.stdout.write("\n".join([*summary(load(path)), *table(load(path))]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
