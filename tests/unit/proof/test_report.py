"""The report of a proof: whole, the same bytes anywhere, asking no network, and showing foreign text as text."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from proof.rates import Rate
from proof.report import IncompleteProofError, tables, words, write
from proof.report.shape import read
from tests.support.pages import HOSTILE, Page

Json = dict[str, Any]
LONG = "the reason goes on " * 300


def _rate(k: int, n: int) -> Json:
    return Rate(k, n).plain()


def _case(number: int, kind: str, verdict: str, *, good: bool) -> Json:
    said = {
        "short_name": f"c{number}", "verdict": verdict, "action": "eject", "outcome": None, "ids": ["W06"],
        "gates": ["same_work"], "reason": LONG,
    }  # fmt: skip
    return {
        "id": f"{kind}-{number:04}", "kind": kind, "recipe": f"recipe-{number % 7}", "base": "sglang-flat", "size": 0.5,
        "seed": number, "ids": ["W06"], "critical": number % 3 == 0,
        "expected": {"verdicts": ["FAIL"], "must": ["W06"], "must_not": []},
        "got": [said], "caught": good, "named": good, "right": good,
    }  # fmt: skip


def _miss(number: int, what: str = "passed") -> Json:
    return {
        "case": f"lie-{number:04}", "what": what, "recipe": f"recipe-{number}", "base": "vllm-steep", "size": 0.05,
        "expected": "FAIL naming W06", "got": "PASS (bank, proven)",
        "evidence": f"evidence-{number} {HOSTILE if number % 2 else LONG}",
    }  # fmt: skip


GAINS = (0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0)


def _power(policy: str, scatter: float) -> list[Json]:
    hits = [round(2000 / (1 + (scatter / gain) ** 4)) for gain in GAINS]
    return [{"policy": policy, "gain_pct": gain, "accepted": _rate(k, 2000)} for gain, k in zip(GAINS, hits, strict=True)]


def _world(number: int, name: str, *, fair: bool) -> Json:
    trials = 20000
    none = 0 if fair else 10 * number
    field, ours = min(trials, 7000 + 900 * number), (80 if fair else 40 * number)
    return {
        "name": name, "says": f"Launches differ by {number / 2} %, repeats of a launch by 0.3 %.", "meets_assumptions": fair,
        "parameters": {"launch_sd_pct": number / 2, "blocks": bool(number % 2), "drift": "none"},
        "fitted_from": "46 launches in 5 A/A sets" if number == 2 else "", "campaigns": trials, "candidates": 20,
        "policies": [
            {"policy": "range rule", "per_claim": _rate(field, 20 * trials), "per_campaign": _rate(field, trials)},
            {"policy": "default", "per_claim": _rate(ours, 20 * trials), "per_campaign": _rate(ours, trials)},
            {"policy": "strict", "per_claim": _rate(none, 20 * trials), "per_campaign": _rate(none, trials)},
        ],
        "detections": [] if fair else [
            {"gate": "contention", "rate": _rate(930, 1000), "of": "pairs that met a neighbour"},
            {"gate": "spread", "rate": _rate(0, 0), "of": "A/A sets"},
        ],
        "power": [*_power("range rule", 0.5 + number / 6), *_power("default", 0.8 + number / 3)],
        "true_wins": {"gain_pct": 2.31 + number, "not_proven": _rate(24, 2000)} if fair else None,
        "launches_needed": [{"gain_pct": 5.0, "said": 9, "asked_power": 0.8, "power_there": _rate(1620, 2000)}] if fair else [],
        "odds": [{"launch_noise_pct": 1.0, "printed_pct": 28.7, "seen": _rate(574, 2000)}] if fair else [],
        "files": {"pairs": 2000, "agreed": _rate(2000, 2000), "disagreements": []},
        "before": None if fair else {"per_campaign": _rate(min(trials, 90 * number), trials), "detections": [
            {"gate": "contention", "rate": _rate(120, 1000), "of": "pairs that met a neighbour"}]},
    }  # fmt: skip


def example(worlds: int = 25) -> Json:
    """A whole proof with every field, misses and worlds of both sorts."""
    names = ["quiet GPU", "launch-noisy", "embedded", "field", "alike repeats", "timer of 10 ms"]
    lies = [_case(n, "lie", "PASS" if n < 4 else "FLAG" if n % 10 == 5 else "FAIL", good=n > 3) for n in range(240)]
    twins = [_case(n, "twin", "PASS" if n else "FAIL", good=n > 0) for n in range(240)]
    wins = [_case(n, "win", "PASS", good=True) for n in range(20)]
    shipped = [_case(n, "recorded", "FLAG", good=True) for n in range(9)]
    fair = worlds // 2
    return {
        "schema": "countersign.proof/1", "auditor_version": "0.2.0", "mode": "full", "seed": 20261121, "key_digest": "ab" * 32,
        "policy_digests": {"strict": "cd" * 32, "default": "ef" * 32}, "machine": "2 cores", "blind": True,
        "goals": [
            {"name": "false accepts per campaign, worst fair world", "goal": "<= 5 %", "value": _rate(80, 20000), "words": "x",
             "met": True, "more_is": "worse"},
            {"name": "planted lies that FAIL or FLAG", "goal": ">= 99 %", "value": _rate(236, 240), "words": "x", "met": False,
             "more_is": "better"},
            {"name": "not measured", "goal": "100 %", "value": None, "words": "no trials here", "met": False,
             "more_is": "better"},
        ],
        "cases": [*lies, *twins, *wins, *shipped],
        "confusion": {
            "lie": {"PASS": 4, "FLAG": 24, "FAIL": 212}, "critical lie": {"PASS": 2, "FLAG": 8, "FAIL": 70},
            "twin": {"PASS": 239, "FLAG": 0, "FAIL": 1}, "win": {"PASS": 20, "FLAG": 0, "FAIL": 0},
            "recorded": {"PASS": 0, "FLAG": 9, "FAIL": 0},
        },
        "rates": {
            "critical_failed": _rate(70, 80), "lies_caught": _rate(236, 240), "id_named": _rate(236, 240),
            "twins_refused": _rate(1, 240), "recorded_right": _rate(9, 9), "wins_refused": _rate(0, 20),
        },
        "ids": [{"id": f"W{n:02}", "name": "shorter outputs", "recipes": ["shorter-answers", "cut"], "lies": _rate(12, 12),
                 "named": _rate(11, 12), "twins": _rate(0, 0)} for n in range(80)],
        "gates": [{"gate": gate, "recall": _rate(118, 120), "precision": _rate(0, 0)} for gate in ("same_work", "contention")],
        "misses": [*(_miss(n) for n in range(4)), _miss(9, "honest twin refused")],
        "worlds": [_world(n, names[n] if n < len(names) else f"world number {n}", fair=n < fair) for n in range(worlds)],
        "stability": {"cases": 500, "times": 3, "unstable": ["lie-0007"]},
        "speed": {"requests": 509, "seconds": 8.75, "per_second": 58.2, "jobs": 2},
        "first_looks": [{"what": "old recipes", "caught": _rate(9, 10), "critical_failed": _rate(4, 5), "named": _rate(8, 10)}],
    }  # fmt: skip


def hostile() -> Json:
    """The same with foreign text wherever text stands."""

    def soil(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: soil(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [soil(item, key) for item in value]
        return value + HOSTILE if isinstance(value, str) and key not in CLOSED else value

    found: Json = soil(example(4))
    found["confusion"][HOSTILE] = {"PASS": 1, "FLAG": 0, "FAIL": 0}
    found["policy_digests"][HOSTILE] = HOSTILE
    found["worlds"][0]["parameters"][HOSTILE] = HOSTILE
    found["worlds"][0]["policies"].append({"policy": HOSTILE, "per_claim": _rate(1, 2), "per_campaign": _rate(1, 2)})
    return found


CLOSED = {"schema", "mode", "kind", "verdict", "more_is"}
"""Keys that take one of a few words."""


def empty() -> Json:
    """A proof of nothing: no case, no world."""
    nothing = _rate(0, 0)
    found = example(0)
    found |= {"goals": [], "cases": [], "confusion": {}, "ids": [], "gates": [], "misses": [], "mode": "quick", "blind": False}
    found["rates"] = dict.fromkeys(["critical_failed", "lies_caught", "id_named", "twins_refused", "recorded_right"], nothing)
    found["stability"] = {"cases": 0, "times": 1, "unstable": []}
    found["speed"] = {"requests": 0, "seconds": 0.0, "per_second": None, "jobs": 1}
    return found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Markdown and HTML of a usual, a hostile and an empty proof."""
    found = {}
    for name, proof in (("usual", example()), ("hostile", hostile()), ("empty", empty())):
        markdown, page = write(proof, tmp_path_factory.mktemp(name))
        assert (markdown.name, page.name) == ("report.md", "report.html")
        found[name] = (markdown.read_text(encoding="utf-8"), page.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", ["usual", "hostile", "empty"])
def test_the_page_is_well_formed_and_stands_alone(pages: dict[str, tuple[str, str]], name: str) -> None:
    """Tags balance, names are single, nothing is fetched: no script, no link or picture but into the page itself."""
    source = pages[name][1]
    page = Page(source)
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    assert not page.all("script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "foreignobject")
    for _, attributes in page.elements:
        for key, value in attributes.items():
            assert not key.startswith("on") and key not in ("src", "srcset", "action")
            if key.endswith("href"):
                assert value is not None and value.startswith("#") and value[1:] in names
            assert "url(" not in (value or "").replace("url(#", "")
        assert attributes.get("aria-labelledby", names[0]).split()[0] in names  # type: ignore[union-attr]
    style = source[source.index("<style>") : source.index("</style>")]
    assert "@import" not in style and "url(" not in style and "http" not in style


@pytest.mark.parametrize("name", ["usual", "hostile", "empty"])
def test_the_page_can_be_read_aloud(pages: dict[str, tuple[str, str]], name: str) -> None:
    """Language, one h1, headings in order, a caption and scopes in every table, title and description in every plot."""
    page = Page(pages[name][1])
    assert page.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later <= sooner + 1 for sooner, later in pairwise(levels))
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(attributes.get("scope") in ("row", "col") for attributes in page.all("th"))
    assert len(page.all("svg")) == len(page.all("desc")) == len(page.all("title")) - 1 == (0 if name == "empty" else 3)


def test_every_miss_stands_in_both_reports_with_its_evidence(pages: dict[str, tuple[str, str]]) -> None:
    """Also the long ones, whole."""
    markdown, source = pages["usual"]
    shown = " ".join(Page(source).text.split())
    for miss in example()["misses"]:
        for text in (shown, markdown):
            assert miss["case"] in text and miss["recipe"] in text and f"evidence-{miss['case'][-1]}" in text
    assert LONG.strip() in shown and LONG.strip() in markdown


def test_foreign_text_stays_text(pages: dict[str, tuple[str, str]]) -> None:
    """Markup in any string is shown and does nothing; what turns or hides text is shown as its number."""
    markdown, source = pages["hostile"]
    prose = re.sub(r"(`+).*?[^`]\1(?!`)", "", markdown)  # in code nothing is markup
    assert "<script" not in source and not re.search(r"(?<!\\)<script|(?<!\\)\[x|\n# b", prose)
    assert "<script>alert(1)</script>" in Page(source).text
    assert source.count("</title>") == len(Page(source).all("title")) and source.count("</style>") == 1 == source.count("<style")
    for text in (source, markdown):
        assert not set("\u202e\x00\ud800") & set(text) and "\\u202e" in text.replace("\\\\", "\\")
    blocks = re.split(r"\n(?!\|)", "\n".join(line if line.startswith("|") else "" for line in markdown.splitlines()))
    assert len([block for block in blocks if block]) > 5
    for block in blocks:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines() if line}
        assert len(widths) <= 1, "a cell breaks its table"


def test_markdown_reader_finds_no_foreign_markup(pages: dict[str, tuple[str, str]]) -> None:
    """A CommonMark reader sees no HTML, picture or link that we did not write, and all tables."""
    reader = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    for markdown, _ in pages.values():
        tokens = reader.parse(markdown)
        flat = [item for token in tokens for item in [token, *(token.children or [])]]
        assert not {"html_block", "html_inline", "image", "link_open", "fence", "code_block"} & {token.type for token in flat}
    assert sum(token.type == "table_open" for token in reader.parse(pages["usual"][0])) == 12


def test_same_proof_same_bytes_in_another_process_with_other_settings(tmp_path: Path) -> None:
    """Neither the hash seed, nor the order of keys, nor the reader's matplotlibrc, nor the time zone counts."""
    script = "import json, pathlib, sys; from proof import report; report.write(json.load(sys.stdin), pathlib.Path(sys.argv[1]))"
    settings = tmp_path / "matplotlibrc"
    settings.write_text("lines.linewidth: 9\nsvg.fonttype: path\nfont.size: 22\n", encoding="utf-8")
    proof = example(5)
    environments = [
        {"PYTHONHASHSEED": "1"},
        {"PYTHONHASHSEED": "2", "MATPLOTLIBRC": str(settings), "TZ": "Asia/Tokyo", "LC_ALL": "C"},
    ]
    for number, more in enumerate(environments):
        text = json.dumps(proof, sort_keys=bool(number))
        subprocess.run(
            [sys.executable, "-W", "error", "-c", script, str(tmp_path / str(number))],
            input=text, text=True, check=True, env={**os.environ, **more}, timeout=120,
        )  # fmt: skip
    for name in ("report.md", "report.html"):
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "1" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "0").iterdir()) == ["report.html", "report.md"]


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where keys stand, one place for each sort of object."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in [(*path, key), *_paths(item, (*path, key))]]
    return _paths(value[0], (*path, 0)) if isinstance(value, list) and value else []


OPTIONAL = {"blind", "before", "expected", "wins_refused"}
OPEN = {"parameters", "policy_digests", "confusion", "expected"}
"""Objects whose keys are not fixed, or that the report does not read."""


def test_a_missing_key_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    """Whichever key it is."""
    whole = example(2)
    whole["cases"] = whole["cases"][:1]
    needed = [path for path in _paths(whole) if path[-1] not in OPTIONAL and not any(part in OPEN for part in path[:-1])]
    assert len(needed) > 100
    for path in needed:
        proof = copy.deepcopy(whole)
        inner: Any = proof
        for part in path[:-1]:
            inner = inner[part]
        del inner[path[-1]]
        with pytest.raises(IncompleteProofError, match=f"`{path[-1]}`"):
            write(proof, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("schema",), "countersign.proof/2", "schema"), (("worlds", 0, "campaigns"), "many", "campaigns"),
        (("rates", "lies_caught", "rate"), float("nan"), "lies_caught.rate"),
        (("rates", "id_named", "high"), 1.5, "id_named.high"), (("confusion", "lie"), 3, "confusion"),
        (("cases", 0, "kind"), "guess", "kind"), (("confusion", "lie", "PASS"), None, "PASS"), (("goals",), None, "goals"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named(tmp_path: Path, path: tuple[str | int, ...], value: object, named: str) -> None:
    """Other types, shares beyond 0 and 1, no numbers, words that are not among the few."""
    proof = example(1)
    inner: Any = proof
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    with pytest.raises(IncompleteProofError, match=re.escape(named)):
        write(proof, tmp_path)


@pytest.mark.parametrize(
    ("k", "n", "text"),
    [
        (24, 2000, "1.2 % [0.8, 1.8] (24 of 2,000)"), (1, 3, "33 % [1, 91] (1 of 3)"), (0, 20000, "0 % [0, 0.018] (0 of 20,000)"),
        (1000, 20000, "5.00 % [4.70, 5.31] (1,000 of 20,000)"), (399, 400, "99.8 % [98.6, 100.0] (399 of 400)"),
        (0, 0, "no trials"),
        (39996, 40000, "99.990 % [99.974, 99.997] (39,996 of 40,000)"),
        (1, 3000000, "0.00003 % [0.00000, 0.00019] (1 of 3,000,000)"),
    ],
)  # fmt: skip
def test_a_rate_has_the_digits_it_deserves(k: int, n: int, text: str) -> None:
    """As many as its interval allows; never rounded to all or none unless it is."""
    proof = example(1)
    proof["rates"]["lies_caught"] = _rate(k, n)
    assert words.full(read(proof).rates.lies_caught) == text


def test_headline_counts_goals_and_says_which_are_not_met(pages: dict[str, tuple[str, str]]) -> None:
    """The first heading after the title is the result."""
    markdown, source = pages["usual"]
    assert "1 of 3 goals met, 2 not" in Page(source).text and "Goals: 1 of 3 met" in markdown
    assert source.index("1 of 3 goals met") < source.index("What this is")
    assert "| 98.3 % [95.8, 99.5] (236 of 240) |" in markdown
    assert source.count("✗ not met") == 2 == markdown.count("**NOT MET**")
    assert "no trials here" in markdown and "no trials here" in source


def test_a_proof_without_misses_says_what_that_does_not_mean(tmp_path: Path) -> None:
    """The upper end of the interval stands there: 240 of 240 caught leaves 1.5 %."""
    proof = example(1) | {"misses": []}
    proof["rates"]["lies_caught"] = _rate(240, 240)
    for path in write(proof, tmp_path):
        text = path.read_text(encoding="utf-8")
        assert "every case came out exactly as the answer key says" in text and "could still be 1.5 %" in text


def test_calibration_is_judged_by_the_interval(pages: dict[str, tuple[str, str]]) -> None:
    """Promised 80 %, found 81 [79, 83]: as promised. Wrong promises get a word of their own."""
    assert pages["usual"][0].count("| as promised |") == pages["usual"][0].count("| as printed |") == 12
    proof = example(2)
    proof["worlds"][0]["launches_needed"][0]["power_there"] = _rate(700, 2000)
    proof["worlds"][0]["odds"][0]["printed_pct"] = 90.0
    world = read(proof).worlds[0]
    assert tables.launches_hold(world.launches_needed[0]) == "too few" and tables.odds_hold(world.odds[0]) == "printed too high"


def test_every_world_is_in_the_plots_and_tables(pages: dict[str, tuple[str, str]]) -> None:
    """25 of them, each named in the plot of false accepts, in the power plots and in the tables."""
    source = pages["usual"][1]
    plots = re.findall(r"<svg.*?</svg>", source, flags=re.DOTALL)
    assert len(plots) == 3
    for world in example()["worlds"]:
        name = f">{world['name']}<"
        assert name in plots[0] and (name in plots[1]) + (name in plots[2]) == 1
        assert f'<th scope="row" class="wide">{world["name"]}<' in source
    assert "goal 5 %" in plots[0] and "contention 93.0 %" in plots[0]


def test_colour_is_never_alone(pages: dict[str, tuple[str, str]]) -> None:
    """A cell of the matrix that is coloured says in words whether the answers are right."""
    for look, rest in re.findall(r'<td class="(good|part|bad)">(.*?)</td>', pages["usual"][1]):
        assert {"good": "all as the key says", "part": "but for a detail", "bad": "wrong"}[look] in rest
