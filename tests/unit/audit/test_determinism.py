"""Same evidence, same bytes: whatever the directory, locale, time zone, hash seed and number of threads."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit import audit, audit_path, canonical_json, requests
from audit.intake.launch import Reader
from audit.policy import load

RAW_RUNS = Path(__file__).resolve().parents[3] / "raw_runs"
CODE = """
import sys
from pathlib import Path
from audit import audit_path, render
for run in sorted(Path(sys.argv[1]).glob("*/")):
    for form in ("json", "text", "md"):
        sys.stdout.buffer.write(render(audit_path(run), form).encode())
"""


def _told(place: Path, cwd: Path, **env: str) -> bytes:
    base = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(RAW_RUNS.parent)}
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(place)], cwd=cwd, env=base | env, capture_output=True, check=True, timeout=300
    )
    return done.stdout


def test_same_bytes_everywhere(tmp_path: Path) -> None:
    """Every run that ships, in three formats, twice: here, and copied elsewhere under other circumstances."""
    here = _told(RAW_RUNS, tmp_path, PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C.UTF-8", OMP_NUM_THREADS="1")
    elsewhere = tmp_path / "ä place with spaces"
    shutil.copytree(RAW_RUNS, elsewhere)
    there = _told(elsewhere, elsewhere, PYTHONHASHSEED="4242", TZ="Asia/Kathmandu", LC_ALL="de_DE.UTF-8", OMP_NUM_THREADS="4")
    assert len(here) > 10_000
    assert here == there


def test_a_request_among_others_gets_the_verdict_that_it_gets_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Launches of A/A sets are read once for all requests of a run, and nothing of a verdict hangs on that."""
    run, reads = RAW_RUNS / "embedded-campaign", 0
    whole = Reader.read

    def counted(self: Reader) -> object:
        nonlocal reads
        reads += 1
        return whole(self)

    monkeypatch.setattr(Reader, "read", counted)
    together = audit_path(run)
    shared, reads = reads, 0
    asked = requests.read(run, load().policy).requests
    assert len(asked) > 2
    assert [canonical_json(item) for item in together] == [canonical_json(audit(run, request)) for request in asked]
    assert 0 < shared < reads
