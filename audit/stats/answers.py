"""Counts of answers: paired losses and shares, exact. SciPy is loaded by the bounds alone: it takes longer than a small audit."""

from __future__ import annotations

import math

WHOLE = 1000
"""Discordant pairs up to which the binomial tail is summed in whole numbers."""


def mcnemar_p(lost: int, won: int) -> float:
    """Exact one-sided McNemar p that answers were lost: binomial tail over the discordant pairs (McNemar 1947)."""
    n = lost + won
    if lost == 0:
        return 1.0
    if n <= WHOLE:
        return float(sum(math.comb(n, k) for k in range(lost, n + 1)) / (1 << n))
    from scipy.special import bdtrc

    return float(bdtrc(lost - 1, n, 0.5))


def tail_p(k: int, n: int, rate: float) -> float:
    """Chance of ``k`` or more of ``n`` where each comes about with this rate (binomial tail)."""
    if k <= 0 or rate >= 1.0:
        return 1.0
    if rate <= 0.0 or k > n:
        return 0.0
    if n <= WHOLE:
        return min(1.0, math.fsum(math.comb(n, i) * rate**i * (1 - rate) ** (n - i) for i in range(k, n + 1)))
    from scipy.special import bdtrc

    return float(bdtrc(k - 1, n, rate))


def share_upper(k: int, n: int, confidence: float) -> float:
    """One-sided upper bound of a share after ``k`` of ``n`` (Clopper and Pearson 1934); 1 without trials."""
    if k >= n:
        return 1.0
    if k == 0:
        return -math.expm1(math.log1p(-confidence) / n)
    from scipy.special import betaincinv

    return float(betaincinv(k + 1, n - k, confidence))


def share_lower(k: int, n: int, confidence: float) -> float:
    """One-sided lower bound of a share, likewise."""
    return 1.0 - share_upper(n - k, n, confidence)


def loss_upper(lost: int, won: int, n: int, confidence: float) -> float:
    """Upper bound of a paired loss (share lost minus share won) over ``n`` items.

    Clopper bounds of both shares at half the error each (Bonferroni): never too small, and without discordant items
    still what ``n`` items leave open.
    """
    half = 1 - (1 - confidence) / 2
    return share_upper(lost, n, half) - share_lower(won, n, half)


def visible_loss(n: int, p: float, power: float) -> float:
    """Smallest share of ``n`` items lost, none won, that exact McNemar at level ``p`` sees with this power; 1 when none is."""
    from scipy.special import bdtrc

    least = next(k for k in range(1, 64) if mcnemar_p(k, 0) < p)
    return next((q / 1000 for q in range(1, 1000) if n >= least and float(bdtrc(least - 1, n, q / 1000)) >= power), 1.0)
