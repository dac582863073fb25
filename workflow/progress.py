"""What a person sees of a running campaign: a line with the time left on a terminal, plain stamped lines elsewhere."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from workflow.context import Sink
from workflow.plain import printable

EVERY_S = 30.0
"""Plain lines about the same launch come no more often than this."""


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

    def close(self) -> None:
        """See ``Sink.close``."""


class LiveSink:
    """One moving line under the lines that stay."""

    def __init__(self, stream: TextIO, left: TimeLeft) -> None:
        self._left = left
        self._console = Console(file=stream)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), TaskProgressColumn())
        self._bar = Progress(*columns, TextColumn("{task.fields[left]}", markup=False), console=self._console, transient=True)
        self._task = self._bar.add_task("starting", total=1.0, left="")
        self._bar.start()

    def say(self, text: str) -> None:
        """See ``Sink.say``."""
        self._console.print(Text(printable(text)))

    def stage(self, name: str, launches: int) -> None:
        """See ``Sink.stage``."""
        self._left.stage(launches)
        self._bar.update(self._task, description=name, completed=0.0)

    def at(self, what: str, fraction: float) -> None:
        """See ``Sink.at``."""
        self._bar.update(self._task, description=printable(what), completed=fraction, left=self._left.at(fraction))

    def close(self) -> None:
        """See ``Sink.close``."""
        self._bar.stop()


def make_sink(stream: TextIO, left: TimeLeft, clock: Callable[[], float]) -> Sink:
    """The sink that fits the stream."""
    return LiveSink(stream, left) if stream.isatty() else PlainSink(stream, left, clock)
