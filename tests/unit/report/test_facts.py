"""What is in report.json: read back from rows, settings, verdicts and ledger, and honest about what cannot be read."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any

import pytest

from tests.support.pages import HOSTILE, Page
from tests.support.reports import run_of
from workflow.cli import main
from workflow.ledger import Ledger
from workflow.report import build, render, write_report
from workflow.report.build import STOPPED
from workflow.report.evidence import config_diff, legs
from workflow.report.page import render_html

LAUNCH = "config/c01-continuous-batching/cand/launch_001"


def test_every_repeat_of_every_launch_is_there(recorded: Path, whole: dict[str, Any]) -> None:
    """Leg by leg as its rows have it; the medians beside it are those of the rows."""
    first = whole["candidates"][0]
    assert [leg["name"] for leg in first["legs"]] == ["ref", "cand"] and whole["baseline"][0]["legs"][0]["name"] == "aa"
    for leg in (*first["legs"], *whole["final"]["legs"], *whole["baseline"][0]["legs"]):
        for launch in leg["launches"]:
            rows = (recorded / launch["launch_id"] / "bench_runs.jsonl").read_bytes().splitlines()
            assert launch["tok_s"] == [json.loads(row)["output_throughput"] for row in rows] and len(rows) == 2
            assert launch["status"] == "complete"
    values = [value for launch in first["legs"][1]["launches"] for value in launch["tok_s"]]
    assert first["cand"]["median_tok_s"] == statistics.median(values)


def test_the_settings_that_differ_and_no_others(whole: dict[str, Any]) -> None:
    """As the servers had them in force."""
    by_name = {item["short_name"]: item["config_diff"] for item in whole["candidates"]}
    assert by_name == {
        "c01-continuous-batching": [{"key": "continuous_batching", "ref": False, "cand": True}],
        "c02-small-batches": [{"key": "cb_max_batch_tokens", "ref": 128, "cand": 8}],
    }
    assert whole["final"]["config_diff"] == [{"key": "continuous_batching", "ref": False, "cand": True}]


def test_verdicts_come_with_findings_figures_and_next_steps(whole: dict[str, Any]) -> None:
    """The words are the ledger's; a verdicts.json of a later auditor is told apart from the one that was recorded."""
    first, second = whole["candidates"]
    assert (first["verdict"], first["decided"], second["verdict"], second["outcome"]) == ("FLAG", "banked", "FAIL", "refuted")
    gates = {item["gate"]: item for item in second["findings"]}
    assert gates["real_delta"]["status"] == "fail" and gates["real_delta"]["ids"] == ["A14", "M07"]
    assert second["next_steps"] and first["kind"] == "config" and first["verdict_file"] == "other"
    assert [item["name"] for item in first["metrics"]][:2] == ["output_throughput", "ttft_ms"]
    assert whole["error_budget"]["looks_spent"] == 2 and whole["sandboxes"] == {"bubblewrap": 22}


def test_the_timeline_is_the_ledger_in_order(whole: dict[str, Any]) -> None:
    """Every launch and decision, no prompt seed, nothing that is written after the report."""
    kinds = [item["kind"] for item in whole["timeline"]]
    times = [item["at_unix"] for item in whole["timeline"]]
    assert kinds[0] == "campaign_created" and times == sorted(times) and kinds.count("sealed") == 22
    assert not {"pair", "request", "finished"} & set(kinds)
    assert [item["words"] for item in whole["timeline"] if item["kind"] == "bank"] == ["c01-continuous-batching banked"]


def test_the_command_is_the_one_that_was_measured(whole: dict[str, Any]) -> None:
    """Of the newest launch of what is in force, its port replaced, nothing of the sandbox's own environment."""
    command = whole["winner"]["command"]
    assert " --continuous-batching " in command and " --port 8000 " in command and "39137" not in command
    assert command.startswith("env HF_HUB_CACHE=/tmp/hub ") and "PATH=" not in command


def test_an_old_ledger_that_does_not_say_why_it_ended(whole: dict[str, Any]) -> None:
    """Two of three levers tried: partial, and said so."""
    assert whole["stopped"] == "early" and whole["partial"] and whole["stopped_because"] == STOPPED["early"]


@pytest.mark.parametrize(
    "text",
    [
        "{", "[1, 2]", '[{"short_name": 3}]', "[[]]", '{"short_name": "final"}', "\x00", "[" * 100_000,
        '[{"short_name": "final", "reasons": 7, "effect": [], "findings": [1, {"gate": []}], "metrics": {"ttft_ms": 1}}]',
        '[{"short_name": "final", "effect": {"rule": "launches", "lower_pct": NaN, "upper_pct": 1e999, "alpha": "x"},'
        ' "metrics": {"ttft_ms": {"unit": 1, "ref": {"median": NaN}, "delta_pct": Infinity}}, "reasons": ["\\ud800", 5]}]',
        '[{"short_name": "final", "findings": [{"gate": "parts", "figures": {"a": {"value": NaN}, "b": 3}}]}]',
    ],
)  # fmt: skip
def test_a_damaged_verdict_leaves_a_whole_report(run_dir: Path, text: str) -> None:
    """Words from the ledger, n/a for figures; never NaN, never a crash, and the damage is told."""
    (run_dir / "verdicts.json").write_text(text, encoding="utf-8")
    paths = write_report(run_of(run_dir))
    found = json.loads((run_dir / "report.json").read_text(), parse_constant=pytest.fail)
    assert found["final"]["verdict"] == "FLAG" and found["final"]["delta_pct"] > 200
    assert found["final"]["verdict_file"] in ("damaged", "missing", "other")
    assert not any(word in path.read_text() for path in paths[1:] for word in ("nan %", "inf %", "NaN", "None"))


def test_without_the_verdicts_their_words_are_left(run_dir: Path) -> None:
    """From the ledger, and the report says that there is no more."""
    (run_dir / "verdicts.json").unlink()
    write_report(run_of(run_dir))
    found = json.loads((run_dir / "report.json").read_bytes())
    item = found["candidates"][1]
    assert (item["verdict"], item["outcome"], item["verdict_file"]) == ("FAIL", "refuted", "missing")
    assert item["effect"] is None and item["findings"] == [] and item["reasons"] == ["FAIL (refuted), action eject"]
    assert "only its words are, in the ledger" in (run_dir / "report.html").read_text()


def test_every_stage_of_a_campaign_has_a_report(run_dir: Path) -> None:
    """After each line of the ledger: what is there so far, and that it is not finished."""
    ledger = run_dir / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    for count in range(1, len(lines)):
        ledger.write_bytes(b"".join(lines[:count]))
        found = build(run_of(run_dir))
        text = render(found)
        assert found["stopped"] == "" and not found["partial"] and "it is still under way" in text
        assert found["final"]["measured"] == (count > 50) and len(found["candidates"]) == (count > 12) + (count > 26)
        if count % 12 == 1:
            assert "▲ NOT FINISHED" in Page(render_html(found)).text


@pytest.mark.parametrize("text", [None, "", "{}\n", '{"output_throughput": NaN}\n', '{"output_throughput": true}\n', "[1]\n"])
def test_missing_and_damaged_rows_leave_a_whole_report(run_dir: Path, text: str | None) -> None:
    """The launch is listed as unreadable, or without rows, and counts for no figure."""
    rows = run_dir / LAUNCH / "bench_runs.jsonl"
    if text is None:
        rows.unlink()
    else:
        rows.write_text(text, encoding="utf-8")
    item = build(run_of(run_dir))["candidates"][0]
    launch = item["legs"][1]["launches"][1]
    assert launch == {"launch_id": LAUNCH, "status": "complete" if text == "" else "unreadable", "tok_s": []}
    assert item["cand"]["repeats"] == 4 and item["cand"]["launches"] == 3


def test_a_leg_that_is_gone_is_said_to_be_gone(run_dir: Path) -> None:
    """No settings, no rows, no gain: n/a each, in both reports."""
    for path in (run_dir / "final" / "cand").glob("*/*.json*"):
        path.unlink()
    (run_dir / LAUNCH / "bench_runs.jsonl").unlink()
    write_report(run_of(run_dir))
    final = json.loads((run_dir / "report.json").read_bytes())["final"]
    assert final["delta_pct"] is None and final["config_diff"] is None and final["cand"]["median_tok_s"] is None
    page, text = ((run_dir / name).read_text() for name in ("report.html", "report.md"))
    assert (
        "at the end n/a output throughput" in page
        and "cannot be compared" in page
        and "launch 2: no rows" in page
        and "n/a" in text
    )


def test_foreign_text_from_disk_is_shown_as_text(run_dir: Path) -> None:
    """A verdict full of markup, control characters and half letters makes one clean line of each."""
    verdicts = json.loads((run_dir / "verdicts.json").read_bytes())
    for item in verdicts:
        item |= {"reasons": [HOSTILE], "next_steps": [HOSTILE + "\x1b[31m"], "not_checked": [HOSTILE]}
    (run_dir / "verdicts.json").write_text(json.dumps(verdicts), encoding="utf-8")
    for path in write_report(run_of(run_dir)):
        text = path.read_text(encoding="utf-8")
        assert not set("\x00\x1b\u202e\ud800") & set(text) and "\\u202e" in text.replace("\\\\", "\\")
    assert "<script" not in (run_dir / "report.html").read_text()


def _sealed(run_dir: Path, ledger: Ledger, name: str, effective: dict[str, Any], status: str = "complete") -> None:
    place = run_dir / name
    place.mkdir(parents=True)
    (place / "server.json").write_text(json.dumps({"status": status, "effective": effective}), encoding="utf-8")
    (place / "bench_runs.jsonl").write_text('{"output_throughput": 100.0}\n', encoding="utf-8")
    ledger.append("sealed", f"sealed/{name}", {"launch_id": name, "status": status, "seal_sha256": "0" * 64})


def test_more_legs_than_two_come_in_a_fixed_order(tmp_path: Path) -> None:
    """Whatever order they were sealed in; what lies deeper is no leg of this folder."""
    ledger = Ledger(tmp_path / "ledger.jsonl", lambda: 0.0)
    for name in ("without_b", "only_a", "cand", "off", "without_a", "ref"):
        _sealed(tmp_path, ledger, f"final/{name}/launch_000", {})
    _sealed(tmp_path, ledger, "final/ref/deeper/launch_000", {})
    _sealed(tmp_path, ledger, "finally/ref/launch_000", {})
    assert [leg["name"] for leg in legs(tmp_path, ledger, "final")] == ["ref", "cand", "off", "only_a", "without_a", "without_b"]


def test_which_settings_count_as_different(tmp_path: Path) -> None:
    """True is not 1, 1 is 1.0, nothing is null; ports and processes are no settings; a failed launch is passed over."""
    ledger = Ledger(tmp_path / "ledger.jsonl", lambda: 0.0)
    one = {"a": True, "b": 1, "c": None, "port": 1, "nccl_port": 2, "d": [1], "e": "x"}
    other = {"a": 1, "b": 1.0, "port": 3, "nccl_port": 4, "d": [2], "e": "x"}
    _sealed(tmp_path, ledger, "x/ref/launch_000", {"e": "y"}, "failed")
    _sealed(tmp_path, ledger, "x/ref/launch_001", one)
    assert config_diff(tmp_path, ledger, "x") is None
    _sealed(tmp_path, ledger, "x/cand/launch_000", other)
    assert config_diff(tmp_path, ledger, "x") == [{"key": "a", "ref": True, "cand": 1}, {"key": "d", "ref": "[1]", "cand": "[2]"}]


def test_the_command_writes_all_three_anew(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same bytes each time; nothing else in the directory changes, and the auditor says what it said."""
    assert main(["campaign", "report", str(run_dir)]) == 0
    names = ["report.json", "report.md", "report.html"]
    assert capsys.readouterr().out.split() == [str(run_dir / name) for name in names]
    before = {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}
    assert main(["campaign", "report", str(run_dir), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["written"] == [str(run_dir / name) for name in names]
    assert {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()} == before
    assert main(["audit", str(run_dir), "--format", "json", "--fail-on", "unsigned"]) == 0
    assert capsys.readouterr().out.encode() == (run_dir / "verdicts.json").read_bytes()


def test_a_changed_configuration_is_refused(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The ledger knows the digest of the one that was run."""
    path = run_dir / "campaign.json"
    path.write_text(path.read_text().replace('"noise_band_pct": 5.0', '"noise_band_pct": 1.0'))
    assert main(["campaign", "report", str(run_dir)]) == 5
    assert "do not fit together" in capsys.readouterr().err and not (run_dir / "report.html").exists()


def test_every_number_is_one(whole: dict[str, Any]) -> None:
    """No NaN, no infinity anywhere."""

    def numbers(value: Any) -> list[float]:
        if isinstance(value, dict):
            value = list(value.values())
        return (
            [found for item in value for found in numbers(item)]
            if isinstance(value, list)
            else [value] * isinstance(value, float)
        )

    found = numbers(whole)
    assert len(found) > 100 and all(math.isfinite(value) for value in found)
