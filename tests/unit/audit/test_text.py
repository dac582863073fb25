"""The measures of texts: natural text passes in any form, damage is named, and the recorded decodes give the published rates."""
# ruff: noqa: RUF001 - damaged texts mix scripts

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import text
from audit.policy import load
from proof.coherence import calibrate
from proof.coherence.decode import Decode
from tests.unit.audit import natural

RULES = load().policy.text
DECODES = calibrate.by_variant(calibrate.load())


@pytest.mark.parametrize("name", natural.ALL)
def test_natural_text_has_no_fault(name: str) -> None:
    """Prose in six languages, code, data, tables, maths, lists and thought; whole, and cut off anywhere."""
    whole = natural.ALL[name]
    assert text.examine(whole, RULES).faults == ()
    for share in (0.9, 0.7, 0.5, 0.35):
        assert text.examine(whole[: int(share * len(whole))], RULES).faults == (), share


def test_natural_texts_are_a_coherent_set() -> None:
    """Together, and a dozen short answers alone."""
    assert text.judge(list(natural.ALL.values()), RULES).kind == "coherent"
    assert text.judge(natural.ANSWERS, RULES).kind == "coherent"


@dataclass(frozen=True)
class Case:
    """A damaged text and the fault that must be named."""

    name: str
    text: str
    fault: str


_RNG = random.Random(5)
CASES = (
    Case("loop at the end", natural.ENGLISH[:200] + " and then the net" * 12, "loop"),
    Case("loop inside, then an end", natural.ENGLISH[:150] + " the net" * 40 + " was mended.", "loop"),
    Case("one character", "The answer is" + "!" * 80, "loop"),
    Case("long cycle", natural.GERMAN[:180] * 5, "loop"),
    Case("loop with a counter", " ".join(f"The answer is {n} and not the other one." for n in range(30)), "near-loop"),
    Case("loop with one word exchanged",
         " ".join(f"I will now go on to check the {w} before I answer." for w in natural.FRENCH.split()), "near-loop"),
    Case("data, then a loop with one word exchanged",
         '{"city": "Oslo", "day": "friday"}' + "".join(f" Next we look at the {w} and go on." for w in natural.FRENCH.split()),
         "near-loop"),
    Case("lost characters", "The h\ufffdrbour was qu\ufffd\ufffdet when we arr\ufffdved", "lost characters"),
    Case("control characters", "The harbour\x01 was\x02 quiet\x03 when we arrived", "lost characters"),
    Case("scripts", "Слав이라 zzled的的 أن ற் The harbour ですが ющая was quiet ẽ 이라 when أن", "scripts"),
    Case("glued scripts", "Der Hафen wаr stилl, als wiр ankаmen, bиs auf zwei Мänner аm Kаi.", "scripts"),
    Case("marks", '"}}"}"<"<"}"}}"_""<"<"}}"<"<<_}"', "marks"),
    Case("few letters", "aabab baab abba babab aabba baba abab aabb", "letters"),
    Case("no words", " ".join("".join(_RNG.choice("bcdfghjklmnpqrstvwxz") for _ in range(6)) for _ in range(20)), "words"),
    Case("letters and digits in turn", "emosal3im3emil akeet4ef3oul4 6oul4441in41ass 1in41ag3amag as4tel1 m4us1ic2al", "words"),
    Case("run together", "assignagamownerastastastastrenumetownermailtoresult and umelumelagamusicagamusicowneraset", "words"),
    Case("no small words",
         " ".join("".join(_RNG.choice("bdfglmnrst") + _RNG.choice("aeiou") for _ in range(3)) for _ in range(60)), "words"),
    Case("broken tool call", '{"name": "get_weather", "arguments": {"city{"owner": "city", "day": "}}', "broken"),
    Case("tool call that goes on", '{"name": "send_mail", "arguments": {"to": "Ada"}}}', "broken"),
    Case("brackets", "def lastaget(pel(pel(pal]: return min(gidid, 670)", "broken"),
    Case("nothing", " \n", "empty"),
    Case("end marks", "Paris.</s></s></s></s>", "padding"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_damaged_text_has_its_fault(case: Case) -> None:
    """Each kind of damage is named."""
    assert case.fault in text.examine(case.text, RULES).faults


def test_records_are_no_loop() -> None:
    """JSON of many records, one value or one a line, with a sentence behind it or cut off."""
    records = [f'{{"city": "Oslo", "day": {day}, "weather": "rain", "wind": "west"}}' for day in range(40)]
    for data in (f"[{', '.join(records)}]", "\n".join(records)):
        for whole in (data, f"{data}\nThat is all of them.", data[: len(data) // 2]):
            assert text.examine(whole, RULES).faults == ()


def test_strangers_have_nothing_in_common() -> None:
    """Answers in other words, short ones and those of other languages that share signs are no strangers."""
    said = "The sky looks blue because air scatters short waves of light more than long ones."
    assert text.strange(said, "def plosti(fous): return gu % 415", RULES)
    assert text.strange(said, natural.RUSSIAN, RULES)
    assert not text.strange(said, "Air scatters short waves more, so the sky is blue.", RULES)
    assert not text.strange(said, "42", RULES)
    assert not text.strange("", said, RULES)
    assert not text.strange(natural.CHINESE, natural.CHINESE[20:], RULES)


def test_a_loop_is_measured() -> None:
    """Period, copies and share of the text."""
    found = text.examine("x" * 40 + "abcdefg" * 10, RULES).measures.cycle
    assert (found.chars, found.copies) == (7, 10)
    assert found.share == pytest.approx(70 / 110)


def test_short_answers_are_too_little() -> None:
    """Numbers and single words are no sign of anything; empty ones are."""
    assert text.judge(["42", "7", "yes", "B", "12"] * 3, RULES).kind == "too little"
    assert text.judge([natural.ENGLISH], RULES).kind == "too little"
    assert text.judge([], RULES).kind == "too little"
    assert text.judge([""] * 12, RULES).kind == "incoherent"


def test_one_odd_answer_does_not_damn_a_set() -> None:
    """Below the policy's share of faults a set stays coherent; the fault is still counted."""
    found = text.judge([*natural.ANSWERS[:11], natural.ENGLISH[:60] * 8], RULES)
    assert (found.kind, found.bad) == ("coherent", (11,))
    assert found.words == "1 of 12 texts: loop (1)"


def test_thought_and_end_marks_are_not_visible() -> None:
    """What a reader sees: closed and unclosed thought left out."""
    assert text.visible(natural.THOUGHT, RULES) == "17 x 24 = **408**"
    assert text.visible("<think>\nI wonder, and wonder", RULES) == ""
    assert text.visible("Paris.</s></s>", RULES) == "Paris."


@given(st.text(max_size=400))
def test_any_text_is_measured(given_text: str) -> None:
    """No text breaks a measure, and the same text gives the same score."""
    one = text.examine(given_text, RULES)
    assert one == text.examine(given_text, RULES)
    assert 0 <= one.measures.cycle.share <= 1


@pytest.mark.parametrize("unit", ["a", "ab ", "{[", natural.ENGLISH, natural.PYTHON, natural.CHINESE, "\n", '"', "x" * 997 + " "])
def test_long_texts_take_milliseconds(unit: str) -> None:
    """64,000 characters, whatever they are (the bound is wide: the machine may be busy)."""
    long = (unit * (64_000 // len(unit) + 1))[:64_000]
    best = min(_seconds(long) for _ in range(3))
    assert best < 0.25


def _seconds(long: str) -> float:
    start = time.perf_counter()
    text.examine(long, RULES)
    return time.perf_counter() - start


def _incoherent(decodes: list[Decode]) -> bool:
    return text.judge([item.text for item in decodes], RULES).kind == "incoherent"


def test_honest_decodes_are_not_flagged() -> None:
    """At most one honest text in a hundred has a fault, and no dozen is called incoherent."""
    honest = [item for items in DECODES.values() if calibrate.honest(items) for item in items]
    assert len(honest) >= 300
    assert sum(not text.examine(item.text, RULES).sound for item in honest) <= 0.01 * len(honest)
    assert not any(_incoherent(dozen) for dozen in calibrate.dozens(honest, count=100))


def test_known_answers_catch_every_damage() -> None:
    """Fewer than half right: the known answers of a dozen prompts say so, whatever the texts look like."""
    floor = load().policy.correctness.floor
    dozens = [dozen for items in DECODES.values() if calibrate.damaged(items) for dozen in calibrate.dozens(items)]
    assert sum(sum(item.exact for item in dozen) < floor * len(dozen) for dozen in dozens) >= 0.99 * len(dozens)


def test_texts_alone_catch_gross_damage() -> None:
    """Damage that a reader would see: 95 dozens in 100 are called incoherent; texts cut short are never called coherent."""
    gross = {name: items for name, items in DECODES.items() if calibrate.gross(items)}
    assert len(gross) >= 10
    told = [calibrate.rates(items) for items in gross.values()]
    assert sum(item["coherent"] for item in told) <= 0.05 * len(told)
    judged = [item for item in told if item["too little"] < 0.5]
    assert len(judged) >= len(gross) - 1
    assert sum(item["incoherent"] for item in judged) >= 0.95 * len(judged)


def test_the_published_rates_are_those_of_the_recorded_decodes() -> None:
    """Figures and table of proof/coherence/README.md, line by line."""
    readme = (calibrate.HERE / "README.md").read_text(encoding="utf-8")
    for line in [*calibrate.summary(calibrate.load()), *calibrate.table(calibrate.load())]:
        assert line in readme
