"""Quotations of logs in claim files: which texts are one, and whether the log says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audit.intake import quotes
from audit.intake.places import Places
from audit.policy import load

POLICY = load().policy
LINES = "\x1b[32mINFO\x1b[0m  [server_args.py:12]   attention_backend='triton'\nINFO ready to roll: 3 workers up\n"
LOG = "config/c01/cand/server.log"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose candidate has a log and a row."""
    leg = tmp_path / "config/c01/cand"
    leg.mkdir(parents=True)
    (leg / "server.log").write_text(LINES)
    (leg / "bench_runs.jsonl").write_text("{}\n")
    return tmp_path


def look(run: Path, value: Any) -> list[bool | None]:
    """What is held of each quotation."""
    places = Places(run, run, run / "config/c01", {"cand": run / "config/c01/cand"})
    return [item.holds for item in quotes.find("evidence", value, run / "config/c01", places, POLICY)]


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        (f"{LOG}: INFO ready to roll: 3 workers up", [True]),
        (f"{LOG}:2: INFO ready to roll: 3 workers up", [True]),
        (f"{LOG}:1: INFO ready to roll: 3 workers up", [False]),
        (f"{LOG}:9: INFO ready to roll: 3 workers up", [False]),
        (f"/home/someone/runs/{LOG}: ready to roll", [True]),
        ("cand/server.log: ready to roll", [True]),
        ("server.log: ready to roll", [True]),
        ("server.log: INFO [server_args.py:12] attention_backend='triton'", [True]),
        ("server.log: INFO ... 3 workers up", [True]),
        ("server.log: 3 workers up ... INFO", [False]),
        ("server.log: 4 workers up", [False]),
        ('the log says "ready to roll: 3 workers up"', [True]),
        ("the log says `ready to roll: 4 workers up`", [False]),
        ('said "ready to roll: 4 workers up"', []),
        ("INFO ready to roll: 3 workers up", [True]),
        ("the new backend was used", []),
        ("other/server.log: ready to roll", [None]),
        ("../outside/server.log: ready to roll", [None]),
        ("/etc/passwd.log: root", [None]),
        ("", []),
        (7, []),
        ([f"{LOG}: ready to roll", f"{LOG}: gone", 3, None], [True, False]),
        ({"line": f"{LOG}: ready to roll"}, [True]),
        (f"{LOG}: ready to roll\n{LOG}: gone", [True, False]),
        (f"{LOG}:99999999999999999999: ready to roll", [True]),
    ],
)
def test_a_quotation_is_looked_up(said: Any, holds: list[bool | None], run: Path) -> None:
    """In the log it names, at the line it names; a text that is no quotation is left alone."""
    assert look(run, said) == holds


def test_a_link_out_of_the_run_is_not_followed(run: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Not even to say whether a line stands there."""
    outside = tmp_path_factory.mktemp("outside") / "secret.log"
    outside.write_text("the secret line\n")
    (run / "config/c01/cand/link.log").symlink_to(outside)
    assert look(run, "config/c01/cand/link.log: the secret line") == [None]
