"""A newcomer's path: the README's "First steps", typed as they stand there, from clone to reading a verdict.

Slow (it sets up a virtual environment) and in need of a package index: run by ``make newcomer`` and CI, not by ``make test``.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.clone
ROOT = Path(__file__).resolve().parents[2]
MARK = "\x1enewcomer "
PASSED_ON = ("PATH", "PIP_CERT", "PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "SSL_CERT_FILE", "HTTPS_PROXY", "NO_PROXY")


class Step(NamedTuple):
    """One line of the README, and the exit code that its comment announces."""

    command: str
    exit_code: int


class Done(NamedTuple):
    """What came of it."""

    step: Step
    exit_code: int
    output: str


def steps() -> list[Step]:
    """The console block of the section."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## First steps")[1]
    block = re.search(r"```console\n(.*?)```", section, re.DOTALL)
    assert block is not None
    found = []
    for line in block[1].splitlines():
        command, _, comment = line.removeprefix("$ ").partition("  #")
        told = re.search(r"exit code (\d)", comment)
        found.append(Step(command.strip().replace("<where this is>", f"file://{ROOT}"), int(told[1]) if told else 0))
    return found


def typed(lines: list[Step], folder: Path) -> list[Done]:
    """All lines in one shell with an empty home, as a person types them."""
    script = "".join(f"{step.command}\nprintf '\\x1enewcomer %d\\n' $?\n" for step in lines)
    (folder / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")  # the tests may run as somebody else than who cloned
    env = {key: os.environ[key] for key in PASSED_ON if key in os.environ} | {"HOME": str(folder), "LANG": "C.UTF-8"}
    ended = subprocess.run(
        ["/bin/bash", "--norc", "-s"], input=script, cwd=folder, env=env, text=True, timeout=1500, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    parts = re.split(MARK + r"(\d+)\n", ended.stdout)
    assert len(parts) == 2 * len(lines) + 1, ended.stdout[-3000:]
    return [Done(step, int(code), output) for step, output, code in zip(lines, parts[::2], parts[1::2], strict=False)]


def test_from_clone_to_reading_a_verdict(tmp_path: Path) -> None:
    """Every command ends as the README says; the last one shows the query and the rows behind the verdict of the one before."""
    lines = steps()
    assert [line.command.split()[0] for line in lines[:3]] == ["git", "cd", "make"] and len(lines) >= 6
    done = typed(lines, tmp_path)
    for each in done:
        assert each.exit_code == each.step.exit_code, f"{each.step.command}: exit code {each.exit_code}\n{each.output[-3000:]}"
    audited = next(each.output for each in done if each.step.command.startswith("countersign audit "))
    assert audited.startswith("FAIL") and "max_total_num_tokens" in audited
    assert "SELECT" in done[-1].output and "bench_runs.jsonl" in done[-1].output
