"""The live view of a running campaign: a few lines at the foot of the terminal, under the lines that stay."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console, ConsoleDimensions, Group
from rich.live import Live
from rich.text import Text

from workflow.plain import one_line, printable
from workflow.timeleft import TimeLeft

REFRESHES = 2
"""Times a second the view is drawn: it shares the process with the load client, so it has to be seldom and cheap."""
SHOWN = 4
"""Decisions kept in sight."""
BAR = 20
NARROW, LOW = 60, 10
"""Columns below which the bar is left out, and rows below which the decisions are."""
STYLES = {"PASS": "green", "BANKED": "bold green", "BANKED UNSIGNED": "bold yellow", "FLAG": "yellow", "FAIL": "red"}


@dataclass(slots=True)
class Scene:
    """What there is to show."""

    again: str
    """The command that goes on with this campaign after an interruption."""
    stage: str = "starting"
    launches: int = 0
    fraction: float = 0.0
    now: str = ""
    left: str = ""
    begun: float = 0.0
    """``time.monotonic`` when the view began."""
    decided: tuple[tuple[str, str, str], ...] = ()
    """Word, name and detail of the last verdicts, banks and drops. Replaced, never changed: another thread draws it."""

    def lines(self, width: int, height: int, seconds: float, unicode: bool = True) -> list[Text]:
        """The view in at most ``height`` lines of at most ``width`` columns."""
        launch = f"launch {min(self.launches, int(self.fraction * self.launches + 1e-9) + 1)} of {self.launches}"
        bar = f"{_bar(self.fraction, unicode)}  " if width >= NARROW else ""
        head = f"{self.stage}  {launch if self.launches else ''}  {bar}{100 * self.fraction:.0f} %"
        found = [Text(head, style="bold"), Text(f"  {self.now}"), Text(f"  {_span(seconds)} so far, {self.left}")]
        if height >= LOW:
            found += [_decision(*item) for item in self.decided[-SHOWN:]]
        found.append(Text(f"  stop: Ctrl-C   go on: {self.again}", style="dim"))
        return [_fitting(line, width) for line in found[: max(1, height - 1)]]


def _fitting(line: Text, width: int) -> Text:
    line.no_wrap = True
    line.truncate(max(1, width - 1), overflow="ellipsis")
    return line


def _bar(fraction: float, unicode: bool) -> str:
    full, empty = ("━", "╌") if unicode else ("#", "-")
    done = round(min(max(fraction, 0.0), 1.0) * BAR)
    return full * done + empty * (BAR - done)


def _decision(word: str, name: str, detail: str) -> Text:
    return Text.assemble("  ", (f"{word:<8}", STYLES.get(word, "")), f"{name}  {detail}")


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


class LiveSink:
    """Lines that stay, and under them the view. ``close`` takes the view away and gives the cursor back."""

    def __init__(self, stream: TextIO, left: TimeLeft, again: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._left, self._clock = left, clock
        self._scene = Scene(one_line(again), begun=clock())
        self._stream, self._console = stream, Console(file=stream)
        self._live = Live(
            console=self._console,
            get_renderable=self._view,
            refresh_per_second=REFRESHES,
            transient=True,
            redirect_stdout=False,
            vertical_overflow="crop",
        )
        self._live.start()

    def _view(self) -> Group:
        width, height = self._console.size = self._size()
        unicode = self._console.encoding.startswith("utf")
        return Group(*self._scene.lines(width, height, self._clock() - self._scene.begun, unicode))

    def _size(self) -> ConsoleDimensions:
        """Of the terminal that is written to, at this moment; rich would ask standard input first."""
        try:
            found = os.get_terminal_size(self._stream.fileno())
        except OSError:
            return self._console.size
        return ConsoleDimensions(found.columns or 80, found.lines or 24)

    def say(self, text: str) -> None:
        """See ``Sink.say``."""
        self._console.print(Text(printable(text)))

    def stage(self, name: str, launches: int) -> None:
        """See ``Sink.stage``."""
        self._left.stage(launches)
        self._scene.stage, self._scene.launches, self._scene.fraction = one_line(name), launches, 0.0

    def at(self, what: str, fraction: float) -> None:
        """See ``Sink.at``. Nothing is drawn here: the next refresh shows it."""
        self._scene.now, self._scene.fraction, self._scene.left = one_line(what), fraction, self._left.at(fraction)

    def decided(self, name: str, word: str, detail: str) -> None:
        """See ``Sink.decided``."""
        self._scene.decided = (*self._scene.decided, (one_line(word), one_line(name), one_line(detail)))[-SHOWN:]

    def close(self) -> None:
        """See ``Sink.close``."""
        self._live.stop()
