"""A rate and how sure it is: the only form in which the proof carries one."""

from __future__ import annotations

from typing import NamedTuple

CONFIDENCE = 0.95
"""Of the two-sided interval that stands beside every rate."""


class Rate(NamedTuple):
    """``k`` of ``n``. Its interval is Clopper and Pearson's (1934): never too narrow."""

    k: int
    n: int

    @property
    def value(self) -> float | None:
        """Share; None without trials."""
        return self.k / self.n if self.n else None

    @property
    def low(self) -> float:
        """Lower end of the interval; 0 without trials."""
        from audit.stats import share_lower

        return share_lower(self.k, self.n, 1 - (1 - CONFIDENCE) / 2) if self.n else 0.0

    @property
    def high(self) -> float:
        """Upper end of the interval; 1 without trials."""
        from audit.stats import share_upper

        return share_upper(self.k, self.n, 1 - (1 - CONFIDENCE) / 2) if self.n else 1.0

    def __add__(self, other: object) -> Rate:
        """Both together."""
        if not isinstance(other, Rate):
            return NotImplemented
        return Rate(self.k + other.k, self.n + other.n)

    def words(self, digits: int = 2) -> str:
        """``1.20 % [0.90, 1.55] (24 of 2,000)``; ``no trials`` without one."""
        if not self.n:
            return "no trials"
        low, high = (f"{100 * value:.{digits}f}" for value in (self.low, self.high))
        return f"{100 * self.k / self.n:.{digits}f} % [{low}, {high}] ({self.k:,} of {self.n:,})"

    def plain(self) -> dict[str, float | int | None]:
        """As JSON values; shares to six significant digits."""
        value = None if self.value is None else float(f"{self.value:.6g}")
        return {"k": self.k, "n": self.n, "rate": value, "low": float(f"{self.low:.6g}"), "high": float(f"{self.high:.6g}")}
