"""What a person sees of a running campaign: a live view on a terminal, plain stamped lines elsewhere."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from typing import TextIO

from workflow.context import Sink
from workflow.plain import printable
from workflow.timeleft import TimeLeft

EVERY_S = 30.0
"""Plain lines about the same launch come no more often than this."""
DUMB = ("", "dumb", "unknown")
"""Values of TERM for which nothing is moved or overwritten."""


class PlainSink:
    """Stamped lines, for logs and pipes."""

    def __init__(self, stream: TextIO, left: TimeLeft, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._left = left
        self._clock = clock
        self._last = ("", 0.0)

    def say(self, text: str) -> None:
        """See ``Sink.say``."""
        stamp = datetime.datetime.fromtimestamp(self._clock(), datetime.UTC).strftime("%H:%M:%S")
        self._stream.write(f"[{stamp}] {printable(text)}\n")
        self._stream.flush()

    def stage(self, name: str, launches: int) -> None:
        """See ``Sink.stage``."""
        self._left.stage(launches)
        self.say(f"measuring {name}: {launches} launches")

    def at(self, what: str, fraction: float) -> None:
        """See ``Sink.at``; one line for each launch, and one every half minute."""
        launch, now = what.partition(":")[0], self._clock()
        left = self._left.at(fraction)
        if launch != self._last[0] or now - self._last[1] >= EVERY_S:
            self._last = (launch, now)
            self.say(f"  {what} ({100 * fraction:.0f} % of this plan, {left})")

    def decided(self, name: str, word: str, detail: str) -> None:
        """See ``Sink.decided``; the line that was said stays in sight anyway."""

    def close(self) -> None:
        """See ``Sink.close``."""


def make_sink(stream: TextIO, left: TimeLeft, clock: Callable[[], float], again: str) -> Sink:
    """The sink that fits the stream; ``again`` is the command that goes on with the campaign once it was stopped."""
    if not stream.isatty() or os.environ.get("TERM", "").lower() in DUMB:
        return PlainSink(stream, left, clock)
    from workflow.live import LiveSink

    return LiveSink(stream, left, again)
