"""What a person sees while a campaign runs."""

from __future__ import annotations

import io

from tests.support.simulated import FakeClock
from workflow.plain import printable
from workflow.progress import PlainSink, TimeLeft, make_sink


def test_plain_lines_are_stamped_and_say_how_long() -> None:
    """One line for each launch; the time left is measured once two launches are done."""
    clock, out = FakeClock(0.0), io.StringIO()
    sink = make_sink(out, TimeLeft(10, 60.0, clock), clock)
    assert isinstance(sink, PlainSink)
    sink.stage("baseline/set_1", 4)
    for number in range(4):
        sink.at(f"baseline/set_1/launch_{number:03d}: warming up", number / 4)
        sink.at(f"baseline/set_1/launch_{number:03d}: timed repeat", number / 4)
        clock.now += 20
    lines = out.getvalue().splitlines()
    assert len(lines) == 5 and lines[0].startswith("[00:00:00] measuring baseline/set_1: 4 launches")
    assert "at most 10 min left" in lines[1] and "at most 2 min left" in lines[4]


def test_a_log_cannot_drive_the_terminal() -> None:
    """Control characters quoted in reasons are shown as question marks."""
    assert printable("a\x1b[2Jb\rc\nd") == "a?[2Jb?c\nd"
