"""Repetition in a text: exact cycles at its end, stutters, windows and words that repeat themselves, entropy. All linear."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from audit.policy import Text

GRAM = 5
"""Characters of a gram when windows are compared with themselves."""
_STUTTER = re.compile(r"([^\n]{0,15}?\w)\1{3,}|([^\s\w=_.*#~+|-])\2{7,}")


class Cycle(NamedTuple):
    """An exact repetition at the end: its length, and the share of the text that it covers with all its copies."""

    chars: int
    copies: int
    share: float


def stutter_share(sample: str) -> float:
    """Share of the characters in pieces that stand four times in a row (other marks than rulers: eight times)."""
    return sum(len(match.group()) for match in _STUTTER.finditer(sample)) / len(sample) if sample else 0.0


def cycle(text: str, rules: Text) -> Cycle:
    """The exact repetition that ends the text, if it has enough copies and covers enough characters.

    Candidates for the period are the distances to earlier places of the last characters; how far back a period holds is
    found by bisection over comparisons of slices, so 64,000 characters take a millisecond.
    """
    n, best = len(text), Cycle(0, 0, 0.0)
    probe = text[-min(rules.loop_probe, n) :]
    end = n - 1
    for _ in range(rules.loop_tries):
        at = text.rfind(probe, 0, end)
        if at < 0 or not probe:
            break
        period = n - (at + len(probe))
        covered = _holds_from(text, period)
        copies = covered // period
        if copies >= rules.loop_copies and covered >= rules.loop_chars and covered / n > best.share:
            best = Cycle(period, copies, covered / n)
        end = at + len(probe) - 1
    return best


def _holds_from(text: str, period: int) -> int:
    """How many characters at the end repeat with this period, its first copy included."""
    n = len(text)
    low, high = period, n
    while low < high:
        middle = (low + high) // 2
        if text[middle:] == text[middle - period : n - period]:
            high = middle
        else:
            low = middle + 1
    return n - low + period


def repeating(flat: str, rules: Text) -> float:
    """Share of windows (evenly spread, the last one included) whose grams are mostly repeats of one another."""
    size = rules.window_chars
    if len(flat) < rules.window_min:
        return 0.0
    count = max(1, min(len(flat) // size, rules.windows))
    step = (len(flat) - size) / (count - 1) if count > 1 else 0.0
    windows = [flat[int(at * step) :][:size] for at in range(count)]
    thin = 0
    for window in windows:
        total = len(window) - GRAM + 1
        grams = {window[at : at + GRAM] for at in range(total)}
        thin += len(grams) < rules.window_distinct * total
    return thin / len(windows)


def distinct_trigrams(words: Sequence[str], rules: Text) -> float | None:
    """Different runs of three words over all of them; None below the least number of words."""
    if len(words) < rules.trigram_words:
        return None
    total = len(words) - 2
    return len(set(zip(words, words[1:], words[2:], strict=False))) / total


def entropy(symbols: Sequence[str]) -> float:
    """Shannon entropy of the symbols, bits."""
    total = len(symbols)
    return -math.fsum(count / total * math.log2(count / total) for count in Counter(symbols).values()) + 0.0
