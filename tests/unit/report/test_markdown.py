"""Texts from files cannot change the report's structure; a missing figure is n/a."""

from __future__ import annotations

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.report.markdown import Verbatim, code_block, escape, render
from workflow.report.words import effect_text, number


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a_b*c", r"a\_b\*c"),
        ("<script>alert(1)</script>", r"\<script>alert(1)\</script>"),
        ("[x](javascript:1)", r"\[x\](javascript:1)"),
        ("two\nlines\r\n# title", "two lines # title"),
        ("# PASS", r"\# PASS"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("> quote", r"\> quote"),
        ("-29.7 % (1214.7 -> 853.9 tok/s)", "-29.7 % (1214.7 -> 853.9 tok/s)"),
        ("a | b", r"a \| b"),
    ],
)
def test_escape(text: str, shown: str) -> None:
    """Shown letter by letter, on one line."""
    assert escape(text) == shown


@given(st.text())
def test_escaped_text_is_one_line_without_markup(text: str) -> None:
    """No line end, no HTML, no unescaped link, code span or emphasis."""
    shown = escape(text)
    assert len(shown.splitlines()) <= 1
    plain = shown.replace("\\\\", "")
    for mark in "`*_[]<|":
        assert plain.count(mark) == plain.count(f"\\{mark}")


@given(st.text(alphabet="`a\n ~"))
def test_a_code_block_cannot_be_left(text: str) -> None:
    """Its fence is longer than any run of backticks inside."""
    block = code_block(text)
    fence = block[: len(block) - len(block.lstrip("`"))]
    assert isinstance(block, Verbatim) and fence not in text


def test_missing_figures_are_words() -> None:
    """Never NaN, never 0."""
    assert number(None) == "n/a" and number(1.25, sign=True) == "+1.2" and effect_text(None) == ""
    effect = {"rule": "launches", "lower_pct": 3.0, "upper_pct": None, "alpha": 0.0125}
    assert effect_text(effect) == "bounds +3.0 .. unbounded % (one-sided, 1.25 % each)"


def test_a_missing_name_is_an_error() -> None:
    """StrictUndefined: a report is never silently incomplete."""
    with pytest.raises(jinja2.UndefinedError):
        render({})
