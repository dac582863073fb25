"""Completion as shells ask for it, and in a real bash."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workflow.cli import main

ROOT = Path(__file__).resolve().parents[2]
BASH = shutil.which("bash")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two runs in runs/, one beside it, one whose name needs quoting, and folders that are no runs."""
    for name in ("runs/monday", "runs/tuesday", "rows", "runs/a b", "runs/notes", "other"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("runs/monday", "runs/tuesday", "rows", "runs/a b"):
        asked = [{"short_name": "c01-x"}, {"short_name": "c02 $(y)"}, {"short_name": "final"}, {"short_name": 3}, 4]
        (tmp_path / name / "audit_request.json").write_text(json.dumps(asked))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(words: str, shell: str = "bash") -> list[str]:
    """What the command answers when a shell asks it to complete the last of these words."""
    count = len(words.split(" ")) - 1
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "COMP_WORDS": words,
        "COMP_CWORD": str(count),
        "_COUNTERSIGN_COMPLETE": f"{shell}_complete",
    }
    if shell == "fish":
        env["COMP_CWORD"] = words.rpartition(" ")[2]
    ended = subprocess.run([sys.executable, "-m", "workflow"], env=env, capture_output=True, text=True, check=True)
    return ended.stdout.split()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("countersign cam", ["plain,campaign"]),
        ("countersign campaign t", ["plain,tail"]),
        ("countersign campaign tail --fo", ["plain,--follow"]),
        ("countersign campaign resume ", ["dir,", "plain,rows", "plain,runs/monday", "plain,runs/tuesday"]),
        ("countersign audit runs/t", ["dir,runs/t", "plain,runs/tuesday"]),
        ("countersign audit o", ["dir,o"]),
        ("countersign campaign list r", ["dir,r"]),
        ("countersign verdicts show runs/monday ", ["plain,c01-x", "plain,final"]),
        ("countersign verdicts show nowhere f", []),
        ("countersign examples embedded-b", ["plain,embedded-baseline"]),
        ("countersign completion f", ["plain,fish"]),
    ],
)
def test_what_is_completed(words: str, found: list[str]) -> None:
    """Runs where they are kept; names that a shell would have to quote are left to it."""
    assert asked(words) == found


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_is_answered(shell: str) -> None:
    """In its own form; examples with what to expect where the shell shows it."""
    text = "\n".join(asked("countersign examples geak292-n", shell))
    assert "geak292-noisy-baseline" in text and ("FLAG" in text) == (shell != "bash")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It asks the command by the variable that the command listens to."""
    assert main(["completion", shell]) == 0
    assert f"_COUNTERSIGN_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With those there are."""
    assert main(["completion", "tcsh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err


@pytest.mark.skipif(BASH is None, reason="needs bash")
def test_a_real_bash_completes(here: Path) -> None:
    """The script is evaluated, then bash is asked what a tab would give."""
    (here / "bin").mkdir()
    command = here / "bin" / "countersign"
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m workflow "$@"\n')
    command.chmod(0o755)
    script = (
        'eval "$(countersign completion bash)"; COMP_WORDS=(countersign campaign show runs/t); COMP_CWORD=3;'
        '_countersign_completion countersign 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    env = {**os.environ, "PATH": f"{here / 'bin'}:{os.environ['PATH']}"}
    ended = subprocess.run([str(BASH), "--norc", "-c", script], env=env, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["runs/tuesday"]
