"""Statistics against values known by hand, and the rule's error rate by simulation."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from scipy import special

from audit import stats
from audit.policy import load
from audit.stats import student

RULE = stats.Rule(alpha=0.05, band_pct=0.5, power=0.8, max_launches=64)


def test_gain_by_hand() -> None:
    """ln 1.1 between groups of three, pooled SD 0.01 on 4 df: t(0.95, 4) = 2.131847, error 0.01 * sqrt(2/3)."""
    ref = [math.exp(value) for value in (-0.01, 0.0, 0.01)]
    cand = [1.1 * value for value in ref]
    pooled = stats.pool([ref, cand])
    assert pooled is not None
    assert pooled.df == 4
    assert pooled.sd == pytest.approx(0.01)
    found = stats.gain(ref, cand, pooled, 0.05)
    assert found.estimate == pytest.approx(math.log(1.1))
    assert found.estimate - found.lower == pytest.approx(2.131847 * 0.01 * math.sqrt(2 / 3), rel=1e-6)
    assert found.upper - found.estimate == pytest.approx(found.estimate - found.lower)


def test_pooling_keeps_means_apart() -> None:
    """Groups at other levels add degrees of freedom, not variance; groups of one add nothing."""
    pooled = stats.pool([[100.0, 101.0], [1000.0, 1010.0], [5.0]])
    assert pooled is not None
    assert pooled.df == 2
    assert pooled.sd == pytest.approx(math.log(1.01) / math.sqrt(2))
    assert stats.pool([[5.0], []]) is None


def test_permutation_floor() -> None:
    """Three a side cannot go below 1/20, known without counting; a reversed order gives 1; too many orders give none."""
    assert stats.permutation_p([1, 2, 3], [4, 5, 6], 100) == pytest.approx(1 / 20)
    assert stats.permutation_p([4, 5, 6], [1, 2, 3], 100) == 1.0
    assert stats.permutation_p([1, 2, 3], [4, 5, 6], 10) == pytest.approx(1 / 20)
    assert stats.permutation_p([1, 2, 5], [4, 3, 6], 10) is None


def test_a_tail_by_hand() -> None:
    """Two or more of twelve at one in a hundred; nothing asked, nothing possible; the far side by SciPy."""
    assert stats.tail_p(2, 12, 0.01) == pytest.approx(1 - 0.99**12 - 12 * 0.01 * 0.99**11)
    assert (stats.tail_p(0, 12, 0.01), stats.tail_p(1, 12, 0.0), stats.tail_p(13, 12, 0.5)) == (1.0, 0.0, 0.0)
    assert stats.tail_p(30, 2000, 0.01) == pytest.approx(float(special.bdtrc(29, 2000, 0.01)))


def test_mcnemar_by_hand() -> None:
    """Five of five discordant pairs lost: 1/32; none lost: 1."""
    assert stats.mcnemar_p(5, 0) == pytest.approx(1 / 32)
    assert stats.mcnemar_p(0, 5) == 1.0
    assert stats.mcnemar_p(5, 5) == pytest.approx(0.623046875)


def test_drift_is_two_sided() -> None:
    """t(0.975, 4) = 2.776445 at alpha 0.05."""
    found = stats.drift_interval(0.0, stats.Pooled(0.01, 4), 2, 2, 0.05)
    assert found.upper == pytest.approx(2.776445 * 0.01, rel=1e-6)


def test_paired() -> None:
    """Equal differences leave no scatter; one pair leaves no freedom."""
    assert stats.paired([1.0], [2.0], 0.05) is None
    assert stats.paired([1.0, 2.0], [2.0, 4.0], 0.05) is None
    found = stats.paired([100.0, 100.0, 100.0], [101.0, 102.0, 103.0], 0.05)
    assert found is not None
    assert found.df == 2
    assert found.lower < found.estimate


def test_false_accepts_stay_near_alpha() -> None:
    """A/A: the whole rule accepts nothing more often than alpha allows (2,000 runs, three launches a side)."""
    rng = random.Random(11)

    def launches() -> list[float]:
        return [math.exp(rng.gauss(7, 0.02)) for _ in range(3)]

    accepted = 0
    for _ in range(2000):
        noise, ref, cand = launches(), launches(), launches()
        pooled = stats.pool([noise, ref, cand])
        assert pooled is not None
        found = stats.gain(ref, cand, pooled, 0.05)
        accepted += found.lower > 0 and stats.pct(found.estimate) > 0.5
    assert 0.03 < accepted / 2000 < 0.065


def _launches(rng: np.random.Generator, n: int, sd: float, gain: float = 0.0) -> Any:
    return np.exp(7 + gain + sd * rng.standard_normal(n))


def _accepted(gain: float, design: stats.Design, sets: int, draws: int) -> float:
    """Share of simulated experiments that the rule accepts: an A/A set, two legs, estimate and bound as the auditor has them."""
    rng = np.random.Generator(np.random.PCG64(29))
    taken = 0
    for _ in range(draws):
        noise = _launches(rng, sets, 0.01)
        ref, cand = _launches(rng, design.n_ref, 0.01), _launches(rng, design.n_cand, 0.01, gain)
        pooled = stats.pool([noise, ref, cand])
        assert pooled is not None
        found = stats.gain(ref, cand, pooled, RULE.alpha)
        taken += found.lower > 0 and stats.pct(found.estimate) > RULE.band_pct
    return taken / draws


@pytest.mark.parametrize(("n_ref", "n_cand", "sets"), [(3, 3, 3), (4, 4, 4), (3, 5, 3)])
def test_the_printed_detectable_gain_is_accepted_with_the_power_asked(n_ref: int, n_cand: int, sets: int) -> None:
    """The whole rule, simulated 4,000 times at the gain that is printed: 80 %, within Monte Carlo error."""
    design = stats.Design(n_ref, n_cand, sets - 1)
    gain = math.log1p(stats.detectable(0.01, design, RULE) / 100)
    assert _accepted(gain, design, sets, 4000) == pytest.approx(RULE.power, abs=0.02)
    assert stats.accept_chance(gain, 0.01, design, RULE) == pytest.approx(RULE.power, abs=1e-4)


@pytest.mark.parametrize("gain", [0.0, 0.01, 0.03])
def test_the_chance_to_accept_is_the_simulated_one(gain: float) -> None:
    """No gain, a small one and a clear one; without a gain never more often than alpha."""
    design = stats.Design(3, 3, 2)
    chance = stats.accept_chance(gain, 0.01, design, RULE)
    assert _accepted(gain, design, 3, 4000) == pytest.approx(chance, abs=0.022)
    assert gain > 0 or chance <= RULE.alpha + 1e-6


def test_the_band_weighs_where_launches_are_quiet() -> None:
    """With next to no scatter the band decides: the detectable gain is hardly above it, the chance at the band a half."""
    design = stats.Design(3, 3, 2)
    assert 0.5 < stats.detectable(1e-5, design, RULE) < 0.502
    assert stats.accept_chance(math.log1p(0.005), 1e-5, design, RULE) == pytest.approx(0.5, abs=1e-3)


def test_lower_bounds_cover() -> None:
    """A true gain of 2 % lies above its lower bound at least 95 times in a hundred, below its upper bound likewise (4,000 tries).

    More often than that, because a leg that scatters more than the pool is taken at its own word.
    """
    rng = np.random.Generator(np.random.PCG64(31))
    above = below = 0
    for _ in range(4000):
        ref, cand = _launches(rng, 3, 0.01), _launches(rng, 4, 0.01, math.log(1.02))
        pooled = stats.pool([ref, cand])
        assert pooled is not None
        found = stats.gain(ref, cand, pooled, 0.05)
        above += found.lower <= math.log(1.02)
        below += found.upper >= math.log(1.02)
    assert 0.95 - 0.011 <= above / 4000 <= 0.98
    assert 0.95 - 0.011 <= below / 4000 <= 0.98


def test_a_restless_leg_gets_no_calm_from_the_pool() -> None:
    """A candidate that scatters three times as much as all else: false gains are proven less often than by pooling alone."""
    rng = np.random.Generator(np.random.PCG64(43))
    proven = pooling = 0
    for _ in range(4000):
        noise, ref, cand = (list(_launches(rng, n, sd)) for n, sd in ((6, 0.01), (3, 0.01), (3, 0.03)))
        pooled = stats.pool([noise, ref, cand])
        assert pooled is not None
        found = stats.gain(ref, cand, pooled, 0.01)
        proven += found.lower > 0
        error = pooled.sd * math.sqrt(2 / 3)
        pooling += found.estimate > student.quantile(0.01, pooled.df) * error
    assert proven < 0.75 * pooling


def test_launches_needed_falls_with_the_gain() -> None:
    """More gain, fewer launches; a gain inside the band is never proven; the number is the first that reaches the power."""
    pooled = stats.Pooled(0.02, 6)
    few, many = (stats.launches_needed(math.log1p(gain), pooled, 2, RULE) for gain in (0.10, 0.02))
    assert few is not None
    assert many is not None
    assert 3 <= few < many <= 64
    for n, reached in ((many - 1, False), (many, True)):
        assert (stats.accept_chance(math.log1p(0.02), 0.02, stats.Design(n, n, 2), RULE) >= RULE.power) is reached
    assert stats.launches_needed(math.log1p(0.004), pooled, 2, RULE) is None


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_exchangeable_odds_are_exact(n: int) -> None:
    """Fresh launches for every repeat and no band: one in C(2n, n), as the taxonomy lists them (16.7 %, 5 %, 1.4 %, 0.4 %)."""
    odds = stats.range_odds(stats.RangeDesign(n, n, n, n, 0.0), 1.0, 0.0, 4093)
    assert odds == pytest.approx(1 / math.comb(2 * n, n), rel=0.06)
    assert stats.permutation_p([1.0 + k for k in range(n)], [10.0 + k for k in range(n)], 1) == 1 / math.comb(2 * n, n)


DESIGNS = [
    (stats.RangeDesign(1, 1, 5, 5, 0.0015), 0.3, 0.5), (stats.RangeDesign(1, 1, 3, 3, 0.03), 1.0, 0.5),
    (stats.RangeDesign(1, 1, 6, 9, 0.002), 2.0, 0.5), (stats.RangeDesign(2, 2, 4, 4, 0.002), 1.0, 0.5),
    (stats.RangeDesign(1, 3, 3, 3, 0.003), 1.0, 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("design", "noise", "band"), DESIGNS)
def test_range_odds_are_the_simulated_ones(design: stats.RangeDesign, noise: float, band: float) -> None:
    """Against 400,000 simulated comparisons, at the policy's number of points: within 4 % of the value."""
    rng = np.random.Generator(np.random.PCG64(3))
    draws = 400_000

    def leg(launches: int, repeats: int) -> Any:
        luck = math.log1p(noise / 100) * rng.standard_normal((draws, launches))
        return luck[:, np.arange(repeats) % launches] + design.within_sd * rng.standard_normal((draws, repeats))

    ref, cand = leg(design.ref_launches, design.ref_repeats), leg(design.cand_launches, design.cand_repeats)
    gain = np.median(cand, axis=1) - np.median(ref, axis=1)
    simulated = float(((gain > math.log1p(band / 100)) & (cand.min(axis=1) > ref.max(axis=1))).mean())
    points = load().policy.delta.odds_points
    assert stats.range_odds(design, noise, band, points) == pytest.approx(simulated, rel=0.04)


def test_range_odds_match_the_published_table() -> None:
    """Two blocks of one launch, n = 7, within 0.3 %, launch SD 1 %: 28.7 % (taxonomy, modelled accept rates)."""
    odds = stats.range_odds(stats.RangeDesign(1, 1, 7, 7, 0.003), 1.0, 0.5, 509)
    assert odds == pytest.approx(0.287, abs=0.015)
    assert stats.range_odds(stats.RangeDesign(7, 7, 7, 7, 0.003), 1.0, 0.5, 509) < 0.002
    assert stats.range_odds(stats.RangeDesign(1, 1, 3, 3, 0.0), 0.0, 0.5, 509) == 0.0


def test_student_agrees_with_scipy() -> None:
    """Tails and quantiles to nine digits, far tails included."""
    for df in (1, 2, 3, 4, 5, 7, 10, 17, 30, 61, 120, 400):
        for t in (0.0, 1e-6, 1e-3, 0.3, 1.0, 2.5, 7.0, 30.0, 400.0, -0.7, -4.0):
            expected = float(special.stdtr(df, -t))
            if expected > 1e-280:
                assert student.tail(t, df) == pytest.approx(expected, rel=1e-9)
        for upper in (1e-6, 0.001, 0.01, 0.025, 0.05, 0.2, 0.4, 0.7, 0.99):
            assert student.quantile(upper, df) == pytest.approx(float(special.stdtrit(df, 1 - upper)), rel=1e-9)
    assert student.tail(math.inf, 3) == 0.0


def test_shares_and_losses_agree_with_scipy() -> None:
    """Where whole numbers or a closed form stand in for a special function."""
    for lost, won in ((1, 0), (3, 2), (17, 40), (600, 300), (900, 500)):
        assert stats.mcnemar_p(lost, won) == pytest.approx(float(special.bdtrc(lost - 1, lost + won, 0.5)), rel=1e-9)
    for n in (1, 10, 500):
        assert stats.share_upper(0, n, 0.95) == pytest.approx(float(special.betaincinv(1, n, 0.95)), rel=1e-9)


def test_same_band_holds_what_it_says() -> None:
    """Two groups of launches of one thing differ by more than their A/A band once in twenty (4,000 pairs)."""
    rng = np.random.Generator(np.random.PCG64(37))
    beyond = 0
    for _ in range(4000):
        pooled = stats.pool([_launches(rng, 4, 0.01)])
        assert pooled is not None
        ref, cand = _launches(rng, 3, 0.01), _launches(rng, 3, 0.01)
        between = abs(float(np.log(cand).mean() - np.log(ref).mean()))
        beyond += stats.pct(between) > stats.same_band(pooled, 3, 3, 0.05)
    assert beyond / 4000 == pytest.approx(0.05, abs=0.012)


def test_a_loss_is_excluded_only_by_a_bound() -> None:
    """The bound lies above a true loss at least 95 times in a hundred; one value a side excludes nothing."""
    rng = np.random.Generator(np.random.PCG64(41))
    held = 0
    for _ in range(2000):
        bound = stats.worst_loss(list(_launches(rng, 5, 0.02)), list(_launches(rng, 5, 0.02, math.log(1.1))), 0.05)
        held += bound is not None and bound >= 10.0
    assert 0.95 - 0.016 <= held / 2000 <= 0.985
    assert stats.worst_loss([100.0], [100.0], 0.05) is None
    assert stats.worst_loss([100.0, 0.0], [100.0, 1.0], 0.05) is None
    assert stats.worst_loss([1.0, 1.0], [1.0, 1.0], 0.05) == pytest.approx(0.0)


def test_significant() -> None:
    """Six digits; what is not finite is no value."""
    assert stats.significant(1.23456789) == 1.23457
    assert stats.significant(float("nan")) is None
