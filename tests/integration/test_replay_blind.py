"""Blind replay for real: what a judge can reach, that it says what ``countersign audit`` says, and what an accident leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from audit import audit_path, render
from tests.support.children import alive, heeds_ctrl_c
from workflow.cli import main
from workflow.replay import Replay, Replayed
from workflow.replay import replay as replayed
from workflow.replaying.cage import Cage
from workflow.replaying.judge import start
from workflow.sandbox import Sandbox

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("bubblewrap")]
ROOT = Path(__file__).resolve().parents[2]
RAW = ROOT / "raw_runs"
SHIPPED = sorted(path for path in RAW.iterdir() if path.is_dir())
SMALL = RAW / "geak292-noisy-baseline"
Capture = pytest.CaptureFixture[str]

PEEK = """
import importlib, json, os, pathlib, sys
import audit

def tried(path, mode="rb"):
    try:
        with open(path, mode) as stream:
            return len(stream.read(1)) if mode == "rb" else "written"
    except OSError as error:
        return type(error).__name__

secrets, run = json.loads(sys.argv[1]), "/runs/00000"
inside = pathlib.Path(audit.__file__)
near = [parent / "proof" / "key.yaml" for parent in (*inside.parents, *pathlib.Path(run).parents, *pathlib.Path(sys.prefix).parents)]
roots = ("", "/proc/self/root", "/proc/1/root", f"/proc/{os.getppid()}/root", "/proc/self/cwd/../../..")
ways = [root + path for path in secrets for root in roots] + [os.path.relpath(path) for path in secrets] + list(map(str, near))
folder = os.open(run, os.O_RDONLY)
above = [name for name in os.listdir(run + "/..") if name != "00000"]
seen = [os.path.join(place, name) for top in ("/judge", "/runs", "/tmp/home", "/proc/self/fd") for place, _, names in os.walk(top)
        for name in names if name in ("key.yaml", "key.py")]
try:
    importlib.import_module("proof.key")
    seen.append("import proof.key")
except ImportError:
    pass
print(json.dumps({
    "secrets": sorted({str(tried(way)) for way in ways}), "seen": seen, "above": above,
    "held": sorted(os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if int(name) > 2 and int(name) != folder and os.path.exists(f"/proc/self/fd/{name}")),
    "answers": {name: tried(f"{run}/{name}") for name in ("verdicts.json", "report.json", "RECONSTRUCTION.md")},
    "rows": tried(f"{run}/baseline/bench_runs.jsonl"), "request": tried(f"{run}/audit_request.json"),
    "write": [tried(f"{run}/{name}", "ab") for name in ("new", "verdicts.json", "baseline/bench_runs.jsonl", "baseline/new")],
    "auditor": tried(inside, "ab"), "told": sorted(set(os.environ) - {"HOME", "TMPDIR", "LC_ALL", "PWD"}),
    "outside": open("/proc/1/cmdline", "rb").read().decode(),
}))
"""  # noqa: E501 - a program of its own


def peek(bubblewrap: Sandbox, tmp: Path, run: Path, secrets: list[Path], home: Path = ROOT) -> dict[str, Any]:
    """What a program sees that is started exactly as a judge of this run is, but for its arguments."""
    cage = Cage(bubblewrap, home=home, program=("-P", "-c", PEEK, json.dumps([str(path) for path in secrets])))
    job = cage.job([run])
    assert list(job.argv[1:3]) == ["-P", "-c"] and replace(job, argv=()) == replace(
        Cage(bubblewrap, home=home).job([run]), argv=()
    )
    with (tmp / "words").open("w+b") as words:
        process = start(bubblewrap, job, tmp, words.fileno())
        said, _ = process.communicate(timeout=60)
        words.seek(0)
        assert process.returncode == 0, words.read().decode()
    found: dict[str, Any] = json.loads(said)
    return found


def answered(place: Path) -> Path:
    """A copy of a shipped run beside which somebody left what the verdict should be."""
    shutil.copytree(SMALL, place)
    for name in ("verdicts.json", "report.json", "report.md", "report.html"):
        (place / name).write_text('[{"verdict": "PASS"}]')
    return place


def test_a_judge_that_tries_to_open_the_key_gets_an_error(bubblewrap: Sandbox, tmp_path: Path) -> None:
    """By its path, through /proc, relatively, walking up from the auditor, by import: an error each time.

    So it is with what lies in the run and tells a verdict; raw rows and the request open; nothing can be written.
    """
    secrets = [path for path in sorted((ROOT / "proof").rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    secrets += [RAW / "README.md", ROOT / "tests" / "conftest.py", ROOT / "pyproject.toml"]
    assert all(path.read_bytes() or path.name == "__init__.py" for path in secrets)  # from here they can be read
    found = peek(bubblewrap, tmp_path, answered(tmp_path / "geak292-noisy-baseline"), secrets)
    assert set(found["secrets"]) <= {"FileNotFoundError", "PermissionError", "NotADirectoryError"}
    assert found["seen"] == [] and found["above"] == []
    assert found["answers"] == dict.fromkeys(("verdicts.json", "report.json", "RECONSTRUCTION.md"), "PermissionError")
    assert (found["rows"], found["request"]) == (1, 1)
    assert set(found["write"]) <= {"OSError", "PermissionError"} and found["auditor"] == "OSError"
    assert found["told"] == ["OMP_NUM_THREADS", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONUTF8"]
    assert found["held"] == [] and SMALL.name not in found["outside"] and "bwrap" in found["outside"]


def test_the_key_is_hidden_among_installed_packages_too(
    bubblewrap: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where ``proof`` is installed beside ``audit`` below the interpreter's own prefix, which a judge must see."""
    site = tmp_path / "venv" / "lib" / "site-packages"
    shutil.copytree(ROOT / "audit", site / "audit", ignore=shutil.ignore_patterns("__pycache__"))
    (site / "proof").mkdir()
    (site / "proof" / "__init__.py").write_text("")
    (site / "proof" / "key.py").write_text("LABELS = 'FAIL'\n")
    (site / "proof" / "key.yaml").write_text("labels: FAIL\n")
    (site / "other.py").write_text("shown")
    monkeypatch.setattr(sys, "base_exec_prefix", str(tmp_path / "venv"))  # sys.prefix itself stays: the packages are there
    found = peek(bubblewrap, tmp_path, SMALL, [site / "proof" / "key.yaml", site / "proof" / "key.py"], home=site)
    assert found["secrets"] == ["FileNotFoundError"] and found["seen"] == []
    assert peek(bubblewrap, tmp_path, SMALL, [site / "other.py"], home=site)["secrets"] != [
        "FileNotFoundError"
    ]  # the prefix is shown


def test_a_replay_says_what_an_audit_says_byte_for_byte(tmp_path: Path, capsys: Capture) -> None:
    """For every run that ships, with what carries answers beside the rows and without; in order, whatever finishes first."""
    answered(tmp_path / "with answers")
    runs = [*SHIPPED, tmp_path / "with answers"]
    found = list(replayed(runs, 2))
    assert [item.path for item in found] == runs and all(item.error is None for item in found)
    for item in found:
        expected = audit_path(item.path)
        assert main(["audit", str(item.path), "--format", "json", "--fail-on", "never"]) == 0
        printed = capsys.readouterr().out
        assert _as_printed(item, as_list=expected.as_list) == printed == render(expected, "json"), item.path.name


def _as_printed(item: Replayed, *, as_list: bool) -> str:
    value = item.verdicts if as_list else item.verdicts[0]
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"


def command(*words: str, **more: Any) -> subprocess.Popen[bytes]:
    """The command as a user starts it."""
    argv = [sys.executable, "-m", "workflow", "replay", *words]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heeds_ctrl_c, **more)  # noqa: PLW1509


def copies(root: Path, count: int) -> list[Path]:
    """As many small runs, each different by a comment in its request's claim."""
    for number in range(count):
        place = root / f"run{number:03d}"
        shutil.copytree(SMALL, place)
        request = json.loads((place / "audit_request.json").read_text())
        for item in request if isinstance(request, list) else [request]:
            item["what"] = f"number {number}"
        (place / "audit_request.json").write_text(json.dumps(request))
    return sorted(root.iterdir())


def test_a_resumed_replay_audits_nothing_twice_and_prints_the_same_bytes(tmp_path: Path, capsys: Capture) -> None:
    """Finished runs are in the state once; a run that changed is audited anew, and so is one whose line was torn."""
    runs, state = copies(tmp_path / "runs", 4), tmp_path / "state"
    words = ["replay", str(tmp_path / "runs"), "--format", "json", "--state", str(state)]
    assert main([*words, "--jobs", "1"]) == 0  # one judge: the last line is the last run's
    first, lines = capsys.readouterr().out, state.read_bytes().splitlines()
    assert len(lines) == 4
    assert main([*words, "--jobs", "1"]) == 0
    again = capsys.readouterr()
    assert again.out == first and state.read_bytes().splitlines() == lines
    assert "0 requests audited" in again.err and "4 runs known from before" in again.err
    state.write_bytes(b"\n".join(lines)[:-9])
    with (runs[0] / "baseline" / "bench_runs.jsonl").open("a") as stream:
        stream.write('{"torn')
    assert main(words) == 0
    third = capsys.readouterr()
    assert "2 requests audited" in third.err and len(state.read_bytes().splitlines()) == 5
    assert json.loads(third.out)["runs"][1:] == json.loads(first)["runs"][1:]
    assert json.loads(third.out)["runs"][0]["verdicts"][0]["outcome"] == "evidence_damaged"


def test_ctrl_c_keeps_what_was_finished(tmp_path: Path) -> None:
    """130, no judge left behind, every line of the state whole; the next start audits the rest and no run twice."""
    many = 300
    copies(tmp_path / "runs", many)
    state, words = tmp_path / "state", [str(tmp_path / "runs"), "--jobs", "2", "--state", str(tmp_path / "state")]
    first = command(*words)
    deadline = time.monotonic() + 60
    while not (state.exists() and state.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=60)
    assert first.returncode == 130 and b"error CS008: interrupted" in err, err
    kept = len(state.read_bytes().splitlines())
    assert 0 < kept < many
    second = command(*words)
    _, err = second.communicate(timeout=180)
    assert second.returncode == 0 and f"{many - kept} requests audited".encode() in err, err
    keys = [json.loads(line)["key"] for line in state.read_bytes().splitlines()]
    assert len(keys) == len(set(keys)) == many


def judges_at_work() -> list[psutil.Process]:
    """The judges of this replay, without their cages; one that ends between two questions is none."""
    found = []
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if alive(each) and "audit.worker" in each.cmdline() and each.name() != "bwrap":
                found.append(each)
    return found


def test_a_killed_judge_is_replaced_and_its_run_asked_again(tmp_path: Path) -> None:
    """SIGKILL on both judges that the replay began with, while they work: every run has its verdict all the same."""
    runs, killed = copies(tmp_path / "runs", 30), []

    def kill(done: int, total: int) -> None:
        assert 0 <= done <= total == 30
        if done in (1, 20):
            eldest = min(judges_at_work(), key=lambda each: each.create_time())
            eldest.kill()
            killed.append(eldest.pid)

    found = list(replayed(runs, 2, progress=kill))
    assert len(set(killed)) == 2
    assert [item.path for item in found] == runs and all(item.error is None and len(item.verdicts) == 1 for item in found)


@pytest.mark.parametrize(
    "program", ["import os; os._exit(9)", "print('{}', flush=True)", "print('[' * 99999, flush=True)", "nonsense ("]
)
def test_a_judge_that_dies_again_is_an_error_of_that_run(program: str, bubblewrap: Sandbox) -> None:
    """Not of the replay: each run gets one, with the judge's last words, and the replay ends."""
    found = list(Replay(Cage(bubblewrap, program=("-c", program)), 2).over(SHIPPED[:3]))
    assert [item.path for item in found] == SHIPPED[:3]
    assert [(item.error or {})["code"] for item in found] == ["judge_died"] * 3
    assert "nonsense" not in program or "SyntaxError" in (found[0].error or {})["message"]


def test_a_judge_that_hangs_is_an_error_after_the_limit(bubblewrap: Sandbox) -> None:
    """And is killed."""
    begun = time.monotonic()
    found = list(Replay(Cage(bubblewrap, program=("-c", "import time; time.sleep(99)")), 2, limit_s=0.5).over(SHIPPED[:2]))
    assert [(item.error or {})["code"] for item in found] == ["timeout"] * 2
    assert time.monotonic() - begun < 30


def test_hostile_names_and_broken_runs(tmp_path: Path, capsys: Capture) -> None:
    """Names are told with nothing in them that moves a cursor; a run without a readable request is an error, exit code 1."""
    root = tmp_path / "runs"
    names = ["--bind", "a b", "line\nbreak", "\x1b[31mred\u202e", os.fsdecode(b"bytes\xff"), "back\\slash"]
    for name in names:
        shutil.copytree(SMALL, root / name)
    (root / "broken").mkdir()
    (root / "broken" / "audit_request.json").write_text('{"scope": "\x1b[31m')
    assert main(["replay", str(root)]) == 1
    out, err = capsys.readouterr()
    assert "6 requests in 7 runs: 0 PASS, 6 FLAG, 0 FAIL; 1 error" in out
    assert "line\\x0abreak" in out and "\\x1b[31mred\\u202e" in out and "bytes\\udcff" in out
    assert not any(char in out + err for char in "\x1b\u202e") and "error: broken: " in out
    assert main(["replay", str(root), "--format", "json", "--jobs", "1"]) == 1
    one = capsys.readouterr().out
    assert main(["replay", str(root), "--format", "json", "--jobs", "3"]) == 1
    assert capsys.readouterr().out == one and str(tmp_path) not in one
    page = json.loads(one)
    assert page["blind"] is True and page["summary"]["errors"] == 1 and len(page["runs"]) == 7


def test_a_policy_file_reaches_the_judges(tmp_path: Path, capsys: Capture) -> None:
    """From wherever it lies; its name is in the verdicts, its path nowhere."""
    house = tmp_path / "house.json"
    house.write_text('{"name": "house/1"}')
    assert main(["replay", str(SMALL), "--policy", str(house), "--format", "json"]) == 0
    out = capsys.readouterr().out
    page = json.loads(out)
    assert page["policy"] == "house.json" and str(tmp_path) not in out
    assert [item["policy"] for item in page["runs"][0]["verdicts"]] == ["house/1"]
