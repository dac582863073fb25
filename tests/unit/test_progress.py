"""What a person sees while a campaign runs: plain lines, and the live view on a terminal."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.children import heeds_ctrl_c
from tests.support.simulated import FakeClock
from tests.support.terminal import Screen, Terminal, terminal
from workflow.live import LiveSink, Scene
from workflow.plain import printable
from workflow.progress import PlainSink, make_sink
from workflow.timeleft import TimeLeft

ROOT = Path(__file__).resolve().parents[2]
AGAIN = "countersign campaign resume runs/x"
CODES = r"\x1b\[[0-9;?]*[A-Za-z]"
HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\u202e"


@contextlib.contextmanager
def live(screen: Terminal) -> Iterator[LiveSink]:
    """The sink that a terminal gets, closed at the end."""
    with contextlib.closing(make_sink(screen.stream, TimeLeft(10, 60.0, time.time), time.time, AGAIN)) as sink:
        assert isinstance(sink, LiveSink)
        yield sink


@pytest.fixture(autouse=True)
def xterm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A usual terminal, whatever this test runs in."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


# ---- plain lines


def test_plain_lines_are_stamped_and_say_how_long() -> None:
    """One line for each launch; the time left is measured once two launches are done."""
    clock, out = FakeClock(0.0), io.StringIO()
    sink = make_sink(out, TimeLeft(10, 60.0, clock), clock, AGAIN)
    assert isinstance(sink, PlainSink)
    sink.stage("baseline/set_1", 4)
    for number in range(4):
        sink.at(f"baseline/set_1/launch_{number:03d}: warming up", number / 4)
        sink.at(f"baseline/set_1/launch_{number:03d}: timed repeat", number / 4)
        clock.now += 20
    sink.decided("baseline", "PASS", "proven")
    lines = out.getvalue().splitlines()
    assert len(lines) == 5 and lines[0].startswith("[00:00:00] measuring baseline/set_1: 4 launches")
    assert "at most 10 min left" in lines[1] and "at most 2 min left" in lines[4]


@pytest.mark.parametrize("kind", ["dumb", "unknown", "", None])
def test_a_terminal_that_cannot_move_gets_plain_lines(kind: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not one code."""
    if kind is None:
        monkeypatch.delenv("TERM")
    else:
        monkeypatch.setenv("TERM", kind)
    with terminal() as screen:
        sink = make_sink(screen.stream, TimeLeft(10, 60.0, time.time), time.time, AGAIN)
        sink.stage("baseline/set_1", 4)
        sink.close()
        assert "\x1b" not in screen.wait_for("measuring baseline/set_1: 4 launches")


def test_a_log_cannot_drive_the_terminal() -> None:
    """Control characters quoted in reasons are shown as question marks."""
    assert printable("a\x1b[2Jb\rc\nd") == "a?[2Jb?c\nd"


# ---- the view as text


def scene() -> Scene:
    """In the third of six launches, with more decisions than are kept."""
    made = Scene(AGAIN, "config/c01-x", 6, 0.4, "config/c01-x/ref/launch_001: timed repeat 1/2", "at most 9 min left")
    made.decided = tuple(("PASS", f"c{number:02d}-x", "proven") for number in range(6))
    return made


def test_the_view_says_what_runs_how_long_and_how_to_stop() -> None:
    """Launch x of y, the phase, the time left, the last four decisions, the command to go on with."""
    head, now, left, *decided, stop = (line.plain for line in scene().lines(120, 24, 125.0))
    assert head == "config/c01-x  launch 3 of 6  ━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌  40 %"
    assert now == "  config/c01-x/ref/launch_001: timed repeat 1/2" and left == "  2:05 so far, at most 9 min left"
    assert decided == [f"  PASS    c{number:02d}-x  proven" for number in (2, 3, 4, 5)]
    assert stop == f"  stop: Ctrl-C   go on: {AGAIN}"


@pytest.mark.parametrize(("fraction", "launch"), [(0.0, 1), (0.1666, 1), (1 / 6, 2), (0.99, 6), (1.0, 6)])
def test_the_launch_under_way(fraction: float, launch: int) -> None:
    """Counted from one, never beyond the last."""
    made = scene()
    made.fraction = fraction
    assert f"launch {launch} of 6" in made.lines(120, 24, 0.0)[0].plain


@pytest.mark.parametrize("width", [1, 2, 20, 59, 80, 300])
@pytest.mark.parametrize("height", [1, 2, 3, 9, 10, 24])
def test_the_view_fits_every_terminal(width: int, height: int) -> None:
    """Never more lines than there are, with one for the cursor; never a line that would wrap."""
    lines = scene().lines(width, height, 4000.0, unicode=width % 2 == 0)
    assert 1 <= len(lines) <= max(1, height - 1)
    assert all(line.cell_len <= max(1, width - 1) and "\n" not in line.plain for line in lines)


def test_wide_characters_count_twice() -> None:
    """A path of the user's may have them."""
    made = Scene("resume " + "目" * 90, "目" * 90, 3, 0.0)
    assert all(line.cell_len <= 39 for line in made.lines(40, 24, 0.0))


# ---- the view on a terminal


def test_lines_stay_and_the_view_goes() -> None:
    """What was said is left on the screen, of the view nothing; the cursor is back."""
    with terminal() as screen, live(screen) as sink:
        sink.say("run directory: runs/x")
        sink.stage("baseline/set_1", 4)
        sink.at("baseline/set_1/launch_001: timed repeat 1/2", 0.3)
        sink.decided("baseline", "PASS", "proven")
        for words in ("PASS", "launch 2 of 4", "timed repeat 1/2", "min left", AGAIN):
            seen = screen.wait_for(words)
        assert not Screen(seen).cursor
        sink.say("auditor on baseline: PASS (proven)\n    nothing to say")
        sink.close()
        sink.close()
        screen.stream.write("done\n")
        screen.stream.flush()
        left = Screen(screen.wait_for("done"))
    assert left.lines == ["run directory: runs/x", "auditor on baseline: PASS (proven)", "    nothing to say", "done"]
    assert left.cursor


def test_many_reports_draw_little() -> None:
    """Each finished request reports; the terminal sees a few frames a second, not each of them."""
    with terminal() as screen, live(screen) as sink:
        sink.stage("baseline/set_1", 4)
        begun = time.monotonic()
        for number in range(20_000):
            sink.at(f"baseline/set_1/launch_000: request {number}", number / 20_000)
        seconds = time.monotonic() - begun
        sink.close()
        frames = screen.wait_for("\x1b[?25h").count("stop: Ctrl-C")
    assert frames <= 4 + 2 * seconds


def test_a_terminal_that_shrinks_and_grows() -> None:
    """A frame fits the size that the terminal has by then."""
    phase = "config/c01-x/ref/launch_000: a long sentence about what is going on just now, to its end"
    with terminal(120, 30) as screen, live(screen) as sink:
        sink.stage("config/c01-x", 6)
        sink.at(phase, 0.1)
        screen.wait_for(phase)
        screen.resize(40, 4)
        before = len(screen.wait_for("a long …"))
        time.sleep(1.2)
        frames = screen.text[before:].split("\r\x1b[2K")[1:-1]
        screen.resize(120, 30)
        sink.at("grown: " + phase, 0.1)
        screen.wait_for("grown: " + phase)
        sink.close()
    assert frames and all(len(line) < 40 for frame in frames for line in Screen(re.sub(CODES, "", frame)).lines)
    assert all(len(Screen(re.sub(CODES, "", frame)).lines) <= 3 for frame in frames)


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR: the view moves, in black and white; without it, a verdict has a colour."""
    colour = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-7]|9[0-7]|38;)[0-9;]*m")
    for wanted in (True, False):
        if not wanted:
            monkeypatch.setenv("NO_COLOR", "1")
        with terminal() as screen, live(screen) as sink:
            sink.decided("baseline", "FAIL", "eject")
            text = screen.wait_for("FAIL")
            sink.close()
        assert bool(colour.search(text)) is wanted


def test_nothing_drives_the_terminal_but_the_view() -> None:
    """Names, reasons and phases with codes in them."""
    with terminal() as screen, live(screen) as sink:
        sink.say(HOSTILE)
        sink.stage(HOSTILE, 3)
        sink.decided(HOSTILE, HOSTILE, HOSTILE)
        sink.at(f"{HOSTILE} seen", 0.5)
        text = screen.wait_for("seen")
        sink.close()
    assert "\x1b[2J" not in text and "\x1b]" not in text and "\x07" not in text and "\u202e" not in text


STOPPED = """
import sys, time
from pathlib import Path
import click
from workflow.cli import cli, main
from workflow.commands.campaign import _services
@click.command("wait")
def wait():
    with _services(10, 60.0, Path("runs/x")) as services:
        services.sink.say("run directory: runs/x")
        services.sink.stage("baseline/set_1", 4)
        services.sink.at("baseline/set_1/launch_000: warming up", 0.1)
        time.sleep(60)
cli.add_command(wait)
sys.exit(main(["wait"]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_campaign_leaves_the_terminal_tidy(number: signal.Signals) -> None:
    """The view is gone, the cursor is back, and the last words say how to go on."""
    with terminal(100, 24) as screen:
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        words = [sys.executable, "-c", STOPPED]
        child = subprocess.Popen(words, stderr=screen.slave, stdout=subprocess.DEVNULL, env=env, preexec_fn=heeds_ctrl_c)  # noqa: PLW1509
        screen.wait_for("warming up", 30)
        child.send_signal(number)
        assert child.wait(30) == 130
        left = Screen(screen.wait_for("next: "))
    assert left.cursor
    assert left.lines == [
        "run directory: runs/x",
        "error CS008: interrupted; a launch that was not whole is discarded, what was sealed is safe",
        "next: countersign campaign resume runs/x",
    ]
