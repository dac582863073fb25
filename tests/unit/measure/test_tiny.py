"""The tiny model's corpus and card."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from workflow.measure.prompts import TinyPrompts, TokenCounter
from workflow.serving.tiny import TINY_MODEL
from workflow.serving.tiny.corpus import Slots, draw, held_out
from workflow.serving.tiny.evaluate import evaluate, read_card, wilson


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_answers_are_real_tool_calls_and_real_functions(seed: int) -> None:
    for item in draw(seed, 20, "heldout"):
        if item.task == "tool":
            call = json.loads(item.answer)
            assert set(call) == {"name", "arguments"}
            assert all(str(value) in item.prompt for value in call["arguments"].values())
        else:
            compile(item.answer, "answer", "exec")


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_slot_values_never_cross_the_split(seed: int) -> None:
    import random

    for split, expected in (("train", False), ("heldout", True)):
        slots = Slots(random.Random(seed), split)  # type: ignore[arg-type]  # literals
        assert {held_out(slots.word()) for _ in range(20)} == {expected}
        assert {held_out(str(slots.number())) for _ in range(20)} == {expected}


def test_training_and_held_out_prompts_are_disjoint() -> None:
    train = {item.prompt for item in draw(1, 3000, "train")}
    assert not train & {item.prompt for item in draw(1, 1000, "heldout")}


def test_the_load_has_distinct_prompts_with_answers_of_the_forced_length() -> None:
    counter = TokenCounter(TINY_MODEL)
    source = TinyPrompts(counter)
    prompts = source.draw(5, 60, 32)
    assert len({prompt.text for prompt in prompts}) == 60
    assert all(len(counter.text(prompt.expected or "")) == 32 for prompt in prompts)
    assert prompts == source.draw(5, 60, 32)
    assert prompts != source.draw(6, 60, 32)


def test_the_card_holds_on_a_sample() -> None:
    """The whole card is checked by `countersign model evaluate`; here 100 prompts a task against its lower bound."""
    card = read_card()
    assert card["safetensors_bytes"] == (TINY_MODEL / "model.safetensors").stat().st_size <= 8_000_000
    assert card["parameters"] <= 3_500_000
    for score in evaluate(TINY_MODEL, 100, lambda _: None):
        assert score.exact_match_pct >= 95.0


def test_wilson_interval_against_a_published_value() -> None:
    low, high = wilson(81, 263)  # Newcombe 1998, table I: 81/263 -> 0.2553 to 0.3662
    assert (round(low, 2), round(high, 2)) == (25.53, 36.62)
