"""Simulated decisions and audits of the same pairs from disk are the same decisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import audit_path
from proof.noise import files
from proof.noise.decide import judge
from proof.noise.draw import Plan, draw, seed_of
from proof.noise.worlds import DESIGN, QUIET, World, worlds
from proof.noise.writing import campaign
from proof.rates import Rate

SEED = 11


@pytest.mark.parametrize("world", worlds(), ids=lambda item: item.name)
def test_a_few_pairs_of_every_world_agree(world: World) -> None:
    """Verdict and outcome, pair by pair, of a true gain of 3 %."""
    found = files.agree(world, SEED, [files.Place(3, 2)])
    assert found.agreed == Rate(2, 2), found.disagreements


def test_every_outcome_agrees_under_both_policies_and_from_the_command_line(tmp_path: Path) -> None:
    """A campaign that holds an accepted, a refuted, an underpowered and a drifted pair: every second candidate gains 2 %."""
    drifting = next(item for item in worlds() if item.name == "drift step")
    for place in range(400):
        chunk = draw(drifting, Plan(1, 2.0), seed_of(drifting, SEED, "outcomes", place))
        without = draw(drifting, Plan(1), seed_of(drifting, SEED, "outcomes", place))
        chunk.cand[:, ::2] = without.cand[:, ::2]
        pairs = chunk.pairs(0)[:6]
        outcomes = {judge(pair, drifting, DESIGN.alpha_per_look).decision for pair in pairs}
        if {item.outcome for item in outcomes} == {"proven", "refuted", "underpowered", "not_measured"}:
            break
    else:
        pytest.fail("no such campaign among four hundred")
    run = campaign(tmp_path / "0000", chunk, 0, len(pairs))
    found = files.compare(drifting, [files.Written("all outcomes", pairs, run)], thorough=True)
    assert found.agreed == Rate(6, 6), found.disagreements


def test_a_disagreement_is_found_and_put_into_words(tmp_path: Path) -> None:
    """Rows of gains, decisions about none: every pair is told apart."""
    gains = draw(QUIET, Plan(1, 12.0), seed_of(QUIET, SEED, "one", 0))
    none = draw(QUIET, Plan(1), seed_of(QUIET, SEED, "two", 0)).pairs(0)[:2]
    written = files.Written("mixed up", none, campaign(tmp_path / "0000", gains, 0, 2))
    found = files.compare(QUIET, [written], thorough=False)
    assert found.agreed == Rate(0, 2) and len(found.disagreements) == 2 and "replay says PASS/proven" in found.disagreements[0]


def test_a_written_campaign_is_whole_and_undamaged(tmp_path: Path) -> None:
    """Sealed, ledgered, nothing missing: no gate has anything to say beside the noise."""
    still = QUIET.quiet(0.2)
    run = campaign(tmp_path, draw(still, Plan(1, 5.0), seed_of(still, SEED, "whole", 0)), 0, 1)
    (verdict,) = audit_path(run, "strict")
    assert (verdict.verdict, verdict.outcome, verdict.flags) == ("PASS", "proven", [])
    assert all(finding.status in ("ok", "n/a") for finding in verdict.findings)
    assert verdict.launches.noise == [DESIGN.aa]


def test_pairs_are_spread_over_batches_of_whole_campaigns() -> None:
    """As many as asked, the last campaign in part."""
    assert files.batches(45) == [[files.Place(0, 20), files.Place(1, 20), files.Place(2, 5)]] and files.batches(0) == []
    assert [len(batch) for batch in files.batches(2_000)] == [20] * 5 and files.batches(2_000)[1][0] == files.Place(20, 20)


def test_a_batch_is_judged_by_one_command_and_leaves_nothing(tmp_path: Path) -> None:
    """Campaigns of one batch keep apart, in their order."""
    found = files.agree(QUIET, SEED, [files.Place(7, 2), files.Place(3, 1)], str(tmp_path))
    assert found.agreed == Rate(3, 3) and not found.disagreements and not list(tmp_path.iterdir())


def test_a_campaign_that_cannot_be_judged_is_no_agreement(tmp_path: Path) -> None:
    """An error of the command is raised, never counted."""
    (tmp_path / "0000").mkdir()
    (tmp_path / "0000" / "audit_request.json").write_text("{")
    with pytest.raises(RuntimeError, match="countersign replay"):
        files.replayed([tmp_path / "0000"])
