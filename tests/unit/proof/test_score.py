"""Scores, goals and committed figures, on verdicts of real audits and on tables small enough to count by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from audit import audit_path
from proof import assemble, figures, goals, score
from proof.cases import Case
from proof.inject import edits
from proof.inject.bases import BASES
from proof.key import Key, Label, Planted
from proof.rates import Rate

Json = dict[str, Any]


def _verdicts(place: Path, *, lie: bool) -> list[Json]:
    draft = BASES["sglang-flat"].make(1)
    if lie:
        edits.outputs(draft, "cand", 0.5)
    found: list[Json] = json.loads(msgspec.json.encode(list(audit_path(draft.write(place / "run")))))
    return found


def _key(any_of: list[str]) -> Key:
    lie = Label(rows=["not_comparable"], source="test", any_of=any_of, critical=True)
    twin = Label(rows=["passed"], source="test", must_not=any_of)
    return Key("countersign.key/1", "", {"shorter": Planted(lie, twin)}, {"shipped": {"backend": lie, "gone": lie}})


def _case(kind: str) -> Case:
    name = "shipped" if kind == "recorded" else "shorter"
    return Case(kind, name, "sglang-flat", 0.5, 1)  # type: ignore[arg-type]


def test_a_caught_lie_with_its_id_is_right(tmp_path: Path) -> None:
    """Shorter answers, W06 expected."""
    [one] = score.score(_case("lie"), _verdicts(tmp_path, lie=True), _key(["W06"]))
    assert one.caught and one.named and not one.wrong
    assert "same_work" in one.got[0]["gates"] and "W06" in one.got[0]["ids"]


def test_a_caught_lie_under_another_id_is_a_miss_with_evidence(tmp_path: Path) -> None:
    """Caught, not named: the miss says what was expected and quotes the judge."""
    scores = score.score(_case("lie"), _verdicts(tmp_path, lie=True), _key(["K12"]))
    [miss] = score.misses(scores)
    assert scores[0].caught and not scores[0].named
    assert miss["what"] == "another id named" and "K12" in miss["expected"] and "unequal work" in miss["evidence"]


def test_a_lie_that_passes_and_a_twin_that_fails_are_misses(tmp_path: Path) -> None:
    """Both directions count."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    passed = score.score(_case("lie"), _verdicts(tmp_path / "a", lie=False), _key(["W06"]))
    refused = score.score(_case("twin"), _verdicts(tmp_path / "b", lie=True), _key(["W06"]))
    whats = [miss["what"] for miss in score.misses([*passed, *refused])]
    assert whats == ["passed", "honest twin refused"]
    found = score.rates([*passed, *refused])
    assert found["critical_failed"] == Rate(0, 1) and found["twins_refused"] == Rate(1, 1)
    assert score.confusion([*passed, *refused])["lie"] == {"PASS": 1, "FLAG": 0, "FAIL": 0}


def test_a_request_without_a_verdict_is_a_miss(tmp_path: Path) -> None:
    """A recorded run must answer every request of the key."""
    both = score.score(_case("recorded"), _verdicts(tmp_path, lie=True), _key(["W06"]))
    assert [item.wrong for item in both] == [(), ("no verdict",)]


@pytest.mark.parametrize(("k", "n", "met"), [(50, 1000, True), (51, 1000, False), (0, 0, False)])
def test_the_worst_fair_world_speaks_for_all(k: int, n: int, met: bool) -> None:
    """A world that breaks the assumptions is shown, and does not decide the goal."""

    def world(name: str, fair: bool, rate: Rate) -> Json:
        policies = [{"policy": "default", "per_campaign": rate.plain(), "per_claim": rate.plain()}]
        agreed = Rate(7, 7).plain()
        return {
            "name": name,
            "meets_assumptions": fair,
            "policies": policies,
            "true_wins": {"gain_pct": 9.0, "not_proven": Rate(1, 100).plain()},
            "files": {"agreed": agreed},
        }

    held = goals.of_worlds(
        [world("fair", True, Rate(k, n)), world("calm", True, Rate(0, 100)), world("foul", False, Rate(90, 100))]
    )
    if n:
        assert held[0]["met"] is met and "fair" in held[0]["name"]
    assert [goal["met"] for goal in held[1:]] == [True, True]


def test_a_figure_that_falls_is_named_and_one_that_rises_is_not() -> None:
    """Both polarities; a figure that is gone counts as the worst."""
    was = {
        "caught": {"value": 0.99, "more_is": "better"},
        "refused": {"value": 0.01, "more_is": "worse"},
        "named": {"value": 0.95, "more_is": "better"},
    }
    now = {"caught": {"value": 0.98, "more_is": "better"}, "refused": {"value": 0.0, "more_is": "worse"}}
    fell = figures.falls(was, now)
    assert [fall.name for fall in fell] == ["caught", "named"]
    assert fell[0].words == "caught: 99 % committed, now 98 %"


def test_figures_are_written_and_read_back(tmp_path: Path) -> None:
    """With the decision that lowers one; another schema is refused."""
    path = tmp_path / "figures.json"
    assert figures.read(path) == {}
    figures.write({"caught": {"value": 0.9, "more_is": "better"}}, "docs/decisions/0001.md", path)
    assert figures.read(path)["caught"]["value"] == 0.9 and "0001" in path.read_text()
    path.write_text('{"schema": "other"}')
    with pytest.raises(ValueError, match="other"):
        figures.read(path)


def test_a_lowered_figure_names_a_decision_note_that_exists() -> None:
    """What is committed in proof/figures.json."""
    whole = json.loads(figures.FIGURES.read_text(encoding="utf-8"))
    note = whole["lowered_by"]
    assert note is None or (figures.FIGURES.parents[1] / note).is_file()
    assert whole["mode"] == "quick" and whole["figures"]


def test_a_rate_has_an_interval_that_covers_it() -> None:
    """Clopper and Pearson: 0 of 100 reaches up to 3.6 %."""
    rate = Rate(0, 100)
    assert rate.low == 0.0 and rate.high == pytest.approx(0.0362, abs=1e-4)
    assert Rate(3, 10) + Rate(1, 10) == Rate(4, 20)
    assert Rate(0, 0).words() == "no trials" and Rate(0, 0).plain()["rate"] is None
    assert Rate(24, 2000).words() == "1.20 % [0.77, 1.78] (24 of 2,000)"


def test_a_proof_holds_everything_its_report_needs(tmp_path: Path) -> None:
    """Assembled from real scores; goals first, misses with their evidence, digests to repeat it."""
    scores = score.score(_case("lie"), _verdicts(tmp_path, lie=True), _key(["W06"]))
    setup = assemble.Setup("quick", 1, "0.0.0", {"default": "d"}, "a machine", True)
    found = assemble.proof(setup, _key(["W06"]), scores, [], assemble.Steady(1, 2, ()), assemble.Pace(1, 0.5, 2))
    assert found["schema"] == "countersign.proof/1" and found["speed"]["per_second"] == 2.0
    assert {"goals", "confusion", "ids", "gates", "misses", "worlds", "stability"} <= set(found)
    assert json.loads(json.dumps(found)) == found
