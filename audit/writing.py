"""Scripts and words: facts about writing that hold in any language, and small words of the common ones."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

from audit.policy import Text

_GROUPS = {
    "latin": "a-zA-Z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u1e00-\u1eff\u2c60-\u2c7f\ua720-\ua7ff"
    "\uff21-\uff3a\uff41-\uff5a",
    "greek": "\u0370-\u03ff\u1f00-\u1fff",
    "cyrillic": "\u0400-\u052f\u1c80-\u1c8f\u2de0-\u2dff\ua640-\ua69f",
    "armenian": "\u0530-\u058f",
    "hebrew": "\u0590-\u05ff\ufb1d-\ufb4f",
    "arabic": "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc",
    "indic": "\u0900-\u0dff",
    "thai": "\u0e00-\u0eff",
    "tibetan": "\u0f00-\u0fff",
    "burmese": "\u1000-\u109f",
    "georgian": "\u10a0-\u10ff\u1c90-\u1cbf",
    "ethiopic": "\u1200-\u139f",
    "khmer": "\u1780-\u17ff",
    "javanese": "\ua980-\ua9df",
    "east": "\u1100-\u11ff\u3040-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff"
    "\uf900-\ufaff\U00020000-\U0003ffff",
}
"""Han, kana, bopomofo and Hangul are one group: they are written together. So are the scripts of India."""
UNSPACED = frozenset({"east", "thai", "khmer", "burmese", "tibetan", "javanese"})
"""Written without blanks: a Latin name in the middle of a run is how they are written."""
EVERYWHERE = frozenset({"latin", "greek"})
"""At home in any text: names, units, formulas."""
_LATIN_WORD = re.compile(f"[{_GROUPS['latin']}]+")
_WORD = re.compile(r"[^\W_]+")
_TURN = re.compile(r"[^\W\d_](?=\d)|\d(?=[^\W\d_])")
_HAN = re.compile("[\u4e00-\u9fff]")
_KANA = re.compile("[\u3040-\u30ff]")
_VOWELS = "aeiouy"


@cache
def _runs() -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<{name}>[{ranges}]+)" for name, ranges in _GROUPS.items()))


def _letter_groups(sample: str) -> list[tuple[str, int, int]]:
    return [(match.lastgroup or "", match.start(), match.end()) for match in _runs().finditer(sample)]


def scripts(sample: str, rules: Text) -> int:
    """Scripts, Latin and Greek left out, that make up at least the policy's share of the letters."""
    if sample.isascii():
        return 0
    letters: Counter[str] = Counter()
    for group, start, end in _letter_groups(sample):
        letters[group] += end - start
    total = sum(letters.values())
    return sum(count >= rules.script_share * total for name, count in letters.items() if name not in EVERYWHERE)


def glued_share(sample: str, rules: Text) -> float:
    """Share of runs of letters that change their script in the middle; 0 below the least number of such runs."""
    if sample.isascii():
        return 0.0
    runs = glued = 0
    before: tuple[str, int] | None = None
    inside = False
    for group, start, end in _letter_groups(sample):
        if before is None or before[1] != start:
            runs, inside = runs + 1, False
        elif not inside and _clash(before[0], group):
            glued, inside = glued + 1, True
        before = (group, end)
    return glued / runs if glued >= rules.glued_min else 0.0


def _clash(one: str, other: str) -> bool:
    pair = {one, other}
    return "greek" not in pair and not ("latin" in pair and pair & UNSPACED)


def odd_words(sample: str, rules: Text) -> float | None:
    """Share of Latin words (three letters or more, not all capitals) without a vowel or with runs beyond any language's."""
    words = [word for word in _LATIN_WORD.findall(sample) if len(word) >= 3 and not word.isupper()]
    if len(words) < rules.odd_min_words:
        return None
    return sum(_odd(word.lower(), rules) for word in words) / len(words)


def _odd(word: str, rules: Text) -> bool:
    vowels = consonants = longest_v = longest_c = seen = 0
    for char in word:
        is_vowel = char in _VOWELS or not char.isascii()  # any accented letter counts as one: it speaks for the word
        vowels, consonants = (vowels + 1, 0) if is_vowel else (0, consonants + 1)
        seen += is_vowel
        longest_v, longest_c = max(longest_v, vowels), max(longest_c, consonants)
    return seen == 0 or longest_c > rules.consonants or longest_v > rules.vowels


def run_together(sample: str, rules: Text) -> float:
    """Share of the characters of all words that stand in words no one writes: overlong, or letters and digits in turn."""
    total = strange = 0
    for word in _WORD.findall(sample):
        if _runs().match(word) is None or word.isascii() or _LATIN_WORD.match(word):
            total += len(word)
            turns = len(_TURN.findall(word))
            strange += len(word) if len(word) > rules.word_chars or turns >= rules.word_turns else 0
    return strange / total if total else 0.0


def function_share(sample: str, rules: Text) -> float | None:
    """Small words of the language that fits best, over all words; for Chinese, common characters over all.

    None where there are too few words, or a script of which the policy lists no language.
    """
    groups = Counter(group for group, _, _ in _letter_groups(sample))
    if not groups:
        return None
    main = groups.most_common(1)[0][0]
    if main == "east":
        found = _HAN.findall(sample)
        if len(found) < rules.function_words_min or _KANA.search(sample):
            return None
        common = set(rules.common_han)
        return sum(char in common for char in found) / len(found)
    if main not in ("latin", "cyrillic"):
        return None
    words = [sample[start:end].lower() for group, start, end in _letter_groups(sample) if group == main]
    if len(words) < rules.function_words_min:
        return None
    counts = Counter(words)
    return max(sum(counts[word] for word in listed.split()) for listed in rules.function_words.values()) / len(words)
