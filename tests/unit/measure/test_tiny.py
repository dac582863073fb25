"""The tiny model's corpus and card."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow.cli import cli
from workflow.commands.model import report
from workflow.errors import UsageError
from workflow.measure.prompts import TinyPrompts, TokenCounter
from workflow.serving.tiny import TINY_MODEL
from workflow.serving.tiny.corpus import Slots, draw, held_out
from workflow.serving.tiny.evaluate import evaluate, off_card, read_card, wilson

Json = dict[str, Any]


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


def _code(card: Json) -> Json:
    found: Json = next(score for score in card["scores"] if score["task"] == "code")
    return found


@pytest.mark.parametrize(
    ("doctor", "named"),
    [
        (lambda _: None, []),
        (lambda card: _code(card).update(right=993, exact_match_pct=99.3), ["code.exact_match_pct", "code.right"]),
        (lambda card: card.update(parameters=1), ["parameters"]),
        (lambda card: card.update(license="none"), ["license"]),
        (
            lambda card: card["scores"].remove(_code(card)),
            ["code.exact_match_pct", "code.high_pct", "code.low_pct", "code.n", "code.right"],
        ),
    ],
    ids=["nothing", "an answer", "a size", "a figure too many", "a task missing"],
)
def test_what_is_off_the_card_is_named(doctor: Callable[[Json], None], named: list[str]) -> None:
    """Each figure that differs, that is missing or that is too many, and no other."""
    doctored = read_card()
    doctor(doctored)
    assert [words.split(":")[0] for words in off_card(read_card(), doctored)] == named


def test_a_model_off_its_card_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    """The text names the figure on stderr, the JSON lists it; agreement and a model without a card exit 0."""
    off = ["code.right: measured 993, the card says 994"]
    assert report({"parameters": 1}, off, as_json=False) == 1
    assert "off the card: code.right: measured 993, the card says 994" in capsys.readouterr().err
    assert report({"parameters": 1}, off, as_json=True) == 1
    assert json.loads(capsys.readouterr().out) == {"parameters": 1, "off_card": off}
    assert report({"parameters": 1}, [], as_json=False) == 0
    assert "every figure is as the card says" in capsys.readouterr().err
    assert report({"parameters": 1}, None, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {"parameters": 1}


def test_overlap_is_an_option_of_the_command(tmp_path: Path) -> None:
    """``--help`` tells of it; with a model's directory it is refused, since it asks about prompts."""
    shown = CliRunner().invoke(cli, ["model", "evaluate", "--help"])
    assert "--overlap" in shown.output
    assert "Exits 1" in shown.output
    refused = CliRunner().invoke(cli, ["model", "evaluate", str(tmp_path), "--overlap"], standalone_mode=False)
    assert isinstance(refused.exception, UsageError)


def test_wilson_interval_against_a_published_value() -> None:
    low, high = wilson(81, 263)  # Newcombe 1998, table I: 81/263 -> 0.2553 to 0.3662
    assert (round(low, 2), round(high, 2)) == (25.53, 36.62)
