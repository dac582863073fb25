"""The command line: quick help, one line an error, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import pytest

from workflow.cli import cli, main

ROOT = Path(__file__).resolve().parents[2]

HEAVY = ("langgraph", "litellm", "torch", "duckdb", "pydantic", "transformers", "numpy", "rich", "yaml", "audit", "agents")
BUDGET_S = 0.3


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    """Best of five under the budget; none of the heavy names in sys.modules."""
    code = (
        "import sys, workflow.cli; code = workflow.cli.main(['--help']);"
        f"found = [n for n in {HEAVY!r} if n in sys.modules]; sys.exit(repr(found) if found or code else 0)"
    )
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
        times.append(time.perf_counter() - begun)
        assert ended.returncode == 0, ended.stderr
        assert "countersign campaign run --use-auditor" in ended.stdout
    assert min(times) < BUDGET_S


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group by its words."""
    for name, command in group.commands.items():
        yield (*words, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


EVERY = [(), *commands(cli)]


@pytest.mark.parametrize("words", EVERY, ids=lambda words: " ".join(words) or "countersign")
def test_every_help_teaches_with_an_example(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """A help page shows a command that can be typed."""
    assert main([*words, "--help"]) == 0
    assert "countersign " + " ".join(words) in capsys.readouterr().out.split("Usage", 1)[1].split("\n", 1)[1]


@pytest.mark.parametrize("words", EVERY[1:], ids=" ".join)
def test_every_command_is_documented(words: tuple[str, ...]) -> None:
    """In the README or on a page of docs/, with all its words."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    said = f"countersign {' '.join(words)}"
    assert any(said in page.read_text(encoding="utf-8") for page in pages), said


def command_of(words: Iterable[str]) -> click.Command:
    """The command at the end of these words."""
    command: click.Command = cli
    for word in words:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    return command


def test_documented_commands_exist() -> None:
    """No page shows a command or an option that is not there."""
    pattern = re.compile(r"countersign ((?:" + "|".join(cli.commands) + r")\b[^`\n|#>&]*)")
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for line in pattern.findall(page.read_text(encoding="utf-8")):
            words = line.split()
            name = tuple(words[:2]) if tuple(words[:2]) in EVERY else (words[0],)
            command = command_of(name)
            assert not isinstance(command, click.Group) or len(words) == 1, f"{page.name}: {line}"
            options = {option for item in command.params for option in (*item.opts, *item.secondary_opts)}
            assert {word for word in words if word.startswith("--")} <= {*options, "--help"}, f"{page.name}: {line}"


def test_every_command_is_explained() -> None:
    """No command and no option without a help text."""
    for words in EVERY[1:]:
        command = command_of(words)
        assert command.help
        assert all(getattr(item, "help", "x") for item in command.params if item.param_type_name == "option"), words


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["campaign", "run", "nowhere.yaml"], 2, "error CS002: nowhere.yaml"),
        (["campaign", "resume", "nowhere"], 2, "error CS001: nowhere: not a campaign directory"),
        (["campaign", "status", "nowhere"], 2, "error CS001: nowhere"),
        (["campaign", "report", "nowhere"], 2, "error CS001: nowhere: not a campaign directory"),
        (["campaign", "walk"], 2, "error CS001: No such command"),
        (["campaign", "run", "--id"], 2, "error CS001"),
        (["audit", "nowhere"], 2, "error CS001: nowhere: not a directory"),
        (["audit"], 2, "error CS001: nothing to audit"),
        (["audit", "."], 2, "error CS001: .: no audit_request.json, and nothing in the directory looks like a leg"),
        (["audit", ".", "--format", "xml"], 2, "error CS001"),
        (["audit", ".", "--request", "gone.json"], 2, "error CS001: .: gone.json: cannot be read"),
        (["audit", ".", "--policy", "gone.json"], 2, "error CS001: .: gone.json: cannot be read"),
        (["audit", "--legs", "a"], 2, "error CS001"),
        (["audit", "--legs", "a", "b"], 2, "error CS001: leg 'a': no such directory"),
        (["audit", "--legs", "a", "b", "--scope", "profile"], 2, "error CS001: two legs are audited as patch or bundle"),
        (["verdicts", "list"], 2, "error CS001: runs: no such directory"),
        (["verdicts", "list", "nowhere"], 2, "error CS001: nowhere: not a directory"),
        (["verdicts", "show", "nowhere"], 2, "error CS001: nowhere: 'nowhere': no such directory"),
        (["verdicts", "diff", "nowhere.json"], 2, "error CS001: nowhere.json: not a run directory"),
        (["verdicts", "diff", "one.json", "two.json"], 2, "error CS001: one.json: cannot be read as verdicts"),
        (["taxonomy", "Z99"], 2, "error CS001: no known lie has the id 'Z99'"),
        (["init-pair", "x", "--engine", "slow"], 2, "error CS001"),
        (["init-pair", "x", "--engine", "vllm", "--model", " "], 2, "error CS001: --model ' '"),
    ],
)
def test_errors_are_one_line_and_a_next_step(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stderr, with a code that can be searched for; stdout stays empty."""
    monkeypatch.chdir(tmp_path)
    assert main(words) == code
    out, err = capsys.readouterr()
    assert out == "" and said in err and "\nnext: " in err and "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_plan_only_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan says launches x seconds, candidates and the error budget; as JSON it is one object."""
    monkeypatch.chdir(tmp_path)
    assert main(["campaign", "run", "--plan-only"]) == 0
    text = capsys.readouterr().out
    assert "launches" in text and " x ~" in text and "per look" in text and "continuous-batching" in text
    assert main(["campaign", "run", "--plan-only", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["schema"] == "countersign.plan/1" and plan["launches_at_most"] >= plan["launches"] > 0
    assert list(tmp_path.iterdir()) == []


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """Says something without an installed distribution too."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("countersign ")


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As shells expect it."""

    def stop(**_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", stop)
    assert main([]) == 130
    assert "error CS008: interrupted" in capsys.readouterr().err


def test_a_bug_of_ours_shows_its_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And is called internal."""

    def broken(**_: object) -> int:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(cli, "main", broken)
    assert main([]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err and "error CS000: internal error: ZeroDivisionError" in err
