"""report.html: well formed, alone, readable aloud, the same bytes anywhere, and foreign text in it is text."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from proof.report import STYLE_SHEET
from tests.support.pages import HOSTILE, Page
from tests.support.reports import hostile, nothing, without_figures
from workflow.report import bars, render
from workflow.report.page import HERE, render_html
from workflow.report.strip import Row, draw
from workflow.report.words import headline, since, unchecked, utc

Json = dict[str, Any]
MAKERS: dict[str, Callable[[Json], Json]] = {
    "usual": copy.deepcopy, "hostile": hostile, "nothing": nothing, "no figures": without_figures,
}  # fmt: skip
NAMES = list(MAKERS)
SHEETS = "\n".join(path.read_text(encoding="utf-8") for path in (STYLE_SHEET, HERE / "page.css"))


@pytest.fixture(params=NAMES)
def page(request: pytest.FixtureRequest, facts: Json) -> Page:
    """The page of each sort of report."""
    return Page(render_html(MAKERS[request.param](facts)))


def test_the_page_stands_alone(page: Page) -> None:
    """Names are single; no script, picture, frame, form or style from elsewhere; every link goes to a place in the page."""
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    assert not page.all("script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "foreignobject", "video")
    for tag, attributes in page.elements:
        for key, value in attributes.items():
            assert not key.startswith("on") and key not in ("src", "srcset", "action", "poster", "data", "ping")
            if key.endswith("href"):
                assert value is not None and value.startswith("#") and value[1:] in names
            assert "url(" not in (value or "").replace("url(#", "") and (key != "style" or "http" not in (value or "")), tag
        for pointed in ("aria-labelledby", "aria-describedby"):
            assert set((attributes.get(pointed) or "").split()) <= set(names)
    assert not re.search(r"@import|url\(|http|expression", SHEETS)


def test_the_page_can_be_read_aloud(page: Page) -> None:
    """Language, title, landmarks, one h1, headings in order, captions and scopes in tables, words for plots."""
    assert page.all("html") == [{"lang": "en"}] and len(page.all("main")) == len(page.all("header")) == len(page.all("nav")) == 1
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1 and all(later <= sooner + 1 for sooner, later in pairwise(levels))
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(attributes.get("scope") in ("row", "col") for attributes in page.all("th"))
    assert len(page.all("svg")) == len(page.all("desc")) == len(page.all("title")) - 1
    assert all(item["role"] == "img" and item["aria-labelledby"] for item in page.all("svg"))
    regions = [attributes for _, attributes in page.elements if attributes.get("role") == "region"]
    assert all(item["aria-label"] and item["tabindex"] == "0" for item in regions)
    assert len({item["aria-label"] for item in regions}) == len(regions)
    assert page.all("a")[0] == {"class": "skip", "href": "#bottom"}
    assert len(page.all("details")) == len(page.all("summary"))


def test_foreign_text_stays_text(facts: Json) -> None:
    """In every field at once."""
    source = render_html(hostile(facts))
    assert "<script" not in source and "<script>alert(1)</script>" in Page(source).text
    assert source.count("</title>") == len(Page(source).all("title")) and source.count("</style>") == 1 == source.count("<style")
    prose = re.sub(r"(`+).*?[^`]\1(?!`)", "", render(hostile(facts)), flags=re.DOTALL)  # in code nothing is markup
    assert not re.search(r"(?<!\\)<script|(?<!\\)\[x|\n# b", prose)


@pytest.mark.parametrize("name", NAMES)
def test_missing_figures_are_words(facts: Json, name: str) -> None:
    """Neither None nor NaN on any page."""
    made = MAKERS[name](facts)
    for text in (Page(render_html(made)).text, render(made)):
        assert not re.search(r"\b(None|nan|NaN|inf)\b", text)


def test_tables_of_the_markdown_hold(facts: Json) -> None:
    """No cell breaks its table, whatever stands in it."""
    for name in NAMES:
        blocks = re.split(
            r"\n(?!\|)", "\n".join(line if line.startswith("|") else "" for line in render(MAKERS[name](facts)).splitlines())
        )
        for block in blocks:
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines() if line}) <= 1


def test_the_bottom_line_comes_first(facts: Json) -> None:
    """What was banked, what it brings with its bounds and how to start it, before any explanation."""
    text = Page(render_html(facts)).text
    text = text[text.index("Skip to the result") :]
    order = [
        "AUDITED",
        "1 of 2 changes banked; at the end +271.0 % output throughput",
        "▲ FLAG",
        "bounds +2",
        "--continuous-batching",
        "What this is",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_standing_is_loud(facts: Json) -> None:
    """UNAUDITED and PARTIAL are words, and the first of the page."""
    facts |= {"audited": False, "partial": True}
    facts["final"] |= {"verdict": "UNAUDITED", "outcome": ""}
    text = Page(render_html(facts)).text
    top = text[: text.index("What this is")]
    assert "✕ UNAUDITED" in top and "▲ PARTIAL" in top and "✓ AUDITED" not in text and "output throughput, UNAUDITED" in top
    assert "No auditor judged this campaign" in text and "Nothing was audited" in text


def test_colour_is_never_alone(facts: Json) -> None:
    """Each badge has a sign and a word that belong to its colour."""
    source = render_html(facts)
    badges = re.findall(r'<span class="badge(?: verdict)? (\w+)"><span aria-hidden="true">(.)</span> ([\w/ ]+)</span>', source)
    known = {
        ("good", "✓"): {"PASS", "ok"},
        ("part", "▲"): {"FLAG", "flag"},
        ("bad", "✕"): {"FAIL", "fail"},
        ("none", "○"): {"n/a", "unknown"},
    }
    assert {word for *_, word in badges} >= {"PASS", "FLAG", "FAIL", "ok", "flag", "fail", "n/a"}
    assert all(word in known[(look, sign)] for look, sign, word in badges) and len(badges) == source.count('class="badge')


def test_every_claim_is_on_the_page(facts: Json) -> None:
    """Reasons, next steps, settings, findings, launches, budget, profiles, and what is left open; the text in Markdown too."""
    facts["final"] |= {
        "not_checked": ["drift: no second probe"],
        "parts": [{"part": "batching", "share_pct": 200.5}],
        "not_separable": ["a from b"],
    }
    text, plain = " ".join(Page(render_html(facts)).text.split()), render(facts)
    for item in (*facts["candidates"], facts["final"]):
        for words in (*item["reasons"], *item["next_steps"], *(line["reason"] for line in item["findings"])):
            assert words in text
    for words in (
        "drift: no second probe",
        "a from b",
        "+200.5 %",
        "2 of 3 looks",
        "cb_max_batch_tokens",
        "fused::mm",
        "22 sealed launches",
    ):
        assert words in text
        assert words in plain.replace("\\", "") or words.startswith("22")


def test_a_plot_shows_every_repeat(facts: Json) -> None:
    """In its description, leg by leg; profiles operation by operation."""
    source = render_html(facts)
    desc = re.findall(r"<desc[^>]*>(.*?)</desc>", source)
    assert len(desc) == 5
    first = next(text for text in desc if "reference" in text and "1,379" not in text)
    assert first.count("launch ") == 6
    assert any("fused::mm: before n/a, after 9.0 %" in text for text in desc)


def test_rows_of_one_operation_are_one_bar() -> None:
    """Their shares add up, one without a share adds nothing, and of many operations the largest are drawn."""
    many = [{"op": f"op{place}", "share_pct": float(place)} for place in range(20)]
    first = {"ops": [{"op": "mm", "share_pct": 30.0}, {"op": "mm", "share_pct": 12.0}, {"op": "mm", "share_pct": None}, *many]}
    found = bars.ops_of([first, {"ops": [{"op": "mm", "share_pct": None}]}])
    assert found[0] == bars.Op("mm", 42.0, None) and len(found) == bars.MOST and found[1].name == "op19"
    assert bars.draw([]) is None and bars.draw([{"ops": []}]) is None


def test_an_axis_that_does_not_begin_at_zero_says_so() -> None:
    """It does so only where the marks would be one blot."""
    near = draw([Row("a", "ref", ((100.0, 101.0),)), Row("b", "cand", ((103.0, 104.0),))], "near", "near")
    far = draw([Row("a", "ref", ((100.0, 101.0), ())), Row("b", "else", ((203.0, 204.0),))], "far", "far")
    assert near is not None and re.search(r"the axis begins at 9\d, NOT at 0", near.svg)
    assert far is not None and "NOT at 0" not in far.svg and "launch 2: no rows" in far.svg
    assert draw([Row("a", "ref", ((), ()))], "none", "none") is None
    for flat in ((0.0, 0.0), (5.0,), (1e-9, 2e-9), (1e12,)):
        assert draw([Row("a", "ref", (flat,))], "flat", "flat") is not None


def test_same_facts_same_bytes_in_another_process(facts: Json, tmp_path: Path) -> None:
    """Neither the hash seed, nor the order of keys, nor the reader's matplotlibrc, locale or time zone counts."""
    script = (
        "import json, sys; from workflow.report.page import render_html;"
        "sys.stdout.buffer.write(render_html(json.load(sys.stdin)).encode())"
    )
    settings = tmp_path / "matplotlibrc"
    settings.write_text("lines.linewidth: 9\nsvg.fonttype: path\n", encoding="utf-8")
    more = {"PYTHONHASHSEED": "3", "MATPLOTLIBRC": str(settings), "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(
        command, input=json.dumps(facts, sort_keys=True).encode(), capture_output=True, env={**os.environ, **more}, check=True
    )
    assert done.stdout == render_html(facts).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"candidates": []}, "No change was tried"),
        ({"banked": []}, "Nothing was banked: 2 changes tried, none of which held"),
        ({"banked": [], "stopped": ""}, "Nothing is banked so far; 2 changes tried"),
        ({"final": {"measured": False}}, "1 of 2 changes banked; together they were not measured"),
        (
            {"final": {"measured": True, "delta_pct": None, "verdict": "FAIL"}},
            "1 of 2 changes banked; at the end n/a output throughput, which the auditor REFUSED",
        ),
        ({"banked": ["a", "b"]}, "2 of 2 changes banked; together +271.0 % output throughput"),
    ],
)  # fmt: skip
def test_headline(facts: Json, change: Json, said: str) -> None:
    """What was banked, and what it brings as far as that is known."""
    assert headline({**facts, **change}) == said


def test_times_are_utc_and_missing_ones_are_words() -> None:
    """Whatever the clock of the reader; a time beyond the calendar is n/a."""
    assert utc(1795233187.76) == "2026-11-21 03:53:07 UTC" and utc(None) == utc(1e300) == "n/a"
    assert (since(100.0, 100.0), since(165.4, 100.0), since(None, 1.0)) == ("+0 s", "+1 min 05 s", "n/a")
    assert since(30.0, 100.0) == "-1 min 10 s"


def test_what_was_left_open_is_listed_once(facts: Json) -> None:
    """By whom it concerns; launches outside of a sandbox, and those that do not say."""
    unknown = {"gate": "parity", "status": "unknown", "ids": [], "reason": "no answers kept"}
    facts["candidates"][0] |= {"not_checked": ["no answers kept", "x"], "findings": [unknown]}
    facts["sandboxes"] = {"bubblewrap": 3, "none": 1, "unknown": 2}
    said = unchecked(facts)
    assert said[:2] == [("c01-continuous-batching", "no answers kept"), ("c01-continuous-batching", "x")]
    assert [line.words.partition(" ")[0] for line in said[2:4]] == ["1", "2"] and "without a sandbox" in said[2].words


def _colours(dark: bool) -> dict[str, str]:
    roots = re.findall(r":root\s*{(.*?)}", SHEETS, flags=re.DOTALL)
    light, night = (dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", text)) for text in roots)
    assert set(night) == set(light)
    return night if dark else light


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_its_ground(dark: bool) -> None:
    """Contrast of WCAG 2 AA, 4.5, for every pair of text and ground that the style uses, on paper and by night."""
    colours = _colours(dark)
    pairs = [(ink, ground) for ink in ("ink", "muted", "link", "bad") for ground in ("paper", "panel")]
    pairs += [(look, f"{look}-bg") for look in ("good", "part", "bad")]
    for ink, ground in pairs:
        high, low = sorted((_luminance(colours[ink]), _luminance(colours[ground])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)


def test_on_paper_everything_is_open() -> None:
    """Folded findings are printed, and neither a card's head nor a row is cut in two."""
    paper = SHEETS[SHEETS.index("@media print") :]
    assert "details::details-content" in paper and re.search(r"\.core[^{]*{[^}]*break-inside: avoid", paper)


def test_hostile_text_is_hostile() -> None:
    """The text these tests lean on still holds what it should."""
    assert all(sign in HOSTILE for sign in ("<script>", "</style>", "\u202e", "\n#", "|"))
