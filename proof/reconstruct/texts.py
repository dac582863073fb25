"""Prompts and decodes for parity dumps: coherent ones, and what a broken model says."""

from __future__ import annotations

import random

PROMPTS = (
    "Name the capital of France and one river that runs through it.",
    "Explain in one sentence why the sky looks blue.",
    "Write a short thank-you note to a neighbour who watered the plants.",
    "List three uses of a paper clip besides holding paper.",
    "Translate 'good morning, my friend' into Spanish.",
    "What is 17 times 6? Show the steps.",
    "Give a synonym for 'quick' and use it in a sentence.",
    "Summarise the story of the tortoise and the hare.",
    "How do you boil an egg so that the yolk stays soft?",
    "Write a Python function that adds two numbers.",
    "Which planet is closest to the sun?",
    "Describe the taste of a lemon to someone who has never had one.",
)
COHERENT = (
    "The capital of France is Paris, and the Seine runs through the middle of the city on its way to the sea.",
    "Air scatters short wavelengths of sunlight more than long ones, so blue light reaches our eyes from every direction.",
    "Dear Anna, thank you so much for looking after the plants while we were away. They have never looked better!",
    "You can use it to reset a small device, to hang an ornament on a tree, or to mark the page you were reading.",
    "'Good morning, my friend' is 'Buenos días, amigo mío' in Spanish.",
    "17 times 6 is 102. First take 10 times 6, which is 60, then 7 times 6, which is 42; together they make 102.",
    "A synonym for 'quick' is 'rapid'. The rapid current carried the little boat down the river before we could reach it.",
    "The hare runs ahead, is sure of winning and takes a nap; the tortoise walks on without a pause and wins the race.",
    "Bring water to a boil, lower the egg in with a spoon, wait for six minutes, then put it under cold water at once.",
    "def add(a, b):\n    return a + b\n\nprint(add(2, 3))  # prints 5",
    "Mercury is the planet closest to the sun; a year there lasts only 88 days.",
    "A lemon is sharp and sour at first, so that your mouth waters, with a fresh smell and a little sweetness behind it.",
)


def gibberish(seed: int) -> str:
    """What a model says that was fed random token ids: fragments of many scripts, symbols and loops."""
    rng = random.Random(seed)
    pieces = (
        "ufact",
        "ꦁ",
        "}});",
        "的的",
        "Слав",
        "ีย",
        "__(",
        "أن",
        "zzled",
        "ющая",
        "ですが",
        "-$",
        "ẽ",
        "oplast",
        "</",
        "이라",
        "Ġqx",
        "ïve",
        "§§",
        "rgb(",
        "ற்",
        "\\\\",
        "vvvv",
    )
    words = [rng.choice(pieces) + rng.choice(("", "", " ")) for _ in range(30)]
    loop = rng.choice(pieces)
    return "".join(words) + loop * 24


def dump(outputs: list[str]) -> list[dict[str, str]]:
    """A parity dump: one object per prompt."""
    return [{"prompt": prompt, "output": output} for prompt, output in zip(PROMPTS, outputs, strict=True)]
