"""Texts of the recipes about correctness: sound answers, what damaged decoders really wrote, and loops.

Damaged decodes and half of the sound ones are those of the shipped tiny model (``proof/coherence/decodes.jsonl``).
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

DECODES = Path(__file__).parents[1] / "coherence" / "decodes.jsonl"
DOZEN = 12


class Said(NamedTuple):
    """A prompt and what was answered."""

    prompt: str
    answer: str


PLAIN: tuple[Said, ...] = (
    Said("What is the capital of France?", "Paris is the capital of France, and the Seine runs through it."),
    Said("Why is the sky blue?", "The sky looks blue because air scatters short waves of light more than long ones."),
    Said(
        "Thank my neighbour for watering the plants.",
        "Dear neighbour, thank you for watering the plants while we were away; the tomatoes have never looked better.",
    ),
    Said(
        "What can a paper clip do?",
        "You can use a paper clip to reset a phone, to hold a zip together, or to hang a small picture.",
    ),
    Said("Say good morning, my friend, in Spanish.", "Buenos días, amigo mío."),
    Said("Is 91 prime?", "A prime number has exactly two divisors, one and itself, so 91 is not prime: it is 7 times 13."),
    Said("A Python function that doubles values.", "def double(values): return [2 * value for value in values]"),
    Said("Weather in Oslo on Friday?", '{"name": "get_weather", "arguments": {"city": "Oslo", "day": "friday"}}'),
    Said(
        "A train leaves at 14:05 and takes 160 minutes.",
        "The train leaves at 14:05 and takes 2 hours and 40 minutes, so it arrives at 16:45.",
    ),
    Said(
        "How do I care for basil?",
        "Water the basil every second day, keep it out of the wind, and pick the leaves from the top.",
    ),
    Said(
        "How does binary search work?",
        "A binary search halves the interval in each step, which takes about log2(n) comparisons for n items.",
    ),
    Said(
        "Sum up the minutes.",
        "The minutes list three decisions: the budget was approved, the move was postponed, and Ada will write to the landlord.",
    ),
)
"""A dozen prompts and sound answers to them, written for this."""
STEPS = (
    "I check the {word} once more before I answer the question.",
    "Next we consider the {word} and then we go on with the text.",
    "The value of the {word} is what was asked for in this case.",
)
WORDS = (
    "harbour", "bread", "gate", "river", "window", "ladder", "market", "honey", "storm", "island", "lantern", "bridge", "garden",
    "ticket", "letter", "kettle", "forest", "mirror", "saddle", "violin",
)  # fmt: skip


@cache
def decodes(variant: str) -> tuple[Said, ...]:
    """What the tiny model answered in one variant (its name in the README beside the file)."""
    rows = (json.loads(line) for line in DECODES.read_text(encoding="utf-8").splitlines())
    return tuple(Said(row["prompt"], row["text"]) for row in rows if row["variant"] == variant)


def sound(rng: random.Random) -> list[Said]:
    """A dozen sound answers: written ones, or the tiny model's."""
    return list(PLAIN) if rng.random() < 0.5 else rng.sample(decodes("honest"), DOZEN)


def reworded(said: Sequence[Said]) -> list[str]:
    """The same answers with other words or spaces: what another rounding makes of them."""
    swaps = ((" the ", " that "), (": ", " : "), (" + ", "+"), (", ", " and then "), (" a ", " one "))
    found = []
    for item in said:
        other = next((item.answer.replace(old, new) for old, new in swaps if old in item.answer), item.answer + ".")
        found.append(other)
    return found


def damaged(variants: Sequence[str], count: int, rng: random.Random) -> list[str]:
    """So many answers of damaged decoders, not empty."""
    pool = [item.answer for variant in variants for item in decodes(variant) if item.answer.strip()]
    return rng.sample(pool, count)


def looping(text: str, times: int = 30) -> str:
    """The text, going round in its last two words."""
    return f"{text} " + f"{' '.join(text.split()[-2:])} " * times


def circling(rng: random.Random, sentences: int = 25) -> str:
    """One sentence over and over, with a word exchanged each time."""
    step = rng.choice(STEPS)
    return " ".join(step.format(word=rng.choice(WORDS)) for _ in range(sentences))
