"""Measures of texts: does what a model wrote look like language, code or data, or like damage? Pure, linear, standard library.

Nothing here knows whether an answer is right: known answers are the strongest evidence, and fluent nonsense passes. What
is told is what breaks in a damaged decode: loops, near-loops, mixed scripts, lost characters, broken JSON or brackets,
marks without words. ``examine`` judges one text, ``judge`` a set; thresholds are the policy's, with rates in ``proof/coherence``.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from audit.policy import Text
from audit.repetition import Cycle, cycle, distinct_trigrams, entropy, repeating, stutter_share
from audit.structure import broken, holds_data
from audit.writing import function_share, glued_share, odd_words, run_together, scripts

Fault = Literal["empty", "padding", "lost characters", "loop", "near-loop", "scripts", "marks", "letters", "words", "broken"]
Kind = Literal["coherent", "incoherent", "too little"]
_SPACE = re.compile(r"\s+")
_SIGNS = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_PIECES = re.compile(rf"[{_SIGNS}]|[^\W{_SIGNS}]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_LOST = re.compile("[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ue000-\uf8ff\ufff0-\ufff8\U000f0000-\U0010ffff]")
_TABLE = re.compile(r"^[ \t]*\|.*$", re.MULTILINE)
QUOTED = 120
"""Characters of a text that a reason quotes."""


class Measures(NamedTuple):
    """One text in numbers; None where the text is too short to say. Entropies in bits, shares 0 to 1."""

    chars: int
    cycle: Cycle
    stutter_share: float
    """Characters of pieces that stand four times in a row, anywhere; rulers (``----``) left out."""
    repeating_share: float
    """Windows whose grams repeat inside the window."""
    distinct_trigrams: float | None
    """Different runs of three words over all of them; lines of tables left out."""
    compressed: float | None
    """zlib's size over the text's."""
    char_entropy: float
    word_entropy: float | None
    lost: int
    """Replacement, control and private characters."""
    scripts: int
    """Scripts with a real share of the letters, Latin and Greek left out."""
    glued_share: float
    """Runs of letters that change their script in the middle."""
    marks_share: float
    """Characters that are neither letters nor digits nor blank, over all that are not blank."""
    odd_words: float | None
    """Latin words that no mouth could say."""
    run_together: float
    """Characters in overlong words, or in words of letters and digits in turn."""
    function_share: float | None
    """Small words that any prose of a known language is full of."""
    broken: str
    """Where JSON or brackets break, in words; empty when they hold."""
    padding: int
    """End or padding marks that stand at the end as text, beyond the first."""


class Score(NamedTuple):
    """One text: its measures, and the faults they amount to."""

    measures: Measures
    faults: tuple[Fault, ...]

    @property
    def sound(self) -> bool:
        """True when nothing is wrong with it."""
        return not self.faults


class Judged(NamedTuple):
    """A set of texts. ``bad`` are positions of texts with faults; ``counts`` faults, most frequent first."""

    kind: Kind
    n: int
    bad: tuple[int, ...]
    counts: tuple[tuple[Fault, int], ...]
    scores: tuple[Score, ...]

    @property
    def words(self) -> str:
        """What is wrong, in words: ``9 of 12 texts: loop (7), scripts (2)``."""
        told = ", ".join(f"{name} ({count})" for name, count in self.counts)
        return f"{len(self.bad)} of {self.n} texts" + (f": {told}" if told else "")


def examine(text: str, rules: Text) -> Score:
    """Measure one text and name its faults."""
    body, padding = unpadded(text, rules)
    found = _measure(body, padding, rules)
    return Score(found, tuple(_faults(found, body, rules)))


def judge(texts: Sequence[str], rules: Text) -> Judged:
    """The verdict on a set: incoherent when too large a share has faults; too little when there is not enough to read.

    Short answers without a fault (``42``) count as texts but tell nothing about coherence.
    """
    scores = tuple(examine(text, rules) for text in texts[: rules.max_texts])
    bad = tuple(at for at, score in enumerate(scores) if not score.sound)
    readable = [score for score in scores if score.measures.chars >= rules.min_chars or score.faults]
    enough = len(readable) >= rules.min_texts and sum(score.measures.chars for score in scores) >= rules.min_total_chars
    kind: Kind = "coherent" if enough else "too little"
    if len(readable) >= rules.min_texts and len(bad) >= max(rules.incoherent_share * len(scores), rules.min_bad):
        kind = "incoherent"
    return Judged(kind, len(scores), bad, counted(scores), scores)


def counted(scores: Sequence[Score]) -> tuple[tuple[Fault, int], ...]:
    """Faults and in how many texts each stands, most frequent first."""
    told = Counter(fault for score in scores for fault in score.faults)
    return tuple(sorted(told.items(), key=lambda item: (-item[1], item[0])))


def quoted(text: str) -> str:
    """The beginning of a text, fit for a sentence: escaped, cut."""
    return repr(text[:QUOTED]) + ("..." if len(text) > QUOTED else "")


def unpadded(text: str, rules: Text) -> tuple[str, int]:
    """The text without end marks at its end (``</s></s>``), and how many stood there beyond the first."""
    body, count = text.rstrip(), 0
    while mark := next((mark for mark in rules.end_marks if body.endswith(mark)), None):
        body, count = body[: -len(mark)].rstrip(), count + 1
    return (body, max(count - 1, 0)) if count else (text, 0)


def visible(text: str, rules: Text) -> str:
    """What a reader sees: without end marks and without a block of thought, closed or not."""
    body, _ = unpadded(text, rules)
    for opening, closing in rules.thought:
        start = body.find(opening)
        while start >= 0:
            end = body.find(closing, start)
            body = body[:start] + (body[end + len(closing) :] if end >= 0 else "")
            start = body.find(opening)
    return body.strip()


def strange(one: str, other: str, rules: Text) -> bool:
    """True when two answers to one prompt have nothing in common: other first words, hardly a word of one in the other.

    Another rounding exchanges words; what has no word of the first answer left was written by something else. Signs of
    scripts without blanks count as words; answers of few words tell nothing.
    """
    said = [_PIECES.findall(unpadded(text, rules)[0].casefold()) for text in (one, other)]
    shorter, longer = sorted((set(words) for words in said), key=len)
    if len(shorter) < rules.strange_words or said[0][0] == said[1][0]:
        return False
    return len(shorter & longer) < rules.strange_share * len(shorter)


def _measure(text: str, padding: int, rules: Text) -> Measures:
    flat = _SPACE.sub(" ", text)
    half = rules.sample_chars // 2
    sample = text if len(text) <= rules.sample_chars else f"{text[:half]}\n{text[-half:]}"
    data = text.encode("utf-8", "replace")
    words = _LETTERS.findall(_TABLE.sub("", text).casefold())
    solid = [char for char in sample if not char.isspace()]
    marks = sum(not char.isalnum() for char in solid)
    marks_share = marks / len(solid) if solid else 0.0
    return Measures(
        chars=len(text.strip()),
        cycle=cycle(text, rules),
        stutter_share=stutter_share(sample),
        repeating_share=repeating(flat, rules),
        distinct_trigrams=distinct_trigrams(words, rules),
        compressed=len(zlib.compress(data, 6)) / len(data) if len(data) >= rules.compress_chars else None,
        char_entropy=entropy(flat),
        word_entropy=entropy(words) if len(words) >= rules.min_words else None,
        lost=len(_LOST.findall(text.rstrip("\ufffd"))),
        scripts=scripts(sample, rules),
        glued_share=glued_share(sample, rules),
        marks_share=marks_share,
        odd_words=odd_words(sample, rules),
        run_together=run_together(sample, rules),
        function_share=function_share(sample, rules) if marks_share <= rules.prose_marks else None,
        broken=broken(text, marks_share, rules),
        padding=padding,
    )


def _faults(found: Measures, text: str, rules: Text) -> list[Fault]:
    if found.chars == 0:
        return ["empty"]
    faults: list[Fault] = ["padding"] if found.padding >= rules.padding_marks else []
    if found.lost >= rules.lost_min and found.lost > rules.lost_share * len(text):
        faults.append("lost characters")
    if found.cycle.share >= rules.loop_share or (found.chars >= rules.min_chars and found.stutter_share >= rules.stutter_share):
        faults.append("loop")
    elif _near_loop(found, rules) and not holds_data(text):
        faults.append("near-loop")
    if found.scripts >= rules.scripts or found.glued_share > rules.glued_share:
        faults.append("scripts")
    if found.chars >= rules.min_chars and found.marks_share > rules.marks_share:
        faults.append("marks")
    if found.chars >= rules.entropy_chars and found.char_entropy < rules.char_entropy:
        faults.append("letters")
    odd = found.odd_words is not None and found.odd_words > rules.odd_words
    odd = odd or (found.chars >= rules.min_chars and found.run_together > rules.run_together)
    if odd or (found.function_share is not None and found.function_share < rules.function_share):
        faults.append("words")
    if found.broken:
        faults.append("broken")
    return faults


def _near_loop(found: Measures, rules: Text) -> bool:
    thin = found.distinct_trigrams is not None and found.distinct_trigrams < rules.distinct_trigrams
    small = found.compressed is not None and found.compressed < rules.compressed
    return thin or small or found.repeating_share >= rules.repeating_share
