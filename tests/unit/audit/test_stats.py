"""Statistics against values known by hand, and the rule's error rate by simulation."""

from __future__ import annotations

import math
import random

import pytest

from audit import stats

RULE = stats.Rule(alpha=0.05, band_pct=0.5, power=0.8, max_launches=64, draws=4000, seed=1)


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
    """Three a side cannot go below 1/20; a reversed order gives 1."""
    assert stats.permutation_p([1, 2, 3], [4, 5, 6], 100) == pytest.approx(1 / 20)
    assert stats.permutation_p([4, 5, 6], [1, 2, 3], 100) == 1.0
    assert stats.permutation_p([1, 2, 3], [4, 5, 6], 10) is None


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


def test_detectable_gain_is_found_with_its_power() -> None:
    """A true gain of the printed size is accepted about as often as the power says."""
    pooled = stats.Pooled(0.01, 6)
    gain = math.log1p(stats.detectable(pooled, 3, 0.05, 0.8, 0.5) / 100)
    needed = stats.launches_needed(gain, pooled, 2, RULE)
    assert needed in (3, 4)


def test_launches_needed_falls_with_the_gain() -> None:
    """More gain, fewer launches; a gain inside the band is never proven; the same seed, the same answer."""
    pooled = stats.Pooled(0.02, 6)
    few, many = (stats.launches_needed(math.log1p(gain), pooled, 2, RULE) for gain in (0.10, 0.02))
    assert few is not None
    assert many is not None
    assert 3 <= few < many <= 64
    assert many == stats.launches_needed(math.log1p(0.02), pooled, 2, RULE)
    assert stats.launches_needed(math.log1p(0.004), pooled, 2, RULE) is None


def test_range_odds_match_the_published_table() -> None:
    """Two blocks of one launch, n = 7, within 0.3 %, launch SD 1 %: 28.7 % (taxonomy, modelled accept rates)."""
    odds = stats.range_odds(stats.RangeDesign(1, 7, 7, 0.003), 1.0, 0.5, 20000, 3)
    assert odds == pytest.approx(0.287, abs=0.015)
    assert stats.range_odds(stats.RangeDesign(7, 7, 7, 0.003), 1.0, 0.5, 20000, 3) < 0.002


def test_monotone() -> None:
    """A trend is strict and needs two values."""
    assert stats.monotone([1, 2, 3])
    assert stats.monotone([3, 2, 1])
    assert not stats.monotone([1, 2, 2])
    assert not stats.monotone([1])


def test_significant() -> None:
    """Six digits; what is not finite is no value."""
    assert stats.significant(1.23456789) == 1.23457
    assert stats.significant(float("nan")) is None
