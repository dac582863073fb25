"""Student's t in plain Python: importing SciPy costs more than everything else a small audit does.

Tested against ``scipy.special`` to ten digits, tails included (``tests/unit/audit/test_stats.py``).
"""

from __future__ import annotations

import math
from functools import lru_cache

TERMS, EPSILON, TINY = 500, 1e-15, 1e-300


def tail(t: float, df: int) -> float:
    """P(T > t) for Student's t with ``df`` degrees of freedom: half the regularised incomplete beta of df / (df + t^2)."""
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    half = 0.5 * _beta(df / 2, 0.5, df / (df + t * t), t * t / (df + t * t))
    return half if t >= 0 else 1.0 - half


@lru_cache(maxsize=256)
def quantile(upper: float, df: int) -> float:
    """The value that T exceeds with probability ``upper`` (0 < upper < 1), by bisection of ``tail``."""
    if upper > 0.5:
        return -quantile(1.0 - upper, df)
    low, high = 0.0, 1.0
    while tail(high, df) > upper:
        low, high = high, 2 * high
    while high - low > 4e-16 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if tail(middle, df) > upper else (low, middle)
    return (low + high) / 2


def _beta(a: float, b: float, x: float, rest: float) -> float:
    """Regularised incomplete beta I_x(a, b): continued fraction, modified Lentz (Abramowitz and Stegun 26.5.8); rest = 1 - x."""
    if x <= 0 or rest <= 0:
        return 0.0 if x <= 0 else 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, rest) / b


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1.0 / _away(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1.0 / _away(1 + even * d), _away(1 + even / c)
        found *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1.0 / _away(1 + odd * d), _away(1 + odd / c)
        step = d * c
        found *= step
        if abs(step - 1) < EPSILON:
            break
    return found


def _away(value: float) -> float:
    return value if abs(value) > TINY else TINY
