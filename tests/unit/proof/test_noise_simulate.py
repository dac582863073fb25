"""Decisions and counts in the worlds: by the auditor's own rules, and right where the answer is known."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from audit import stats
from proof import noise
from proof.noise import notice, simulate
from proof.noise.decide import judge
from proof.noise.draw import Medians, Pair, Plan, draw, order, seed_of, tokens_of
from proof.noise.worlds import DESIGN, QUIET, world, worlds
from proof.rates import Rate

SEED = 5
ROOT = Path(__file__).resolve().parents[3]
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}
FAIR = [item for item in worlds() if item.meets]


def pair(factor: float = 1.0, **changed: object) -> Pair:
    """A calm pair at 1000 tok/s; the candidate is faster by ``factor``."""
    aa = [[1000.0 + at, 1001.0 - at] for at in range(6)]
    ref = [[999.0, 1001.0], [1000.0, 1003.0], [998.0, 1002.0]]
    cand = [[factor * value for value in values] for values in reversed(ref)]
    none = Medians([], [], [])
    calm = Pair(ref, cand, aa, 1000.5, [0.0] * 3, [0.0] * 3, (16, 16), False, False, order(3, ref_first=True, blocks=False), none)
    whole = calm._replace(**changed)  # type: ignore[arg-type]
    middles = [[statistics.median(values) for values in leg] for leg in (whole.ref, whole.cand, whole.aa)]
    return whole._replace(medians=Medians(*middles))


def outcome(found: Pair) -> tuple[str, str, tuple[str, ...]]:
    """Verdict, outcome and gates that spoke against it, at the campaign's share of the error."""
    judged = judge(found, QUIET, DESIGN.alpha_per_look)
    return judged.decision.verdict, judged.decision.outcome, judged.noticed


def test_each_outcome_has_its_pair() -> None:
    """Accepted, refuted, underpowered, and every way to be not measured."""
    assert outcome(pair(1.05)) == ("PASS", "proven", ())
    assert outcome(pair(0.99)) == ("FAIL", "refuted", ())
    restless = [[960.0, 961.0], [1045.0, 1044.0], [1020.0, 1021.0]]
    assert outcome(pair(cand=restless)) == ("FAIL", "underpowered", ())
    assert outcome(pair(1.05, given=950.0)) == ("FAIL", "not_measured", ("baseline_drift",))
    assert outcome(pair(1.05, cand_foreign=[0.0, 0.4, 0.0])) == ("FAIL", "not_measured", ("contention",))
    assert outcome(pair(1.05, warmups=(0, 16))) == ("FAIL", "not_measured", ("lifecycle",))


def test_a_flag_that_leaves_the_gain_is_accepted_by_both_policies() -> None:
    """A clock so coarse that it has to be said, and a gain many steps of it wide."""
    tokens = tokens_of(QUIET)
    slow, fast = ([[tokens / seconds, tokens / (seconds + 0.1)]] * 2 + [[tokens / seconds] * 2] for seconds in (5.0, 4.0))
    level = tokens / 5.05
    coarse = pair(ref=slow, cand=fast, aa=[[level, level * 1.01]] * 5 + [[level, level]], given=slow[0][0])
    judged = judge(coarse, QUIET, DESIGN.alpha_per_look)
    assert (judged.decision.verdict, judged.decision.outcome) == ("FLAG", "proven"), judged
    assert judged.noticed == ("real_delta",) and judged.accepted_strictly


def test_blocks_instead_of_turns_are_noticed() -> None:
    """Whatever the decision table makes of it."""
    blocks = pair(1.05, blocks=True, order=order(3, ref_first=True, blocks=True))
    assert "lifecycle" in judge(blocks, QUIET, DESIGN.alpha_per_look).noticed


@pytest.mark.parametrize("cores", [0.0, 0.049, 0.051, 0.4])
def test_the_comparison_for_neighbours_is_the_gates_own(cores: float) -> None:
    """The threshold of the shipped policy, not a copy of it."""
    one = pair(1.05, ref_foreign=[0.0, 0.0, cores])
    said = notice.contended(notice.evidence(one, QUIET, DESIGN.alpha_per_look))
    assert bool(said) == ("contention" in judge(one, QUIET, DESIGN.alpha_per_look).noticed) == (cores > 0.05)


@pytest.mark.parametrize("warmups", [(16, 16), (0, 16), (16, 8)])
def test_the_comparison_for_warm_ups_is_the_gates_own(warmups: tuple[int, int]) -> None:
    """Unequal counts fail gate 1, equal ones do not."""
    one = pair(1.05, warmups=warmups)
    said = [item for item in notice.in_order(notice.evidence(one, QUIET, 0.05)) if item.status == "fail"]
    assert bool(said) == ("lifecycle" in judge(one, QUIET, 0.05).noticed)


def test_strict_refuses_a_gain_beside_which_a_loss_is_not_excluded() -> None:
    """A large gain on so restless launches that latency may still have become worse by a tenth."""
    wild = [[700.0, 701.0], [1500.0, 1501.0], [1000.0, 1001.0]]
    one, band = pair(ref=wild, cand=[[1.2 * value for value in values] for values in wild]), replace(QUIET, band_pct=5.0)
    found = judge(one, band, 0.4)
    assert found.word == "proven" and found.accepted and found.unsaid and not found.accepted_strictly
    assert judge(one, band, 0.4, strict=True).decision.outcome == "not_measured"


@pytest.mark.parametrize("item", FAIR, ids=lambda item: item.name)
def test_no_fair_world_has_more_false_accepts_than_the_budget_allows(item: object) -> None:
    """At most one campaign in twenty, as far as 200 campaigns can tell; claims at most the share of one look, likewise."""
    tally = simulate.false_accepts(item, 200, SEED, 0)  # type: ignore[arg-type]
    for policy in ("default", "strict"):
        assert tally[f"campaigns/{policy}"].low <= DESIGN.alpha
        assert tally[f"claims/{policy}"].low <= DESIGN.alpha_per_look
        assert tally[f"campaigns/{policy}"].n == 200 and tally[f"claims/{policy}"].n == 200 * DESIGN.candidates


def test_the_field_rule_is_fooled_where_launches_differ() -> None:
    """In the launch-noisy world it accepts nothing at all in far more campaigns than we do."""
    tally = simulate.false_accepts(world("launch-noisy"), 100, SEED, 0)
    assert tally["campaigns/range rule"].low > 0.3 > tally["campaigns/default"].high


def test_chunks_add_up() -> None:
    """Sums of tallies keep every rate."""
    one, two = ({"a": Rate(1, 3)}, {"a": Rate(2, 3), "b": Rate(0, 1)})
    assert simulate.add(one, two) == {"a": Rate(3, 6), "b": Rate(0, 1)}


def test_power_is_what_the_auditor_computes() -> None:
    """At the gain that the auditor calls detectable with 80 % power, in a world without anything but launch noise."""
    still = QUIET.quiet(1.0)
    still = replace(still, within_sd_pct=0.0)
    rule = stats.Rule(DESIGN.alpha_per_look, still.band_pct, 0.8, 64)
    gain = stats.detectable(0.01, stats.Design(3, 3, 5), rule)
    accepted = simulate.power(still, 600, SEED, gain)["default"]
    assert accepted.low - 0.01 <= 0.8 <= accepted.high + 0.03, "drift refuses about one in a hundred"


def test_seen_scatter_is_that_of_launch_medians() -> None:
    """Launch effect and half the variance of two repeats."""
    assert simulate.seen_sd(QUIET, SEED) == pytest.approx(math.hypot(0.005, 0.003 / math.sqrt(2)), rel=0.02)


def test_launches_needed_bring_the_power_that_was_asked_or_more() -> None:
    """The median number said to pairs that fell short, then measured with so many."""
    found = simulate.needed(QUIET, 150, SEED, 0.5)
    assert found is not None
    there, said = found["power_there"], found["said"]
    assert isinstance(there, Rate) and isinstance(said, int)
    assert said > DESIGN.launches and there.high >= 0.8


@pytest.mark.parametrize("noise_pct", simulate.LAUNCH_NOISES)
def test_printed_odds_are_what_happens(noise_pct: float) -> None:
    """The chance of the range rule at this launch noise, against draws of it."""
    found = simulate.odds(QUIET, 6000, SEED, noise_pct)
    seen, printed = found["seen"], found["printed_pct"]
    assert isinstance(seen, Rate) and isinstance(printed, float)
    assert 100 * seen.low - 0.5 <= printed <= 100 * seen.high + 0.5


def test_the_odds_noises_are_those_that_verdicts_print() -> None:
    """The shipped policy's list."""
    assert tuple(notice.shipped().delta.odds_launch_noise_pct) == simulate.LAUNCH_NOISES


def test_a_pair_in_a_slot_of_its_own_is_one_pair_of_a_campaign() -> None:
    """Power pairs share nothing, and fall anywhere in a drifting campaign."""
    drifting = replace(QUIET, launch_sd_pct=0.0, within_sd_pct=0.0, drift="linear", drift_pct=6.0)
    chunk = draw(drifting, Plan(200, one_slot=True), seed_of(drifting, SEED, "slots", 0))
    assert chunk.ref.shape[1] == 1 and len({round(value, 3) for value in chunk.ref[:, 0, 0, 0].tolist()}) > 30


def test_results_do_not_hang_on_the_number_of_processes(tmp_path: Path) -> None:
    """Two processes and one give the same table, which is plain JSON of the proof's shape."""
    budget = noise.Budget(20, 8, 3)
    told: list[float] = []
    names = ["quiet GPU", "bursts, seen"]
    alone = noise.run(budget, 1, lambda _, share: told.append(share), names)
    code = f"""
import json
from proof import noise
if __name__ == "__main__":
    print(json.dumps(noise.run(noise.{budget!r}, 2, lambda *_: None, {names!r})))
"""
    script = tmp_path / "two.py"
    script.write_text(code)
    two = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, cwd=ROOT, env=ENV)
    assert json.loads(json.dumps(alone)) == json.loads(two.stdout)
    assert told == sorted(told) and told[-1] == 1.0
    first = alone[0]
    assert set(first) == {
        "name", "says", "meets_assumptions", "parameters", "fitted_from", "campaigns", "candidates", "policies", "detections",
        "power", "true_wins", "launches_needed", "odds", "files", "before",
    }  # fmt: skip
    assert first["files"]["agreed"]["k"] == 3 and [item["policy"] for item in first["policies"]] == list(simulate.POLICIES)
    assert {item["gain_pct"] for item in first["power"]} == set(simulate.GAINS)
    assert alone[1]["detections"][-1]["gate"] == "contention" and alone[1]["detections"][-1]["rate"]["rate"] == 1.0


def test_every_budget_says_how_much() -> None:
    """The full one holds what the project promises."""
    assert dataclasses.astuple(noise.FULL)[:3] >= (20_000, 2_000, 2_000) and noise.QUICK.campaigns < noise.FULL.campaigns
