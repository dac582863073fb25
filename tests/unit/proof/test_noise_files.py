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
    found = files.agree_one(world, SEED, 3, 2)
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
    run = campaign(tmp_path, chunk, 0, len(pairs))
    found = files.compare(drifting, pairs, run, "all outcomes", thorough=True)
    assert found.agreed == Rate(6, 6), found.disagreements


def test_a_disagreement_is_found_and_put_into_words(tmp_path: Path) -> None:
    """Rows of gains, decisions about none: every pair is told apart."""
    gains = draw(QUIET, Plan(1, 12.0), seed_of(QUIET, SEED, "one", 0))
    none = draw(QUIET, Plan(1), seed_of(QUIET, SEED, "two", 0)).pairs(0)[:2]
    found = files.compare(QUIET, none, campaign(tmp_path, gains, 0, 2), "mixed up", thorough=False)
    assert found.agreed == Rate(0, 2) and len(found.disagreements) == 2 and "audit says PASS/proven" in found.disagreements[0]


def test_a_written_campaign_is_whole_and_undamaged(tmp_path: Path) -> None:
    """Sealed, ledgered, nothing missing: no gate has anything to say beside the noise."""
    still = QUIET.quiet(0.2)
    run = campaign(tmp_path, draw(still, Plan(1, 5.0), seed_of(still, SEED, "whole", 0)), 0, 1)
    (verdict,) = audit_path(run, "strict")
    assert (verdict.verdict, verdict.outcome, verdict.flags) == ("PASS", "proven", [])
    assert all(finding.status in ("ok", "n/a") for finding in verdict.findings)
    assert verdict.launches.noise == [DESIGN.aa]


def test_pairs_are_spread_over_whole_campaigns() -> None:
    """As many as asked, the last campaign in part."""
    assert files.campaigns_for(45) == [20, 20, 5] and files.campaigns_for(2) == [2] and files.campaigns_for(0) == []


def test_agree_counts_pairs_over_campaigns(tmp_path: Path) -> None:
    """What the brief report calls ``agreed``."""
    found = files.agree(QUIET, 2, SEED, tmp_path)
    assert found.agreed == Rate(2, 2) and not found.disagreements and not list(tmp_path.iterdir())
