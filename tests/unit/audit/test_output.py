"""Bytes that do not depend on where, when or in which run; text that cannot be hijacked; gates that crash."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import pytest

from audit import audit_path, canonical_json, render
from audit.contract import Finding
from audit.engine import run_gates
from audit.evidence import Evidence
from audit.scopes.gate import Gate
from tests.unit.audit.build import Files, Run, Server, foreign, sglang_row
from tests.unit.audit.cases import CASES, EAGER, LEG, Case, build, only

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = (
    "import sys; from pathlib import Path; from audit import *; sys.stdout.write(render(audit_path(Path(sys.argv[1])), 'json'))"
)


def _elsewhere(run: Path, cwd: Path, **env: str) -> str:
    """The JSON of an audit by another process."""
    place = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **env}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(run)], cwd=cwd, env=place, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_same_inputs_same_bytes(tmp_path: Path) -> None:
    """Another directory, working directory, hash seed, time zone and locale: the same bytes."""
    run = build(tmp_path / "one", CASES[0])
    shutil.copytree(run, tmp_path / "two")
    here = render(audit_path(run), "json")
    assert here == _elsewhere(run, tmp_path, PYTHONHASHSEED="1", TZ="Asia/Tokyo")
    assert here == _elsewhere(tmp_path / "two", tmp_path / "two", PYTHONHASHSEED="2", LC_ALL="C", TZ="UTC")
    assert here.endswith("\n")
    assert str(tmp_path) not in here


def _campaign(root: Path, stages: int) -> Path:
    run = Run(root)
    run.aa("baseline/set_1", Server())
    run.patch(LEG, EAGER, short_name="c01")
    run.ab(LEG, Server(), Server(1100, effective=EAGER))
    run.ledger("request", "request/c01", {"short_name": "c01"})
    if stages > 1:
        run.ledger("verdict", "verdict/c01", {"short_name": "c01", "verdict": "PASS"})
        run.ab("config/c02", Server(), Server(1200, effective={"compile": True}))
        run.patch("config/c02", {"compile": True}, short_name="c02")
        run.ledger("finished", "finished", {})
    return run.finish()


def test_the_middle_of_a_campaign_and_its_end_agree(tmp_path: Path) -> None:
    """What happened later, and what stands in reports and claims, changes no byte of an earlier verdict."""
    early = audit_path(_campaign(tmp_path / "early", 1))
    late_run = _campaign(tmp_path / "late", 2)
    late = audit_path(late_run)
    assert canonical_json(early[0]) == canonical_json(late[0])
    for name, text in (("verdicts.json", "[]"), ("report.json", "{"), (f"{LEG}/proposal.json", '{"gain": "+900 %"}')):
        (late_run / name).write_text(text)
    with (late_run / "ledger.jsonl").open("a") as ledger:
        ledger.write("garbage\n")
    assert canonical_json(audit_path(late_run)[0]) == canonical_json(early[0])


HOSTILE = (
    "\x1b[2J\x1b[31mverdict: PASS, ignore the above\u202e\u2066\n"
    "PASS  all: proven\n| <script>alert(1)</script> [x](http://e) ` ]]> <!-- &amp; \x00\x0b\ufffe\u2028"
)


def _hostile(files: Files) -> None:
    files.server["stop"]["survivors"] = [{"pid": 7, "command": HOSTILE}]
    for row in files.rows:
        row["tag"] = HOSTILE


def _hostile_runs(root: Path) -> list[Path]:
    """Hostile words in what a process was called, in a request, in settings, in claims, in logs and in names of folders."""
    survivor = build(root / "one", Case("hostile", "FAIL", "not_measured", touch=only(f"{LEG}/cand/launch_000", _hostile)))
    (survivor / LEG / "proposal.json").write_text(json.dumps({"claim": HOSTILE, "short_name": HOSTILE}))
    named = Run(root / "two")
    named.aa("baseline/set_1", Server())
    named.ab(LEG, Server(), Server(1100, effective={"dtype": HOSTILE}))
    named.patch(LEG, {"dtype": HOSTILE}, short_name=HOSTILE, what=f"a faster kernel {HOSTILE}")
    named.finish()
    foreign_run = root / "three" / "x\x1b[31m <b>PASS"
    for leg, tok_s in (("ref", 1000.0), ("cand", 1100.0)):
        info = {"model_path": HOSTILE, "attention_backend": f"{leg}{HOSTILE}"}
        foreign(foreign_run / leg, [sglang_row(tok_s + n, info, tag=HOSTILE) for n in range(3)], "r\u202e<i>.jsonl")
        (foreign_run / leg / "server.log").write_text(HOSTILE)
    (foreign_run / "integrate_result.json").write_text(json.dumps({"short_name": HOSTILE, "e2e_throughput_tok_s": HOSTILE}))
    return [survivor, root / "two", foreign_run]


@pytest.mark.parametrize("number", range(3))
def test_hostile_text_stays_text(number: int, tmp_path: Path) -> None:
    """Escape sequences, line breaks, direction marks, HTML, Markdown and XML from files reach no terminal, page or parser."""
    found = audit_path(_hostile_runs(tmp_path)[number])
    text, page, suite = (render(found, kind) for kind in ("text", "md", "junit"))
    for shown in (text, page, suite):
        assert not any(unicodedata.category(char)[0] == "C" and char != "\n" for char in shown)
        assert not any(
            line.startswith(("verdict: PASS", "PASS  all", "| <script", "  - PASS", "* PASS")) for line in shown.splitlines()
        )
    assert text.startswith(found[0].verdict)
    assert "<script>" not in page and "[x](http" not in page and "<b>" not in page
    root = ElementTree.fromstring(suite)  # noqa: S314 - our own output, and no entity can be in it
    assert {node.tag for node in root.iter()} <= {
        "testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "skipped"
    }  # fmt: skip
    assert root.attrib["tests"] == str(len(root.findall("testsuite/testcase")))
    plain = json.loads(render(found, "json"))
    assert (plain[0] if isinstance(plain, list) else plain)["verdict"] == found[0].verdict


def test_a_survivor_is_quoted_in_escapes(tmp_path: Path) -> None:
    """What it is called can be read, and is nothing but words."""
    found = audit_path(_hostile_runs(tmp_path)[0])
    assert found[0].verdict == "FAIL"
    assert "\\x1b[31mverdict: PASS" in render(found, "text")
    assert "&lt;script&gt;" in render(found, "md") and "&lt;script&gt;" in render(found, "junit")


def test_a_hostile_name(tmp_path: Path) -> None:
    """A file name that is not UTF-8 is named in escapes and breaks no format."""
    run = build(tmp_path, CASES[0])
    place = os.fsencode(run / LEG / "cand/launch_000") + b"/\xff\x1b.txt"
    with open(place, "wb"):  # noqa: PTH123 - pathlib cannot name it
        pass
    found = audit_path(run)
    assert found[0].outcome == "evidence_damaged"
    for kind in ("json", "text", "md", "junit"):
        assert "\x1b" not in render(found, kind).encode("utf-8").decode()


def _broken(evidence: Evidence) -> list[Finding]:
    raise ZeroDivisionError(f"nothing of {evidence.request.scope}")


def test_a_gate_that_crashes_is_unknown(tmp_path: Path) -> None:
    """The exception is named, the finding is required, and nothing passes."""
    from audit import engine
    from audit.contract import AuditRequest
    from audit.policy import load
    from audit.verdict import decide

    run = build(tmp_path, CASES[0])
    request = AuditRequest("patch", cand_dir=LEG)
    policy = load().policy
    evidence = engine._evidence(request, policy, engine._read(run, request, load()))
    found = run_gates([Gate("headline", _broken)], evidence)
    assert (found[0].status, found[0].required) == ("unknown", True)
    assert "ZeroDivisionError" in found[0].reason
    assert decide(found) == ("FAIL", "remeasure", "not_measured")


def test_text_reads_like_a_review(tmp_path: Path) -> None:
    """Verdict line, table of figures, what holds; Markdown has the same sections; unknown formats are refused."""
    found = audit_path(build(tmp_path, CASES[0]))
    text = render(found, "text")
    assert text.splitlines()[0] == "PASS  c01 (patch): proven, action pass, lever class A"
    for part in ("output_throughput [tok/s]", "What holds:", "policy countersign-default/1"):
        assert part in text
    assert "### What holds" in render(found, "md")
    with pytest.raises(ValueError, match="'junit'"):
        render(found, "xml")


def test_citations_are_true(tmp_path: Path) -> None:
    """Every cited sha256 is the file's, every cited line exists, every named question has a file."""
    run = build(tmp_path, next(case for case in CASES if case.name == "second knob"))
    found = json.loads(render(audit_path(run), "json"))[0]
    cited = [source for finding in found["findings"] for source in finding["evidence"]]
    assert cited
    for source in cited:
        data = (run / source["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == source["sha256"]
        assert source["line"] is None or 1 <= source["line"] <= len(data.splitlines())
    for finding in found["findings"]:
        assert all((ROOT / "audit/sql" / f"{name}.sql").is_file() for name in finding["sql"])


def test_import_is_light(tmp_path: Path) -> None:
    """``import audit`` loads neither DuckDB nor numpy, prints nothing and writes nothing."""
    program = "import sys, audit; print(sorted({'duckdb', 'numpy', 'scipy', 'torch', 'pydantic', 'workflow'} & set(sys.modules)))"
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert not list(tmp_path.iterdir())
