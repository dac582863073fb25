"""Worlds: what is drawn is what the parameters say, again and again."""

from __future__ import annotations

import statistics
from dataclasses import replace

import numpy as np
import pytest

from proof.noise.draw import REPEAT_S, Chunk, Plan, draw, order, seed_of, tokens_of
from proof.noise.worlds import DESIGN, QUIET, World, worlds
from workflow.measure import plan
from workflow.measure.types import Leg, Settings, Workload

SILENT = World("silent", "Nothing happens.", meets=True, within_sd_pct=0.0)
MANY = Plan(400)


def drawn(world: World, campaigns: int = 400, gain_pct: float = 0.0) -> Chunk:
    """Campaigns of a world under a fixed seed."""
    return draw(world, Plan(campaigns, gain_pct), seed_of(world, 7, "test", 0))


def test_a_seed_draws_the_same_campaigns_and_another_seed_others() -> None:
    """Reproducible from world, seed, purpose and chunk."""
    one, two = (draw(QUIET, MANY, seed_of(QUIET, 7, "test", 0)) for _ in range(2))
    assert np.array_equal(one.ref, two.ref) and np.array_equal(one.ref_first, two.ref_first)
    others = [(QUIET, 8, "test", 0), (QUIET, 7, "other", 0), (QUIET, 7, "test", 1), (replace(QUIET, name="b"), 7, "test", 0)]
    assert not any(np.array_equal(one.ref, draw(QUIET, MANY, seed_of(*key)).ref) for key in others)


def test_a_silent_world_gives_its_speed_and_the_gain_and_nothing_else() -> None:
    """Reference at the world's speed, candidate faster by the true gain."""
    chunk = drawn(SILENT, 2, gain_pct=8.0)
    assert np.allclose(chunk.aa, 1000.0) and np.allclose(chunk.ref, 1000.0) and np.allclose(chunk.cand, 1080.0)
    assert chunk.ref.shape == (2, DESIGN.candidates, DESIGN.launches, DESIGN.repeats)


def test_scatter_is_that_of_the_parameters() -> None:
    """SD of launch effects and of repeats about them, in logs."""
    chunk = drawn(replace(SILENT, launch_sd_pct=2.0, within_sd_pct=0.5), 400)
    logs = np.log(chunk.ref)
    means = logs.mean(axis=-1)
    assert np.sqrt(means.var() - 0.005**2 / 2) == pytest.approx(0.02, rel=0.03)
    assert (logs[..., 1] - logs[..., 0]).std() / np.sqrt(2) == pytest.approx(0.005, rel=0.03)


def test_unequal_scatter_is_the_candidates_alone() -> None:
    """The factor stands on launches and repeats of the candidate."""
    chunk = drawn(replace(QUIET, cand_scatter=3.0))
    sds = {name: np.log(values).mean(axis=-1).std() for name, values in (("ref", chunk.ref), ("cand", chunk.cand))}
    assert sds["cand"] / sds["ref"] == pytest.approx(3.0, rel=0.05)


def test_repeats_remember_the_one_before() -> None:
    """Lag-1 correlation of the repeats."""
    logs = np.log(drawn(replace(SILENT, within_sd_pct=1.0, memory=0.8)).ref)
    assert np.corrcoef(logs[..., 0].ravel(), logs[..., 1].ravel())[0, 1] == pytest.approx(0.8, abs=0.02)


def test_heavy_tails_have_the_stated_spread_and_far_more_outliers() -> None:
    """Student's t scaled to the launch SD: beyond five SDs where a normal sample has nothing."""
    logs = np.log(drawn(replace(SILENT, launch_sd_pct=1.0, tail_df=3)).ref[..., 0] / 1000).ravel()
    assert np.subtract(*np.quantile(logs, [0.75, 0.25])) == pytest.approx(0.01 / np.sqrt(3) * 1.53, rel=0.05)
    assert 0.001 < (abs(logs) > 0.05).mean() < 0.01


def test_modes_faults_and_cold_starts_come_as_often_and_as_hard_as_stated() -> None:
    """Shares and sizes."""
    modes = drawn(replace(SILENT, mode_gap_pct=4.0, mode_share=0.3)).ref[..., 0]
    assert (modes < 999).mean() == pytest.approx(0.3, abs=0.02) and np.allclose(modes[modes < 999], 960.0)
    faults = drawn(replace(SILENT, fault_share=0.03, fault_pct=20.0))
    assert (faults.cand < 999).mean() == pytest.approx(0.03, abs=0.005) and np.allclose(faults.cand[faults.cand < 999], 800.0)
    assert np.array_equal(faults.cand_hit, faults.cand < 999)
    cold = drawn(replace(SILENT, cold_ref_pct=4.0), 2)
    assert np.allclose(cold.ref[..., 0], 960.0) and np.allclose(cold.aa[..., 0], 960.0) and np.allclose(cold.cand, 1000.0)
    assert np.allclose(cold.ref[..., 1:], 1000.0)


def test_a_neighbour_slows_whole_launches_and_is_recorded_where_he_can_be_seen() -> None:
    """Long-run share of the chain; foreign cores exactly where the neighbour is, or nowhere."""
    seen = replace(SILENT, burst_start=0.06, burst_stay=0.5, burst_pct=12.0, burst_cores=0.4)
    chunk = drawn(seen)
    assert (chunk.ref_foreign > 0).mean() == pytest.approx(0.06 / 0.56, abs=0.01)
    assert np.array_equal(chunk.ref_foreign > 0, chunk.ref_hit.any(axis=-1)) and set(np.unique(chunk.ref_foreign)) == {0.0, 0.4}
    assert chunk.ref.min() >= 880.0 and np.allclose(chunk.ref[chunk.ref_foreign == 0], 1000.0)
    hidden = drawn(replace(seen, burst_cores=0.0))
    assert hidden.ref_hit.any() and not hidden.ref_foreign.any()


def test_drifts_move_the_campaign_in_the_order_of_its_launches() -> None:
    """Linear per hour; a walk's SD grows with the root of time; a step stays."""
    hours = DESIGN.slots * DESIGN.launch_s / 3600
    linear = drawn(replace(SILENT, drift="linear", drift_pct=6.0), 2)
    last = max(linear.ref[0, -1].max(), linear.cand[0, -1].max())
    assert np.log(last / linear.aa[0, 0, 0]) == pytest.approx(0.06 * (DESIGN.slots - 1) / DESIGN.slots * hours, rel=1e-6)
    walk = drawn(replace(SILENT, drift="walk", drift_pct=4.0))
    assert np.log(walk.ref[:, -1, 0, 0] / walk.aa[:, 0, 0]).std() == pytest.approx(0.04 * np.sqrt(hours), rel=0.12)
    step = drawn(replace(SILENT, drift="step", drift_pct=6.0))
    assert all(len(np.unique(np.round(np.append(step.ref[at].ravel(), step.aa[at].ravel()), 6))) <= 2 for at in range(50))


def test_a_coarse_clock_gives_durations_in_its_steps() -> None:
    """Tokens over a rounded duration."""
    world = replace(QUIET, tick_s=0.1)
    durations = tokens_of(world) / drawn(world, 20).ref
    assert np.allclose(durations * 10, np.round(durations * 10)) and len(np.unique(np.round(durations * 10))) < 8


def test_orders_are_those_of_our_own_plans() -> None:
    """A B B A A B, whichever leg begins; one block each in the world of blocks."""
    legs: dict[Leg, Settings] = {"ref": Settings(), "cand": Settings()}
    ours = plan.Plan("config/c01", legs, DESIGN.launches, DESIGN.repeats, Workload(1, 1, 1, 1))
    drawn_orders = {tuple(plan.draw_order(ours, seed)) for seed in range(20)}
    assert drawn_orders == {tuple(order(DESIGN.launches, ref_first=first, blocks=False)) for first in (True, False)}
    assert order(2, ref_first=True, blocks=True) == ["ref", "ref", "cand", "cand"]


@pytest.mark.parametrize("world", worlds(), ids=lambda item: item.name)
def test_every_world_can_be_drawn_and_says_what_it_is(world: World) -> None:
    """Windows long enough, finite speeds, a sentence, and for those that break an assumption a gate that should notice."""
    chunk = drawn(world, 20)
    for values in (chunk.aa, chunk.ref, chunk.cand):
        assert np.isfinite(values).all() and (values > 0).all()
    assert np.median(tokens_of(world) / chunk.ref) > 0.8 * REPEAT_S and world.says.endswith(".")
    assert bool(world.gates) != world.meets and world.parameters()["band_pct"] == world.band_pct


def test_names_of_worlds_are_unique_and_both_kinds_are_there() -> None:
    """At least the worlds that the proof promises."""
    names = [world.name for world in worlds()]
    assert len(set(names)) == len(names) >= 17 and {world.meets for world in worlds()} == {True, False}


@pytest.mark.parametrize("world", worlds(), ids=lambda item: item.name)
def test_medians_are_those_of_the_launches_to_the_last_bit(world: World) -> None:
    """Worked out for a whole campaign at once, and the same numbers as launch by launch."""
    for pair in draw(world, Plan(1, 2.0), seed_of(world, 5, "medians", 0)).pairs(0)[:3]:
        for values, found in zip((pair.ref, pair.cand, pair.aa), pair.medians, strict=True):
            assert found == [statistics.median(launch) for launch in values]
