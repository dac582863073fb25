"""``countersign examples``: every verdict that is promised comes, copies are whole, and a wheel has them all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from audit import audit_path, exit_code
from workflow.cli import main
from workflow.examples import EXAMPLES, Example, copy, size

ROOT = Path(__file__).resolve().parents[2]
NAMES = [item.name for item in EXAMPLES]
Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("item", EXAMPLES, ids=NAMES)
def test_an_example_gets_the_verdicts_that_are_promised(item: Example, tmp_path: Path) -> None:
    """Each request of a copy with its scope, verdict and action, and the exit code of the whole."""
    copied = copy(item, tmp_path / "try")
    found = audit_path(tmp_path / "try")
    assert [(v.short_name, v.audit_scope, v.verdict, v.action) for v in found] == [tuple(asked) for asked in item.expect]
    assert exit_code(found) == item.exit_code
    there = [path for path in (tmp_path / "try").rglob("*") if path.is_file()]
    assert copied == size(item) == (len(there), sum(path.stat().st_size for path in there))
    assert [path.name for path in tmp_path.iterdir()] == ["try"]


def test_there_is_one_of_each() -> None:
    """A whole run that passes, one that is flagged, one that fails; names are unique."""
    assert {item.exit_code for item in EXAMPLES} == {0, 3, 4} and len(set(NAMES)) == len(NAMES)


def test_the_list_and_one_of_it(capsys: Capture) -> None:
    """Every name with its verdicts, and the command to type next; JSON beside text."""
    assert main(["examples"]) == 0
    text = capsys.readouterr().out
    assert all(f"{name}: " in text and f"countersign examples {name} try && countersign audit try" in text for name in NAMES)
    assert "embedded-campaign: PASS, FLAG, FAIL, FLAG (exit code 3)" in text
    assert main(["examples", "--json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert page["schema"] == "countersign.examples/1" and [item["name"] for item in page["examples"]] == NAMES
    assert main(["examples", "embedded-baseline"]) == 0
    assert "embedded-campaign:" not in capsys.readouterr().out


def test_a_copy_says_what_to_expect_and_what_to_type(tmp_path: Path, capsys: Capture) -> None:
    """Parents are made; the command that is printed is the one that works, spaces and all."""
    target = tmp_path / "a b" / "try"
    assert main(["examples", "geak292-noisy-baseline", str(target)]) == 0
    out = capsys.readouterr().out
    assert "expect: FLAG (exit code 4)" in out and f"next: countersign audit '{target}'" in out
    assert main(["audit", str(target)]) == 4
    capsys.readouterr()
    assert main(["examples", "geak292-noisy-baseline", str(tmp_path / "two"), "--json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert page["schema"] == "countersign.example_copied/1" and page["directory"] == str(tmp_path / "two")


def test_what_is_there_is_left_alone(tmp_path: Path, capsys: Capture) -> None:
    """A directory, even an empty one, a file, a link to nowhere: refused; so is a name that is no example."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("empty", "file", "link"):
        assert main(["examples", "geak292-noisy-baseline", str(tmp_path / name)]) == 2
        assert "exists already, nothing was copied" in capsys.readouterr().err
    assert main(["examples", "nope"]) == 2
    err = capsys.readouterr().err
    assert "no example 'nope'" in err and "embedded-baseline" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "link"]


def test_a_directory_that_cannot_be_written(tmp_path: Path, capsys: Capture) -> None:
    """One clear error, nothing left behind."""
    (tmp_path / "file").write_text("mine")
    assert main(["examples", "geak292-noisy-baseline", str(tmp_path / "file" / "try")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_wheel_holds_every_example_as_files(tmp_path: Path) -> None:
    """Built from a copy of the tree, without a network: files where the tree has links, and they are found there."""
    tree, out = tmp_path / "tree", tmp_path / "wheel"
    for name in ("workflow", "agents", "audit", "proof", "raw_runs", "skills"):
        shutil.copytree(
            ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "model.safetensors")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE", "constraints.txt"):
        shutil.copyfile(ROOT / name, tree / name)
    out.mkdir()
    code = f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=tree, check=True, capture_output=True)
    with zipfile.ZipFile(next(out.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")
    shutil.rmtree(tree)
    code = (
        "import json, workflow.examples as e; from workflow.doctoring.software import pins;"
        "print(json.dumps([e.__file__, len(pins()), *(e.size(i) for i in e.EXAMPLES)]))"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "site", check=True, capture_output=True, text=True)
    where, pinned, *sizes = json.loads(said.stdout)
    assert pinned > 20 and Path(where).is_relative_to(tmp_path / "site")
    assert [tuple(item) for item in sizes] == [size(item) for item in EXAMPLES]
