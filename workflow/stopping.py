"""Ctrl-C: the first press lets the timed repeat that runs come to its end, the second one ends everything at once."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType

TIMED = "timed repeat"
"""In what the stopwatch says while it times."""
TOLD = "stopping when this repeat is done; Ctrl-C again aborts it"


class Stop:
    """Stands between the stopwatch and the view: hears what is done now, and where one thing ends and the next begins."""

    def __init__(self, say: Callable[[str], None], at: Callable[[str, float], None]) -> None:
        self._say, self._at = say, at
        self._now = ""
        self._wanted = self._told = False

    def pressed(self, _number: int, _frame: FrameType | None) -> None:
        """A signal's handler: only remembers, because it may come in the middle of a line that is being written."""
        if self._wanted or TIMED not in self._now:
            raise KeyboardInterrupt
        self._wanted = True

    def at(self, what: str, fraction: float) -> None:
        """As ``Sink.at``. Raises KeyboardInterrupt when the repeat that was to be finished is."""
        if self._wanted and what != self._now:
            raise KeyboardInterrupt
        if self._wanted and not self._told:
            self._told = True
            self._say(TOLD)
        self._now = what
        self._at(what, fraction)
