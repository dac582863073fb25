"""``countersign verdicts``: the list, one in full with its queries, and what changed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit import audit_path, canonical_json, render
from tests.unit.audit.build import Run, Server
from tests.unit.audit.cases import CASES, EAGER, Case, build
from workflow.cli import main
from workflow.ledger import Ledger

HOSTILE = "\x1b[31mverdict: PASS\u202e <b>"
Capture = pytest.CaptureFixture[str]


def audited(root: Path, name: str = "clean win") -> Path:
    """The run of a case as an audited campaign leaves it: verdicts.json, and a ledger that vouches for it."""
    run = build(root, next(case for case in CASES if case.name == name))
    found = audit_path(run)
    (run / "verdicts.json").write_text(render(found, "json"))
    ledger = Ledger(run / "ledger.jsonl", lambda: 1.0)
    for verdict in found:
        digest = hashlib.sha256(canonical_json(verdict).encode()).hexdigest()
        said = {"short_name": verdict.short_name, "verdict": verdict.verdict, "verdict_sha256": digest}
        ledger.append("verdict", f"verdict/{verdict.short_name}", said)
        if verdict.signed_off:
            ledger.append("bank", f"bank/{verdict.short_name}", {"short_name": verdict.short_name})
    return run


def edited(run: Path, change: Callable[[Any], None]) -> Path:
    """verdicts.json after somebody touched it."""
    path = run / "verdicts.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    return path


# ---- list


def test_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Runs below runs/ by default; verdict, banked and signed of each; a run without verdicts is told, no error."""
    monkeypatch.chdir(tmp_path)
    audited(tmp_path / "runs/monday")
    audited(tmp_path / "runs/tuesday", "slower")
    build(tmp_path / "runs/open", CASES[0])
    (tmp_path / "runs/notes").mkdir()
    assert main(["verdicts", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["run", "request", "scope", "verdict", "action", "outcome", "delta", "banked", "signed"]
    assert lines[1].split() == ["runs/monday", "c01", "patch", "PASS", "pass", "proven", *lines[1].split()[6:8], "yes", "yes"]
    assert lines[2].split()[3:6] == ["FAIL", "eject", "refuted"] and lines[2].split()[-2:] == ["no", "no"]
    assert lines[3] == "runs/open: not audited yet: no verdicts.json" and len(lines) == 4


def test_the_list_as_json(tmp_path: Path, capsys: Capture) -> None:
    """One object, with every run that was named."""
    run = audited(tmp_path / "a")
    assert main(["verdicts", "list", str(run), str(tmp_path), "--format", "json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert page["schema"] == "countersign.verdict_list/1" and len(page["runs"]) == 1
    told = page["runs"][0]["verdicts"][0]
    assert (told["short_name"], told["verdict"], told["banked"], told["signed_off"]) == ("c01", "PASS", True, True)


def _half(run: Path) -> None:
    (run / "verdicts.json").write_text('[{"short_name": "c01"')


def _turned(run: Path) -> None:
    edited(run, lambda value: value[0].update(verdict="FLAG"))


def _chain(run: Path) -> None:
    text = (run / "ledger.jsonl").read_text()
    (run / "ledger.jsonl").write_text(text.replace('"order":["aa"', '"order":["ab"', 1))


@pytest.mark.parametrize(
    ("harm", "says"),
    [(_half, "not a list of verdicts"), (_turned, "does not hold the verdict on 'c01'"), (_chain, "hash chain breaks")],
)
def test_a_broken_run_is_named(harm: Callable[[Path], None], says: str, tmp_path: Path, capsys: Capture) -> None:
    """Beside the whole ones, which are still listed; the exit code says that something cannot be believed."""
    audited(tmp_path / "good")
    harm(audited(tmp_path / "bad"))
    assert main(["verdicts", "list", str(tmp_path)]) == 5
    out = capsys.readouterr().out
    assert "good  c01" in out and f"broken: {tmp_path}/bad: " in out and says in out
    assert main(["verdicts", "list", str(tmp_path), "--format", "json"]) == 5
    assert any(run["problem"] and says in run["problem"] for run in json.loads(capsys.readouterr().out)["runs"])


def test_hostile_words_in_a_list(tmp_path: Path, capsys: Capture) -> None:
    """Names in verdicts.json and of folders are words."""
    run = build(tmp_path / "x\x1b[2J", CASES[0])
    verdict = {"short_name": HOSTILE, "verdict": HOSTILE, "audit_scope": HOSTILE, "e2e_delta_pct": HOSTILE, "signed_off": "yes"}
    (run / "verdicts.json").write_text(json.dumps([verdict]))
    assert main(["verdicts", "list", str(run)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\u202e" not in out and "\\x1b[31mverdict: PASS" in out


# ---- show


def test_show_is_audit(tmp_path: Path, capsys: Capture) -> None:
    """The same text, the same JSON and the same exit code."""
    run = build(tmp_path, next(case for case in CASES if case.name == "slower"))
    for words in ([], ["--format", "json"]):
        code = main(["audit", str(run), *words])
        expected = capsys.readouterr().out
        assert main(["verdicts", "show", str(run), *words]) == code == 3
        shown = capsys.readouterr().out
        assert json.loads(shown) in json.loads(expected) if words else shown == expected


def test_one_finding(tmp_path: Path, capsys: Capture) -> None:
    """Its figures with units, where they stand, and which queries they came from; an unknown gate is refused."""
    run = build(tmp_path, CASES[0])
    assert main(["verdicts", "show", str(run), "c01", "--finding", "real_delta"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("c01: real_delta") and " tok/s" in out and "asked: leg_metrics" in out and "  at config/c01" in out
    assert main(["verdicts", "show", str(run), "c01", "--finding", "mood"]) == 2
    assert "There are: intake, seal" in capsys.readouterr().err
    assert main(["verdicts", "show", str(run), "c07"]) == 2
    assert "There are: 'c01'" in capsys.readouterr().err


def test_the_queries(tmp_path: Path, capsys: Capture) -> None:
    """Text, parameters and rows; what is not shown is counted."""
    run = build(tmp_path, CASES[0])
    assert main(["verdicts", "show", str(run), "--finding", "real_delta", "--sql", "--rows", "2"]) == 0
    out = capsys.readouterr().out
    assert "audit/sql/leg_metrics.sql, parameters: none" in out and "    SELECT" in out and "more rows" in out
    assert "config_between" not in out
    assert main(["verdicts", "show", str(run), "--sql", "--finding", "contention", "--format", "json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert page["schema"] == "countersign.explained/1"
    asked = page["shown"][0]["questions"][0]
    assert (asked["name"], asked["parameters"]) == ("contention", {"sample_s": 1.0})
    assert len(asked["rows"]) + asked["more"] == 18 and asked["columns"][:3] == ["leg", "launch", "repeat"]


def test_hostile_cells(tmp_path: Path, capsys: Capture) -> None:
    """What a query returns is shown in escapes."""
    run = build(tmp_path, Case("x", "FAIL", "", cand=Server(1100, effective={"dtype": HOSTILE}), flags={"dtype": HOSTILE}))
    main(["verdicts", "show", str(run), "--sql", "--rows", "500"])
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\u202e" not in out and "\\u001b" in out


# ---- diff


def test_nothing_changed(tmp_path: Path, capsys: Capture) -> None:
    """A run against its own verdicts.json, against a copy, and a file against itself."""
    run = audited(tmp_path / "a")
    shutil.copytree(run, tmp_path / "b")
    for words in ([str(run)], [str(run), str(tmp_path / "b")], [str(run / "verdicts.json")] * 2):
        assert main(["verdicts", "diff", *words]) == 0
        assert capsys.readouterr().out == "c01: the same\n"


def test_a_verdict_got_worse(tmp_path: Path, capsys: Capture) -> None:
    """3, with what changed; the other way round it is only different: 4."""
    before, after = build(tmp_path / "a", CASES[0]), build(tmp_path / "b", next(case for case in CASES if case.name == "slower"))
    assert main(["verdicts", "diff", str(before), str(after)]) == 3
    out = capsys.readouterr().out
    for words in (["verdict", "PASS", "FAIL"], ["outcome", "proven", "refuted"], ["real_delta", "ok", "fail"]):
        assert any(all(word in line for word in words) for line in out.splitlines()), out
    assert "output_throughput cand median" in out and "input_digest" in out
    assert main(["verdicts", "diff", str(after), str(before), "--format", "json"]) == 4
    page = json.loads(capsys.readouterr().out)
    assert page["schema"] == "countersign.verdict_diff/1" and page["requests"][0]["worse"] is False
    changed = {item["what"]: (item["before"], item["after"]) for item in page["requests"][0]["changes"]}
    assert changed["verdict"] == ("FAIL", "PASS") and "policy_digest" not in changed


def test_a_request_that_is_gone(tmp_path: Path, capsys: Capture) -> None:
    """Worse; a new one is only different."""
    run = Run(tmp_path / "a")
    run.aa("baseline/set_1", Server())
    for name in ("c01", "c02"):
        run.ab(f"config/{name}", Server(), Server(1100, effective=EAGER))
        run.patch(f"config/{name}", EAGER, short_name=name)
    both = run.finish()
    shutil.copytree(both, tmp_path / "b")
    first = json.loads((both / "audit_request.json").read_text())[0]
    one = [first, {"scope": "baseline", "eval_dir": "baseline/set_1", "short_name": "c03"}]
    (tmp_path / "b/audit_request.json").write_text(json.dumps(one))
    assert main(["verdicts", "diff", str(both), str(tmp_path / "b")]) == 3
    out = capsys.readouterr().out
    assert "c01: the same" in out and "c02: worse" in out and "c03: differs" in out


def test_stored_against_now(tmp_path: Path, capsys: Capture) -> None:
    """An edited verdicts.json is found out by what an audit says today."""
    run = audited(tmp_path, "slower")
    edited(run, lambda value: value[0].update(verdict="PASS", action="pass"))
    assert main(["verdicts", "diff", str(run)]) == 3
    assert "c01: worse" in capsys.readouterr().out
    (run / "verdicts.json").write_text(
        json.dumps([{"short_name": HOSTILE, "verdict": HOSTILE, "metrics": None, "findings": None}])
    )
    assert main(["verdicts", "diff", str(run)]) == 4
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\u202e" not in out


@pytest.mark.parametrize("text", ["{", "3", "[[]]", '{"verdict": "PASS"}', '[{"short_name": "x", "verdict": null}]'])
def test_a_file_that_holds_no_verdict(text: str, tmp_path: Path, capsys: Capture) -> None:
    """Wrong usage, by name."""
    (tmp_path / "x.json").write_text(text)
    assert main(["verdicts", "diff", str(tmp_path / "x.json"), str(tmp_path / "x.json")]) == 2
    assert "x.json" in capsys.readouterr().err


def test_nothing_is_written(tmp_path: Path, capsys: Capture) -> None:
    """Looking changes nothing."""
    run = audited(tmp_path / "a")
    before = {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}
    for words in (["list", str(run)], ["show", str(run), "--sql"], ["diff", str(run)]):
        main(["verdicts", *words])
    capsys.readouterr()
    assert {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()} == before
