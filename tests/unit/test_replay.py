"""Blind replay without a judge: finding runs, what is covered in them, the worker's answers, and the state file."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from audit import audit_path, canonical_json, worker
from workflow.cli import main
from workflow.errors import UsageError
from workflow.replaying.cage import Cage, covered, hidden
from workflow.replaying.finding import find
from workflow.replaying.state import State, auditor, key
from workflow.sandbox import Job, Sandbox

ROOT = Path(__file__).resolve().parents[2]
SMALL = ROOT / "raw_runs" / "geak292-noisy-baseline"
CAGED = Cage(Sandbox("bubblewrap", ""))
Capture = pytest.CaptureFixture[str]
VERDICTS = [{"verdict": "PASS", "reasons": ["it holds"]}]


def run(place: Path) -> Path:
    """A directory with nothing but a request."""
    place.mkdir(parents=True)
    (place / "audit_request.json").write_text("{}")
    return place


# ---- finding


def test_a_folder_of_runs_gives_its_runs_in_the_order_of_their_names(tmp_path: Path) -> None:
    """And says of everything else that is a folder why it was passed over; files are no news."""
    for name in ("b", "a", "-x", "c d"):
        run(tmp_path / name)
    (tmp_path / "ab" / "ref").mkdir(parents=True)
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "bench_runs.jsonl").write_text("")
    (tmp_path / "pair" / "fa3_ref").mkdir(parents=True)
    (tmp_path / "pair" / "fa3_cand").mkdir()
    (tmp_path / "notes").mkdir()
    run(tmp_path / ".old")
    (tmp_path / "again").symlink_to(tmp_path / "a")
    (tmp_path / "README.md").write_text("")
    found = find([tmp_path])
    assert [item.name for item in found.runs] == ["-x", "a", "ab", "b", "c d", "pair", "rows"]
    assert dict(found.skipped) == {
        ".old": "hidden",
        "again": "a link: name it on the command line if it is meant",
        "notes": "no audit_request.json, and no legs by their usual names",
    }


def test_a_run_is_itself_and_a_folder_named_like_a_leg_may_be_one(tmp_path: Path) -> None:
    """A run called ``base`` does not make its parent a run."""
    base = run(tmp_path / "base")
    assert [(item.name, item.path) for item in find([base]).runs] == [("base", base)]
    assert [item.name for item in find([tmp_path]).runs] == ["base"]


def test_names_that_collide_get_longer_and_nothing_is_listed_twice(tmp_path: Path) -> None:
    """Two folders with a run of one name each: the folder's name goes before it; the same run given twice is one run."""
    one, two = run(tmp_path / "mon" / "c01"), run(tmp_path / "tue" / "c01")
    assert [item.name for item in find([tmp_path / "tue", tmp_path / "mon"]).runs] == ["mon/c01", "tue/c01"]
    assert [item.name for item in find([one, two]).runs] == ["c01", "c01 (2)"]
    assert [item.path for item in find([one, tmp_path / "mon"]).runs] in ([one], [tmp_path / "mon" / "c01"])


@pytest.mark.parametrize("words", [["gone"], ["empty"], ["file"], []])
def test_nothing_to_replay_is_wrong_usage(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A path that is not there, a folder without runs, a file, no path: exit code 2, one line, a next step."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    assert main(["replay", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "error CS001" in err and "\nnext: " in err


# ---- what a judge is shown


def test_what_carries_answers_is_covered(tmp_path: Path) -> None:
    """Verdicts and their tellings at any depth, a campaign's report at the top; a link by what it leads to inside the run."""
    place = run(tmp_path / "r")
    (place / "deep" / "er").mkdir(parents=True)
    for name in (
        "verdicts.json",
        "report.md",
        "RECONSTRUCTION.md",
        "bench_runs.jsonl",
        "deep/er/verdicts.json",
        "deep/report.json",
    ):
        (place / name).write_text("x")
    (tmp_path / "outside").write_text("x")
    (place / "told.txt").write_text("x")
    (place / "RECORDING.md").symlink_to("told.txt")
    (place / "report.html").symlink_to(tmp_path / "outside")
    (place / "report.json").symlink_to("nowhere")
    (place / "deep" / "RECORDING.md").mkdir()
    expected = ["RECONSTRUCTION.md", "deep/er/verdicts.json", "report.md", "told.txt", "verdicts.json"]
    assert sorted(covered(place.resolve())) == expected


def test_runs_are_shown_by_number_and_a_missing_one_is_left_out(tmp_path: Path) -> None:
    """No name that a run had outside is the name of its place inside; bubblewrap would refuse a place that is not there."""
    names = [run(tmp_path / "ok\n-- --bind"), tmp_path / "gone", run(tmp_path / "zwei")]
    placed = CAGED.job(names).placed
    assert placed["/runs/00000"] == names[0] and placed["/runs/00002"] == names[2] and "/runs/00001" not in placed
    assert [CAGED.place(number, each) for number, each in enumerate(names)] == ["/runs/00000", "/runs/00001", "/runs/00002"]


def test_our_other_packages_are_hidden_where_they_are(tmp_path: Path) -> None:
    """Beside the auditor, whether that is a source tree or site-packages."""
    for name in ("proof", "audit", "tests"):
        (tmp_path / name).mkdir()
    found = hidden(tmp_path)
    assert {tmp_path / "proof", tmp_path / "tests"} <= set(found) and tmp_path / "audit" not in found
    assert ROOT / "proof" in hidden(ROOT)


def test_a_long_job_is_handed_over_in_a_file(tmp_path: Path) -> None:
    """Bubblewrap's arguments leave the argv, whole and in order; the program's own stay."""
    job = Job(["/bin/prog", "--", "x"], {"A": "b"}, placed={"/runs/00000": tmp_path / "a b\n\udcff"})
    whole = CAGED.sandbox.command(job)
    argv, packed = CAGED.sandbox.packed(job, 7)
    assert argv == ["bwrap", "--args", "7", "--", "/bin/prog", "--", "x"]
    assert [os.fsdecode(item) for item in packed.split(b"\0")[:-1]] == whole[1:-4]
    assert Sandbox("none", "").packed(job, 7) == (["/bin/prog", "--", "x"], b"")


# ---- the worker


def test_a_worker_answers_what_an_audit_says(tmp_path: Path) -> None:
    """Line for line, in the order asked, the verdicts canonical; what a policy asks for is heard."""
    small = str(SMALL)
    asked: list[object] = [
        {"id": 1, "path": small}, {"id": "b", "path": small, "policy": "strict"}, {"id": 3, "path": str(tmp_path / "no")},
        "what?", {"id": 5}, {"id": 6, "path": 7}, {"id": 7, "path": small, "policy": "no\nsuch"}, {"id": 8, "path": "a\0b"},
    ]  # fmt: skip
    answers = io.BytesIO()
    worker.serve(io.BytesIO(b"\n".join([*(json.dumps(item).encode() for item in asked), b"{torn", b"[" * 100000])), answers)
    lines = answers.getvalue().decode().splitlines()
    assert lines[0] == canonical_json({"id": 1, "verdicts": list(audit_path(SMALL))})
    assert lines[1] == canonical_json({"id": "b", "verdicts": list(audit_path(SMALL, "strict"))})
    said = [json.loads(line) for line in lines[2:]]
    assert [item["id"] for item in said] == [3, None, 5, 6, 7, 8, None, None]
    codes = [item["error"]["code"] for item in said]
    assert codes[:5] == ["run_missing", "question_invalid", "question_invalid", "question_invalid", "policy_invalid"]
    assert codes[6:] == ["question_invalid", "question_invalid"] and codes[5] in ("run_missing", "crash")
    assert "no\\x0asuch" in said[4]["error"]["message"]


def test_one_audit_that_crashes_does_not_end_the_worker(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Its answer is an error of one clean line, its traceback is on stderr."""

    def crashing(path: Path, policy: str | None) -> object:
        if path == SMALL:
            raise ZeroDivisionError("a\x1b[31m")
        return audit_path(path, policy)

    monkeypatch.setattr(worker, "audit_path", crashing)
    said = json.loads(worker.answer(json.dumps({"id": 1, "path": str(SMALL)}).encode()))
    assert said["error"]["code"] == "crash" and said["error"]["message"] == "the audit crashed: ZeroDivisionError: a\\x1b[31m"
    assert "Traceback" in capsys.readouterr().err
    other = ROOT / "raw_runs" / "geak292-crashed-kernel"
    assert "verdicts" in json.loads(worker.answer(json.dumps({"id": 2, "path": str(other)}).encode()))


# ---- the state


def test_the_state_keeps_what_was_put(tmp_path: Path) -> None:
    """Over processes, and a torn last line is cut off: what comes next stands on a line of its own."""
    path = tmp_path / "state"
    with State(path) as state:
        assert state.get("k1") is None
        state.put("k1", "judge", VERDICTS)
        state.put("k2", "judge", [])
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with State(path) as state:
        assert state.get("k1") == VERDICTS and state.get("k2") is None
        state.put("k2", "judge", [])
    assert path.read_bytes() == whole


def test_an_edited_line_is_not_believed(tmp_path: Path) -> None:
    """Each line vouches for itself; the others are believed all the same."""
    path = tmp_path / "state"
    with State(path) as state:
        state.put("k1", "judge", VERDICTS)
        state.put("k2", "judge", VERDICTS)
    first, second = path.read_bytes().splitlines()
    path.write_bytes(first.replace(b"PASS", b"FAIL") + b"\n" + second + b"\n[]\nnull\n\xff\n")
    with State(path) as state:
        assert state.get("k1") is None and state.get("k2") == VERDICTS


@pytest.mark.parametrize("make", ["text", "folder", "pipe", "nowhere"])
def test_a_state_that_is_something_else_is_left_alone(make: str, tmp_path: Path) -> None:
    """A file of somebody's, a folder, a pipe, a place that does not exist: refused, and not a byte changed."""
    path = tmp_path / "it"
    makers: dict[str, Callable[[], object]] = {
        "text": lambda: path.write_text("my notes\nwithout end"),
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "nowhere": lambda: None,
    }
    makers[make]()
    with pytest.raises(UsageError):
        State(path if make != "nowhere" else path / "deeper")
    assert make != "text" or path.read_text() == "my notes\nwithout end"


def test_two_replays_do_not_write_one_state(tmp_path: Path) -> None:
    """The second is refused while the first has it."""
    with State(tmp_path / "state"), pytest.raises(UsageError, match="another replay"):
        State(tmp_path / "state")
    State(tmp_path / "state").__exit__(None, None, None)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a row": lambda run: (run / "baseline" / "bench_runs.jsonl").open("a").write("\n"),
    "a name": lambda run: (run / "baseline" / "bench_runs.jsonl").rename(run / "baseline" / "rows.jsonl"),
    "a file more": lambda run: (run / "baseline" / "server.log").write_text(""),
    "a folder more": lambda run: (run / "ref").mkdir(),
    "a link": lambda run: (run / "ref").symlink_to("baseline"),
    "the request": lambda run: (run / "audit_request.json").write_text('{"scope": "baseline", "eval_dir": "baseline"}'),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_whatever_is_changed_in_a_run_it_is_another_run(change: str, tmp_path: Path) -> None:
    """Rows, names, empty folders, links, the request; a copy elsewhere is the same run."""
    shutil.copytree(SMALL, tmp_path / "r")
    before = key(SMALL, CAGED, "judge")
    assert key(tmp_path / "r", CAGED, "judge") == before
    CHANGES[change](tmp_path / "r")
    assert key(tmp_path / "r", CAGED, "judge") != before


def test_what_else_a_stored_verdict_rests_on(tmp_path: Path) -> None:
    """Auditor, policy and its content, blindness; not what the judge cannot see."""
    shutil.copytree(SMALL, tmp_path / "r")
    policy = tmp_path / "house.json"
    policy.write_text("{}")
    house = Cage(CAGED.sandbox, str(policy))
    keys = [key(tmp_path / "r", cage, judge) for cage, judge in [
        (CAGED, "a"), (CAGED, "b"), (Cage(CAGED.sandbox, "strict"), "a"), (house, "a"), (Cage(Sandbox("none", "")), "a"),
    ]]  # fmt: skip
    policy.write_text('{"strict": true}')
    keys.append(key(tmp_path / "r", house, "a"))
    assert len(set(keys)) == len(keys)
    (tmp_path / "r" / "RECONSTRUCTION.md").write_text("another telling")
    assert key(tmp_path / "r", CAGED, "a") == keys[0]


def test_an_edited_auditor_is_another_auditor(tmp_path: Path) -> None:
    """One line of one file of it."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "audit", tmp_path / "audit", ignore=ignored)
    assert auditor(tmp_path) == auditor(ROOT)
    with (tmp_path / "audit" / "verdict.py").open("a") as stream:
        stream.write("#\n")
    assert auditor(tmp_path) != auditor(ROOT)


def test_a_policy_that_is_none_is_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Whether it is missing or says nonsense; the words name the file as it was given."""
    monkeypatch.chdir(tmp_path)
    run(tmp_path / "r")
    (tmp_path / "bad.json").write_text('{"baseline": {"spread_x": "much"}}')
    for name, said in (("gone.json", "gone.json: cannot be read"), ("bad.json", "bad.json: ")):
        assert main(["replay", "r", "--policy", name]) == 2
        out, err = capsys.readouterr()
        assert out == "" and f"error CS001: {said}" in err and "/judge/" not in err


def test_without_bubblewrap_it_replays_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Plain child processes, ``blind`` false, and a word on stderr that cannot be overlooked; the verdicts are the same."""
    from workflow import replay

    replay.sandbox.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    try:
        assert not replay.is_blind()
        assert main(["replay", str(SMALL), "--format", "json"]) == 0
    finally:
        replay.sandbox.cache_clear()
    out, err = capsys.readouterr()
    page = json.loads(out)
    assert page["blind"] is False and "NOT BLIND" in err and sys.executable not in out
    assert canonical_json(page["runs"][0]["verdicts"]) == canonical_json(list(audit_path(SMALL)))
