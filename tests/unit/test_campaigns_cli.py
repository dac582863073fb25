"""``countersign campaign list | show | tail``: what campaigns left behind, whoever wrote it, and what they write just now."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.campaigns import services, small_config
from tests.support.children import heeds_ctrl_c
from tests.support.simulated import FakeClock
from workflow.campaign import run
from workflow.cli import main
from workflow.events import LONGEST, Reader, Tail, told
from workflow.ledger import Ledger
from workflow.owner import owned

HOSTILE = "\x1b[2J\x1b]0;owned\x07 \u202e <b>"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished campaign of two levers with an auditor, over simulated servers."""
    return run(small_config(use_auditor=True), services(), tmp_path_factory.mktemp("runs"), "monday").run_dir


def begun(root: Path, name: str, at: float = 1_800_000_000.0) -> Path:
    """A campaign that got as far as its first ledger line."""
    run_dir = root / name
    (run_dir / ".state").mkdir(parents=True)
    config = small_config().model_dump(mode="json")
    record = {"schema": "countersign.campaign/1", "campaign_id": name, "created_unix": at, "config": config}
    (run_dir / "campaign.json").write_text(json.dumps(record))
    ledger_of(run_dir).append("campaign_created", "campaign", {"campaign_id": name})
    return run_dir


def ledger_of(run_dir: Path) -> Ledger:
    return Ledger(run_dir / "ledger.jsonl", FakeClock(tick=1.0))


def changed(path: Path, change: Callable[[Any], None]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


# ---- list


def test_the_list_is_newest_first_and_tells_how_each_stands(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Finished, running, interrupted; runs/ by default; other folders are passed over."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, "runs/monday")
    begun(Path("runs"), "sunday", 1_700_000_000.0)
    tuesday = begun(Path("runs"), "tuesday", 1_900_000_000.0)
    Path("runs/notes").mkdir()
    with owned(tuesday):
        assert main(["campaign", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["directory", "runs/tuesday", "runs/monday", "runs/sunday"]
    assert [line.split()[3] for line in lines[1:]] == ["running", "finished", "interrupted"]
    assert "c01-continuous-batching" in lines[2] and "2027-01-15" in lines[2] and lines[3].endswith("UNAUDITED")


def test_the_list_as_json(finished: Path, capsys: Capture) -> None:
    """A campaign may be named itself."""
    assert main(["campaign", "list", str(finished), "--json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert page["schema"] == "countersign.campaign_list/1"
    (listed,) = page["campaigns"]
    assert (listed["campaign_id"], listed["state"], listed["audited"]) == ("monday", "finished", True)
    assert listed["sealed"] == listed["planned"] > 0 and set(listed["verdicts"]) >= {"baseline", "final"}


def test_what_cannot_be_read_is_named_and_the_rest_is_listed(tmp_path: Path, capsys: Capture) -> None:
    """Half a record, an edited ledger, a line of another form, a time beyond every calendar."""
    begun(tmp_path, "whole")
    (begun(tmp_path, "half") / "campaign.json").write_text('{"schema": "countersign.campaign/1", ')
    (begun(tmp_path, "cut") / "ledger.jsonl").write_bytes(b"\xff\xfe\n")
    ledger_of(begun(tmp_path, "other")).append("plan", "plan/x", {"dir": "x"})
    changed(begun(tmp_path, "late") / "campaign.json", lambda record: record.update(created_unix=1e300))
    assert main(["campaign", "list", str(tmp_path)]) == 5
    out = capsys.readouterr().out
    assert out.count("  damaged  ") == 4 and out.count("\ndamaged: ") == 4 and "interrupted" in out.splitlines()[1]
    assert main(["campaign", "list", str(tmp_path), "--json"]) == 5
    assert sum(item["problem"] is not None for item in json.loads(capsys.readouterr().out)["campaigns"]) == 4


def test_an_empty_folder_and_none(tmp_path: Path, capsys: Capture) -> None:
    """Nothing is an answer; no directory is a mistake."""
    assert main(["campaign", "list", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("no campaigns in ")
    assert main(["campaign", "list", str(tmp_path / "gone")]) == 2
    assert "no such directory" in capsys.readouterr().err


# ---- show


def test_show_tells_the_whole_story(finished: Path, capsys: Capture) -> None:
    """Plans, verdicts with reasons, banks, drops, where the reports are, what to do next."""
    assert main(["campaign", "show", str(finished)]) == 0
    out = capsys.readouterr().out
    for words in (
        "phase     finished",
        "an auditor signs every bank",
        "baseline/set_1",
        "3 of 3",
        "\nverdicts:\n  baseline: ",
        "\n    - ",
        "\nbanked:\n  c01-continuous-batching: continuous_batching=True, +2",
        "\ndropped:\n  c02-dtype-bfloat16: ",
        f"  {finished}/report.md",
        "\nnext      read ",
    ):
        assert words in out, words
    assert "PROBLEMS" not in out


def test_show_as_json(finished: Path, capsys: Capture) -> None:
    """What status says, and the rest."""
    assert main(["campaign", "show", str(finished), "--json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert page["schema"] == "countersign.campaign_shown/1" and page["status"]["schema"] == "countersign.status/1"
    assert [item["short_name"] for item in page["banked"]] == ["c01-continuous-batching"]
    assert page["banked"][0]["delta_pct"] > 100 and page["problems"] == []
    assert all(item["sealed"] == len(item["order"]) for item in page["plans"])
    judged = {item["short_name"]: item for item in page["verdicts"]}
    assert judged["c02-dtype-bfloat16"]["verdict"] == "FAIL" and judged["c02-dtype-bfloat16"]["reasons"]


def test_show_names_what_contradicts_the_ledger(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    """An edited verdict, and rows that are gone: told beside what can be read."""
    edited = tmp_path / "edited"
    shutil.copytree(finished, edited)
    changed(edited / "verdicts.json", lambda verdicts: verdicts[0].update(verdict="PASS", note="better"))
    (edited / "config/c01-continuous-batching/ref/launch_000/bench_runs.jsonl").unlink()
    assert main(["campaign", "show", str(edited)]) == 5
    out = capsys.readouterr().out
    assert "PROBLEMS:\n  verdicts.json does not hold the verdict on 'baseline'" in out and "  no gains: " in out
    assert "banked:\n  c01-continuous-batching: continuous_batching=True\n" in out


def test_show_without_verdicts_says_where_the_reasons_are(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    """As recorded runs are kept."""
    shutil.copytree(finished, tmp_path / "raw")
    (tmp_path / "raw/verdicts.json").unlink()
    assert main(["campaign", "show", str(tmp_path / "raw")]) == 0
    assert "no verdicts.json here: `countersign audit` prints the reasons" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["show", "status", "tail"])
def test_no_campaign_and_damaged_ones_in_words(command: str, tmp_path: Path, capsys: Capture) -> None:
    """Exit 2 and 5, one error with a next step, no traceback."""
    (begun(tmp_path, "half") / "campaign.json").write_text("[]")
    for name, code in (("gone", 2), ("half", 5)):
        assert main(["campaign", command, str(tmp_path / name)]) == code
        err = capsys.readouterr().err
        assert err.startswith("error CS") and "\nnext: " in err and "Traceback" not in err


@pytest.mark.parametrize("command", ["show", "status"])
def test_records_of_another_form_in_words(command: str, tmp_path: Path, capsys: Capture) -> None:
    """A ledger whose chain holds and whose bodies are somebody else's."""
    ledger_of(begun(tmp_path, "other")).append("bank", "bank/x", {"name": "x"})
    assert main(["campaign", command, str(tmp_path / "other")]) == 5
    assert "holds a record of another form (KeyError: 'short_name')" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["list"], ["show"], ["status"], ["tail"]], ids=" ".join)
def test_nothing_in_a_file_drives_the_terminal(words: list[str], tmp_path: Path, capsys: Capture) -> None:
    """Reasons, names and directories with control characters; lone surrogates, too."""
    run_dir = begun(tmp_path, f"a{HOSTILE.replace('/', '')}")
    ledger = ledger_of(run_dir)
    ledger.append("drop", "drop/x", {"short_name": HOSTILE, "digest": "0", "reason": f"slow{HOSTILE}", "refuted": True})
    with (run_dir / "log.jsonl").open("a") as log:
        log.write(json.dumps({"event": HOSTILE, "at_unix": 1.0, "why": "\ud800"}) + "\n\x1b[31mnot JSON\n")
    for extra in ([], ["--json"]):
        assert main(["campaign", words[0], str(run_dir), *extra]) == 0
        out, err = capsys.readouterr()
        assert all(char == "\n" or char.isprintable() for char in out + err), ascii(out + err)


# ---- tail


def test_tail_prints_the_last_events(finished: Path, capsys: Capture) -> None:
    """In the order of their times, ledger and log together; then what came of it."""
    assert main(["campaign", "tail", str(finished), "-n", "1000"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines == sorted(lines, key=lambda line: line[:19]) and "campaign monday begins" in out
    for words in (
        "sealed baseline/set_1/launch_000 (complete)",
        "step baseline",
        "BANKED, median",
        "dropped, FAIL",
        "finished; ",
    ):
        assert words in out, words
    assert err == f"finished; next: countersign campaign show {finished}\n"
    assert main(["campaign", "tail", str(finished), "-n", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == lines[-2:]
    assert main(["campaign", "tail", str(finished), "--lines", "0"]) == 0
    assert capsys.readouterr().out == ""


def test_tail_as_json_holds_every_line_of_both_files(finished: Path, capsys: Capture) -> None:
    """One object a line."""
    assert main(["campaign", "tail", str(finished), "--json", "-n", "9999"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {event["schema"] for event in events} == {"countersign.event/1"}
    for source, name in (("ledger", "ledger.jsonl"), ("log", "log.jsonl")):
        records = [json.loads(line) for line in (finished / name).read_text().splitlines()]
        assert [event["record"] for event in events if event["source"] == source] == records


def test_every_event_that_a_campaign_writes_is_told_in_words(finished: Path) -> None:
    """No line of a real run falls through to the raw form."""
    for event in Tail(finished).read():
        said = told(event)
        assert said is None or not said.startswith(f"{event.kind}:") or event.kind == "campaign", said


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    """What is being written is no damage; what was written is."""
    path = tmp_path / "log.jsonl"
    reader = Reader(path, "log")
    assert reader.read() == []
    path.write_text('{"event": "a", "at_unix": 1}\n{"event": "b", ')
    assert [event.kind for event in reader.read()] == ["a"] and reader.unfinished
    with path.open("a") as log:
        log.write(
            '"at_unix": 2}\n{"event": 3, "at_unix": 3}\n[]\n{"event": "x", "at_unix": "now"}\n{"event": "e", "at_unix": 1e99}\n'
        )
        log.write('{"event": "n", "at_unix": 5, "rate": NaN}\n' + "[" * 100_000 + "\n")
    found = reader.read()
    assert [event.kind for event in found] == ["b"] + ["damaged"] * 6
    assert found[1].problem == 'log.jsonl:3: not a line of a log: \'{"event": 3, "at_unix": 3}\'' and not reader.unfinished


def test_a_file_that_shrinks_and_a_line_without_end(tmp_path: Path) -> None:
    """Both are told, and reading goes on."""
    path = tmp_path / "ledger.jsonl"
    reader = Reader(path, "ledger")
    path.write_bytes(b"x" * (LONGEST + 1))
    assert "passed over" in reader.read()[0].problem
    path.write_text("short\n")
    assert "became shorter" in reader.read()[0].problem
    with path.open("a") as ledger:
        ledger.write('{"kind": "finished", "at_unix": 1, "body": {"banked": [], "dropped": []}}\n')
    assert [told(event) for event in reader.read()] == ["finished; banked: nothing; dropped: nothing"]


def test_follow_ends_with_the_campaign(tmp_path: Path, capsys: Capture) -> None:
    """Events come while another one writes them; the end of the ledger is the end."""
    run_dir = begun(tmp_path, "now")
    ledger, held = ledger_of(run_dir), threading.Event()

    def work() -> None:
        with owned(run_dir):
            held.set()
            for number in range(3):
                time.sleep(0.2)
                ledger.append("sealed", f"sealed/{number}", {"launch_id": f"launch_{number}", "status": "complete"})
            ledger.append("finished", "finished", {"banked": [], "dropped": []})

    worker = threading.Thread(target=work)
    worker.start()
    held.wait(5)
    assert main(["campaign", "tail", str(run_dir), "--follow", "-n", "0"]) == 0
    worker.join()
    out, err = capsys.readouterr()
    assert [line.split("  ")[1].split(" (")[0] for line in out.splitlines()] == [
        "sealed launch_0",
        "sealed launch_1",
        "sealed launch_2",
        "finished; banked: nothing; dropped: nothing",
    ]
    assert err.startswith("finished; next: ")


def test_follow_ends_when_nobody_runs_it(tmp_path: Path, capsys: Capture) -> None:
    """A campaign that was killed does not keep anyone waiting."""
    run_dir = begun(tmp_path, "killed")
    assert main(["campaign", "tail", str(run_dir), "--follow"]) == 0
    out, err = capsys.readouterr()
    assert "campaign killed begins" in out and err == f"nobody runs it now; next: countersign campaign resume {run_dir}\n"


def test_ctrl_c_ends_following_with_130(tmp_path: Path) -> None:
    """While the campaign goes on, undisturbed."""
    run_dir = begun(tmp_path, "now")
    words = [sys.executable, "-m", "workflow", "campaign", "tail", str(run_dir), "--follow"]
    with owned(run_dir):
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        tail = subprocess.Popen(words, preexec_fn=heeds_ctrl_c, **pipes)  # noqa: PLW1509
        assert tail.stdout is not None
        assert "campaign now begins" in tail.stdout.readline()
        tail.send_signal(signal.SIGINT)
        _, err = tail.communicate(timeout=30)
    assert tail.returncode == 130 and "error CS008: interrupted" in err and "Traceback" not in err
