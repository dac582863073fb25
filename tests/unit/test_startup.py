"""The start-up check: our import names are ours, and a missing package names its extra."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workflow import startup
from workflow.errors import InstallError
from workflow.startup import check_packages, require

ROOT = Path(__file__).resolve().parents[2]


def run(*path: Path) -> subprocess.CompletedProcess[str]:
    """``countersign campaign run --plan-only`` with this PYTHONPATH."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    command = [
        sys.executable,
        "-c",
        "import sys; from workflow.cli import main; sys.exit(main(['campaign','run','--plan-only']))",
    ]
    return subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, check=False)


def test_our_own_packages_are_in_order() -> None:
    """In a source tree and installed."""
    check_packages()


def test_a_package_of_that_name_from_elsewhere_is_named(tmp_path: Path) -> None:
    """Another project's ``agents`` in front of ours: which, where, and what to do."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").touch()
    ended = run(tmp_path, ROOT)
    assert ended.returncode == 1 and "error CS003" in ended.stderr and str(tmp_path) in ended.stderr
    assert "environment of its own" in ended.stderr and "Traceback" not in ended.stderr


def test_a_foreign_distribution_that_owns_a_name_is_refused(tmp_path: Path) -> None:
    """Even behind ours on the path: the two would overwrite each other."""
    info = tmp_path / "openai_agents-0.1.dist-info"
    info.mkdir()
    (info / "RECORD").write_text("agents/__init__.py,,\nagents/run.py,,\n")
    ended = run(ROOT, tmp_path)
    assert ended.returncode == 1 and "openai_agents-0.1.dist-info" in ended.stderr
    assert run(ROOT).returncode == 0


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    require("campaign")
    monkeypatch.setitem(startup._NEEDS, "campaign", ("surely_not_there.part",))
    with pytest.raises(InstallError, match="surely_not_there") as caught:
        require("campaign")
    assert "countersign[campaign]" in caught.value.next_step
