"""Series of repeats: values known by hand, and how often each test cries wolf over a quiet series."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from audit import stats
from audit.policy import load

RULES = load().policy.series


def quiet(rng: random.Random, n: int) -> list[float]:
    """Independent repeats, 1000 tok/s, 0.3 %."""
    return [1000 * math.exp(rng.gauss(0, 0.003)) for _ in range(n)]


def test_the_cold_first_repeat_of_the_brief() -> None:
    """966.36, 1004.05, 1004.71: -3.8 %, and one degree of freedom suffices."""
    found = stats.first_repeat([[966.36, 1004.05, 1004.71]])
    assert found is not None
    assert found.shift_pct == pytest.approx(-3.785, abs=0.01)
    assert found.p < RULES.first_p
    assert stats.first_repeat([[1000.0, 1001.0]]) is None
    assert stats.first_repeat([[1000.0], [1001.0]]) is None


def test_first_repeats_over_launches() -> None:
    """A cold first repeat in each of four launches is seen in spite of launches far apart; warm ones are not."""
    cold = [[level * 0.98, level, level * 1.001] for level in (1000.0, 1050.0, 950.0, 1010.0)]
    cold[1][0] *= 1.002
    found = stats.first_repeat(cold)
    assert found is not None
    assert found.shift_pct == pytest.approx(-2.0, abs=0.15)
    assert found.p < 0.001


@pytest.mark.parametrize("shape", [(3,), (5,), (4, 4), (2, 2, 2, 2), (3, 3, 3)])
def test_first_repeats_cry_wolf_as_rarely_as_said(shape: tuple[int, ...]) -> None:
    """1,500 quiet series: the chance of an alarm is the level."""
    rng = random.Random(7)
    found = [stats.first_repeat([quiet(rng, n) for n in shape]) for _ in range(1500)]
    assert sum(item is not None and item.p <= 0.05 for item in found) / 1500 == pytest.approx(0.05, abs=0.018)


def test_trend_by_hand() -> None:
    """Five in order: two of 120 orders are so extreme; two launches of three: two of 36; both directions count."""
    rising = stats.trend([[1.0, 2.0, 3.0, 4.0, 5.0]])
    assert rising is not None
    assert rising.tau == 1.0
    assert rising.p == pytest.approx(2 / 120)
    falling = stats.trend([[3.0, 2.0, 1.0], [30.0, 20.0, 10.0]])
    assert falling is not None
    assert falling.tau == -1.0
    assert falling.p == pytest.approx(2 / 36)
    assert stats.trend([[1.0, 2.0]]) is None
    level = stats.trend([[5.0, 5.0, 5.0]])
    assert level is not None
    assert (level.tau, level.p) == (0.0, 1.0)


def test_the_p_of_a_trend_is_exact() -> None:
    """Against every order of five: the share of orders at least as far from none."""
    orders = list(itertools.permutations(range(1, 6)))
    scores = [sum((b > a) - (b < a) for a, b in itertools.combinations(order, 2)) for order in orders]
    for order, score in itertools.islice(zip(orders, scores, strict=True), 0, 120, 7):
        found = stats.trend([[float(value) for value in order]])
        assert found is not None
        expected = sum(abs(other) >= abs(score) for other in scores) / len(scores)
        assert found.p == pytest.approx(min(1.0, expected))


def test_change_of_a_trend_ignores_one_fault() -> None:
    """Theil-Sen: 1 % a step over four steps, one repeat sick."""
    values = [1000 * 1.01**step for step in range(7)]
    values[3] = 700.0
    found = stats.trend([values])
    assert found is not None
    assert found.change_pct == pytest.approx(100 * (1.01**6 - 1), abs=0.5)


@pytest.mark.parametrize("n", [4, 5, 8])
def test_outliers_cry_wolf_no_more_often_than_said(n: int) -> None:
    """6,000 quiet legs at 5 %: for so few repeats Bonferroni is next to exact."""
    rng = random.Random(11)
    found = [stats.outlier(quiet(rng, n)) for _ in range(6000)]
    assert sum(item is not None and item.p <= 0.05 for item in found) / 6000 == pytest.approx(0.049, abs=0.009)


def test_an_outlier_is_named() -> None:
    """Which, how far off the others; too few values or none that differ say nothing."""
    found = stats.outlier([1000.0, 1001.0, 940.0, 999.0, 1000.5])
    assert found is not None
    assert found.place == 2
    assert found.off_pct == pytest.approx(-6.0, abs=0.1)
    assert found.p < 0.001
    assert stats.outlier([1.0, 2.0, 3.0]) is None
    assert stats.outlier([5.0] * 6) is None
    alone = stats.outlier([5.0, 5.0, 5.0, 5.0, 6.0])
    assert alone is not None
    assert alone.p == 0.0


@pytest.mark.parametrize("n", [8, 10, 12, 15, 20, 30])
def test_two_modes_by_chance(n: int) -> None:
    """The policy's critical values: a normal series of this size exceeds them once in a hundred (1,500 series)."""
    rng = random.Random(13)
    seen = sum(stats.two_modes(quiet(rng, n), RULES.modes) is not None for _ in range(1500))
    assert seen / 1500 < 0.02


def test_two_modes_are_named() -> None:
    """Means and sizes of both; seven repeats are too few; one odd repeat is no mode."""
    found = stats.two_modes([995.0, 1005.0, 995.2, 1005.1, 994.9, 1004.8, 995.1, 1005.3], RULES.modes)
    assert found is not None
    assert (found.n_low, found.n_high) == (4, 4)
    assert found.low == pytest.approx(995.05)
    assert stats.two_modes([995.0, 1005.0] * 3, RULES.modes) is None
    assert stats.two_modes([1000.0, 1000.1, 999.9, 1000.2, 999.8, 1000.0, 1000.1, 900.0], RULES.modes) is None
    assert stats.two_modes([5.0] * 9, RULES.modes) is None


@pytest.mark.parametrize("n", [10, 20])
def test_memory_cries_wolf_as_rarely_as_said(n: int) -> None:
    """2,000 independent series at 5 %."""
    rng = random.Random(17)
    ps = [stats.memory_p([quiet(rng, n)], 10) for _ in range(2000)]
    assert sum(p is not None and p <= 0.05 for p in ps) / 2000 == pytest.approx(0.05, abs=0.018)


def test_memory_is_seen_in_a_wandering_series() -> None:
    """A random walk of twenty repeats; short series say nothing."""
    rng = random.Random(19)
    walk = list(itertools.accumulate([1000.0, *(rng.gauss(0, 2) for _ in range(19))]))
    p = stats.memory_p([walk], 10)
    assert p is not None
    assert p < 0.01
    assert stats.memory_p([[1.0, 2.0, 3.0]], 10) is None


def test_the_tick_of_a_clock() -> None:
    """The decimal place in which all durations end."""
    assert stats.tick([51.0, 52.0, 47.0]) == 1.0
    assert stats.tick([51.2, 50.0]) == pytest.approx(0.1)
    assert stats.tick([51.2048123456, 50.0]) is None


def test_missing_repeats_speak_against_the_claim() -> None:
    """Two missing of five: the worst case holds when three good ones are left, not when two are."""
    ref = [1000.0, 1001.0, 999.0, 1002.0, 998.0]
    assert stats.gain_if_missing(ref, [1080.0, 1081.0, 1079.0]) == pytest.approx(7.9, abs=0.01)
    assert stats.gain_if_missing(ref, [1080.0, 1081.0]) < 0.5
    assert stats.gain_if_missing([1000.0], [1080.0, 1081.0, 1082.0]) == pytest.approx(0.0, abs=0.2)
