"""What a blind replay costs beside the audits that it consists of, as a ratio within one run."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import pytest

from audit import audit_path
from workflow.replay import is_blind, replay

pytestmark = pytest.mark.bench
RAW = Path(__file__).resolve().parents[2] / "raw_runs"
RUNS, RATIO = 120, 1.6
"""Processes, mounts and pipes may cost this much, start-up included: one judge against the same audits in this process."""


def test_a_replay_costs_little_beside_its_audits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One judge, so that cores and what else runs on them do not count; the best of three each, taken in turns."""
    shipped = sorted(path for path in RAW.iterdir() if path.name.startswith("geak292-"))
    runs = [shutil.copytree(shipped[number % len(shipped)], tmp_path / f"{number:03d}") for number in range(RUNS)]
    found = [float("inf")] * 2
    for run in shipped:
        audit_path(run)
    for _ in range(3):
        begun = time.perf_counter()
        for run in runs:
            audit_path(run)
        middle = time.perf_counter()
        answers = list(replay(runs, 1))
        ended = time.perf_counter()
        assert len(answers) == RUNS and not any(item.error for item in answers)
        found = [min(found[0], middle - begun), min(found[1], ended - middle)]
    bare, blind = found
    words = "blind" if is_blind() else "NOT BLIND"
    with capsys.disabled():
        sys.stdout.write(
            f"\nbench: {RUNS} audits {bare:.2f} s, replayed by one judge ({words}) {blind:.2f} s"
            f" ({RUNS / blind:.0f} a second): {blind / bare:.2f}\n"
        )
    assert blind / bare <= RATIO
