"""Clean runs pass, and edits leave no trace but the one they are meant to leave."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from audit import Verdict, audit_path
from proof.inject import edits
from proof.inject.bases import BASES, LAUNCHES
from proof.inject.draft import Draft
from proof.making import Json

Edit = Callable[[Draft], None]
OTHER: dict[str, Json] = {
    "ours": {"dtype": "bfloat16"},
    "sglang": {"tp_size": 2},
    "vllm": {"tensor_parallel_size": 2},
}


def _audited(draft: Draft, place: Path) -> Verdict:
    [verdict] = audit_path(draft.write(place / "run"))
    return verdict


def _damage(verdict: Verdict) -> list[str]:
    return [finding.reason for finding in verdict.findings if finding.situation == "damaged"]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", BASES)
def test_a_clean_run_passes(name: str, seed: int, tmp_path: Path) -> None:
    """Proven, by launches where they are known, and the gain is the one that was put in."""
    verdict = _audited(BASES[name].make(seed), tmp_path)
    assert (verdict.verdict, verdict.outcome) == ("PASS", "proven"), verdict.reasons
    assert verdict.effect.rule == ("launches" if name in LAUNCHES else "ranges")
    assert verdict.e2e_delta_pct is not None and 6 < verdict.e2e_delta_pct < 22


@pytest.mark.parametrize("name", BASES)
def test_the_same_seed_writes_the_same_bytes(name: str, tmp_path: Path) -> None:
    """Two drafts, two folders; another seed differs."""

    def told(folder: str, seed: int) -> dict[str, bytes]:
        root = BASES[name].make(seed).write(tmp_path / folder)
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}

    assert told("a", 1) == told("b", 1) != told("c", 2)


def _everywhere(draft: Draft, edit: Callable[[str], None]) -> None:
    for leg in sorted({launch.leg for launch in draft.launches}):
        edit(leg)


@pytest.mark.parametrize("name", BASES)
def test_edits_keep_every_identity(name: str, tmp_path: Path) -> None:
    """Faster, shorter on all legs, another setting on all legs: nothing is damaged."""
    edited: dict[str, Edit] = {
        "faster": lambda draft: edits.speed(draft, draft.leg("cand"), 1.1),
        "one repeat": lambda draft: edits.repeat_speed(draft, draft.leg("ref")[0], 1, 0.97),
        "shorter": lambda draft: _everywhere(draft, lambda leg: edits.outputs(draft, leg, 0.75)),
        "failing": lambda draft: edits.fail(draft, "cand", 0.05),
        "setting": lambda draft: _everywhere(draft, lambda leg: edits.settings(draft, leg, OTHER[draft.dialect])),
    }
    for what, edit in edited.items():
        draft = BASES[name].make(3)
        edit(draft)
        assert not _damage(_audited(draft, tmp_path / what)), what


@pytest.mark.parametrize("name", BASES)
def test_the_edit_that_lies_is_what_the_judge_sees(name: str, tmp_path: Path) -> None:
    """Half the answer on one leg is unequal work, another setting on one leg a confound, and the same one declared is neither."""
    draft = BASES[name].make(4)
    edits.outputs(draft, "cand", 0.5)
    assert "same_work" in {item.gate for item in _audited(draft, tmp_path / "a").findings if item.status == "fail"}
    for declared, word in ((False, "FAIL"), (True, "PASS")):
        draft = BASES[name].make(4)
        edits.settings(draft, "cand", OTHER[draft.dialect])
        if declared:
            edits.declare(draft, OTHER[draft.dialect])
        assert _audited(draft, tmp_path / word).verdict == word


def test_speed_changes_time_and_nothing_else() -> None:
    """Twice as fast: half the duration and latency, the same tokens."""
    for name in ("ours", "sglang-launches", "vllm-launches"):
        draft = BASES[name].make(5)
        before = [dict(row) for row in draft.rows("cand")]
        edits.speed(draft, draft.leg("cand"), 2.0)
        for old, new in zip(before, draft.rows("cand"), strict=True):
            assert new["duration"] == pytest.approx(old["duration"] / 2)
            assert new["median_ttft_ms"] == pytest.approx(old["median_ttft_ms"] / 2)
            assert new["total_output_tokens"] == old["total_output_tokens"]
