"""One recorded campaign of the embedded engine with today's verdicts beside it, and the facts of its report."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest

from audit import audit_path, render
from tests.support.reports import profiles, run_of
from workflow.report import build

RECORDED = Path(__file__).resolve().parents[3] / "raw_runs" / "embedded-campaign"


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the recording with ``verdicts.json``; read only: a test that changes it takes ``run_dir``."""
    place = tmp_path_factory.mktemp("recorded") / "run"
    shutil.copytree(RECORDED, place)
    (place / "verdicts.json").write_text(render(audit_path(place), "json"), encoding="utf-8")
    return place


@pytest.fixture
def run_dir(recorded: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(recorded, tmp_path / "run")


@pytest.fixture(scope="session")
def whole(recorded: Path) -> dict[str, Any]:
    """The facts of the recording; read only."""
    return build(run_of(recorded))


@pytest.fixture
def facts(whole: dict[str, Any]) -> dict[str, Any]:
    """The same, for a test to change; with profiles, which the recording has none of."""
    return {**copy.deepcopy(whole), "profiles": profiles()}
