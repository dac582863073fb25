"""Ctrl-C once, and twice, at every kind of moment."""

from __future__ import annotations

import signal

import pytest

from workflow.stopping import TOLD, Stop


class Heard:
    """Keeps what reaches the view."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.seen: list[str] = []
        self.stop = Stop(self.said.append, lambda what, _: self.seen.append(what))

    def press(self) -> None:
        """As the interpreter calls a signal's handler."""
        self.stop.pressed(signal.SIGINT, None)


@pytest.mark.parametrize("what", ["", "baseline/set_1/launch_000: starting the server", "baseline/set_1/launch_000: warming up"])
def test_where_nothing_is_timed_it_ends_at_once(what: str) -> None:
    """There is nothing to finish."""
    heard = Heard()
    if what:
        heard.stop.at(what, 0.1)
    with pytest.raises(KeyboardInterrupt):
        heard.press()


@pytest.mark.parametrize("then", ["x: timed repeat 2/2", "x: waiting for a quiet machine", "y: starting the server"])
def test_a_timed_repeat_is_finished(then: str) -> None:
    """The press is answered in words once, and heeded where the next thing begins, which the view never sees."""
    heard = Heard()
    heard.stop.at("x: timed repeat 1/2", 0.5)
    heard.press()
    assert heard.said == []
    for share in (0.6, 0.7):
        heard.stop.at("x: timed repeat 1/2", share)
    assert heard.said == [TOLD] and len(heard.seen) == 3
    with pytest.raises(KeyboardInterrupt):
        heard.stop.at(then, 0.8)
    assert then not in heard.seen


def test_the_second_press_aborts() -> None:
    """Whatever is under way."""
    heard = Heard()
    heard.stop.at("x: timed repeat 1/2", 0.5)
    heard.press()
    with pytest.raises(KeyboardInterrupt):
        heard.press()
