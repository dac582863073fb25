"""How long a campaign can still take, said at any moment of it."""

from __future__ import annotations

from collections.abc import Callable


class TimeLeft:
    """Estimates what is left: launches still possible x seconds per launch, measured once two launches are done."""

    def __init__(self, launches: int, seconds_per_launch: float, clock: Callable[[], float]) -> None:
        self._most = launches
        self._guess = seconds_per_launch
        self._clock = clock
        self._before = 0
        self._stage = 0
        self._fraction = 0.0
        self._begun: float | None = None

    def stage(self, launches: int) -> None:
        """A plan of ``launches`` begins; the one before is done."""
        self._begun = self._begun if self._begun is not None else self._clock()
        self._before += self._stage
        self._stage, self._fraction = launches, 0.0

    def at(self, fraction: float) -> str:
        """The longest it can take from here, in words."""
        self._fraction = fraction
        done = self._before + fraction * self._stage
        worked = self._clock() - (self._begun if self._begun is not None else self._clock())
        each = worked / done if done >= 2 else self._guess
        left = max(0.0, self._most - done) * each
        return f"at most {max(1, round(left / 60))} min left"
