"""What a caller can ask for: other requests, scopes, policies, two folders of rows; and how each answer can be printed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from audit import AuditError, AuditRequest, audit, audit_legs, audit_path, canonical_json, exit_code, explained, render
from audit.policies import choose
from audit.policy import load
from tests.unit.audit.build import Json, Run, Server, foreign, sglang_row
from tests.unit.audit.cases import CASES, EAGER, LEG, Case, build
from workflow.cli import main

INFO = {"model_path": "m", "version": "0.5.5", "tp_size": 1, "mem_fraction_static": 0.85}


def rows(folder: Path, tok_s: float, **settings: object) -> None:
    """A flat folder of five SGLang rows."""
    foreign(folder, [sglang_row(tok_s * (1 + n / 1000), {**INFO, **settings}) for n in range(5)])


def pair(root: Path, **cand: object) -> Path:
    """Two flat folders, the candidate 10 % faster."""
    rows(root / "a", 1000.0, attention_backend="triton")
    rows(root / "b", 1100.0, attention_backend="fa3", **cand)
    return root


def numbered(root: Path) -> Path:
    """The same in numbered launches, three a leg."""
    for leg, tok_s, backend in (("a", 1000.0, "triton"), ("b", 1100.0, "fa3")):
        for launch in range(3):
            rows(root / leg / f"launch_{launch:03d}", tok_s + 0.37 * launch, attention_backend=backend)
    return root


def written(path: Path, value: Json | list[Json] | str) -> Path:
    """A JSON file."""
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


# ---- two folders of rows


def test_two_folders_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By absolute path, relative to PATH, relative to the working directory: the same verdict, and nothing is written."""
    root = pair(tmp_path / "x")
    before = sorted(tmp_path.rglob("*"))
    one = audit_legs(root / "a", root / "b")
    assert (one[0].verdict, one[0].audit_scope, one[0].launches.ref) == ("PASS", "patch", None)
    assert one[0].metrics["output_throughput"].delta_pct == pytest.approx(10.0)
    monkeypatch.chdir(tmp_path)
    for other in (
        audit_legs(Path("x/a"), Path("x/b")),
        audit_legs(Path("a"), Path("b"), root),
        audit_legs(Path("x/a"), Path("b"), root),
    ):
        assert canonical_json(other) == canonical_json(one)
    assert sorted(tmp_path.rglob("*")) == before


def test_numbered_launches_and_links(tmp_path: Path) -> None:
    """Launches below each folder count as launches; a link that the caller names is followed."""
    root = numbered(tmp_path / "x")
    found = audit_legs(root / "a", root / "b")[0]
    assert (found.verdict, found.launches.ref, found.launches.cand, found.effect.rule) == ("PASS", 3, 3, "launches")
    (tmp_path / "link").symlink_to(root / "a")
    assert canonical_json(audit_legs(tmp_path / "link", root / "b")[0]) == canonical_json(found)


def test_one_folder_inside_the_other(tmp_path: Path) -> None:
    """The outer one is then the run."""
    rows(tmp_path / "a", 1000.0, attention_backend="triton")
    rows(tmp_path / "a" / "b", 1100.0, attention_backend="fa3")
    assert audit_legs(tmp_path / "a", tmp_path / "a" / "b")[0].verdict == "PASS"


def test_only_the_two_folders_are_looked_at(tmp_path: Path) -> None:
    """What lies around them, other legs, requests, folders without end or without permission, changes no byte."""
    root = pair(tmp_path / "x")
    alone = canonical_json(audit_legs(root / "a", root / "b"))
    rows(root / "c", 5.0)
    pair(root / "ref")
    written(root / "audit_request.json", "{")
    written(root / "integrate_result.json", {"short_name": "b", "e2e_throughput_tok_s": 9000.0, "isolated_speedup": 4.0})
    written(root / "ledger.jsonl", "no ledger\n")
    rows(root / "without_x", 900.0, attention_backend="fa3")
    rows(root / "off", 900.0, attention_backend="fa3")
    (root / "overlay").mkdir()
    written(root / "overlay" / "patch.py", "x = 1\n")
    os.mkfifo(root / "bench_runs.jsonl")
    (root / "loop").symlink_to(root)
    (root / "closed").mkdir(mode=0)
    assert canonical_json(audit_legs(root / "a", root / "b")) == alone


@pytest.mark.parametrize(
    ("ref", "cand", "says"),
    [
        ("a", "a", "both legs are the same folder"),
        ("a", "nowhere", "leg 'nowhere': no such directory"),
        ("a", "empty", "leg 'empty': no rows lie in it"),
        ("a", "outer", "it holds the folders inner"),
        ("a", "both", "leg 'both': holds a pair of legs itself"),
    ],
)
def test_a_folder_that_is_no_leg(ref: str, cand: str, says: str, tmp_path: Path) -> None:
    """Refused by name, with what was seen there: nothing is guessed."""
    root = pair(tmp_path)
    (root / "empty").mkdir()
    rows(root / "outer" / "inner", 1.0)
    rows(root / "both" / "ref", 1.0)
    rows(root / "both" / "cand", 1.0)
    with pytest.raises(AuditError) as caught:
        audit_legs(Path(ref), Path(cand), root)
    assert says in caught.value.message


def test_legs_with_a_request(tmp_path: Path) -> None:
    """What the file declares applies to the legs of the command line."""
    root = pair(tmp_path / "x", mem_fraction_static=0.92)
    assert audit_legs(root / "a", root / "b")[0].verdict == "FAIL"
    change = {"flags": {"attention_backend": "fa3", "mem_fraction_static": 0.92}}
    file = written(tmp_path / "r.json", {"scope": "patch", "short_name": "both", "eval_dir": "elsewhere", "change": change})
    found = audit_legs(root / "a", root / "b", request_file=file)[0]
    assert (found.short_name, found.verdict) == ("both", "PASS")
    for wrong in ([{"scope": "patch"}, {"scope": "patch"}], {"scope": "baseline"}):
        with pytest.raises(AuditError, match=r"r\.json|not as 'baseline'"):
            audit_legs(root / "a", root / "b", request_file=written(file, wrong))


# ---- other request files, scopes


def test_a_request_from_elsewhere(tmp_path: Path) -> None:
    """It may lie outside the run; its own paths may not."""
    run = build(tmp_path / "run", CASES[0])
    mine = json.loads((run / "audit_request.json").read_text())
    (run / "audit_request.json").unlink()
    file = written(tmp_path / "mine.json", mine)
    assert audit_path(run, request_file=file)[0].verdict == "PASS"
    with pytest.raises(AuditError, match="leads out"):
        audit_path(run, request_file=written(file, {"scope": "patch", "eval_dir": "../..", "cand_dir": "/etc"}))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "odd.json: cut off"),
        ('{"scope": "patch", "scope": "patch"}', "odd.json: key 'scope' stands twice"),
        ('{"scope": "patch", "band": 3}', "odd.json: request 0: .*band"),
        ('[{"scope": "patch"}, {"scope": "all"}]', "odd.json: request 1: .*scope"),
        ('{"scope": "patch", "alpha": 7}', "odd.json: request 0: 'alpha' is 7"),
        ('{"scope": "patch", "policy": "../p.json"}', "odd.json: request 0: 'policy'"),
        ("[]", "odd.json: the list is empty"),
    ],
)
def test_a_request_file_that_is_not_right(text: str, says: str, tmp_path: Path) -> None:
    """Named with its field; nothing is audited."""
    with pytest.raises(AuditError, match=says):
        audit_path(pair(tmp_path), request_file=written(tmp_path / "odd.json", text))
    with pytest.raises(AuditError, match=r"gone.json: cannot be read"):
        audit_path(tmp_path, request_file=tmp_path / "gone.json")


def test_one_scope_of_several(tmp_path: Path) -> None:
    """Requests of other scopes are left out; a scope that nobody asked for is refused."""
    run = Run(tmp_path)
    run.aa("baseline/set_1", Server())
    run.ab(LEG, Server(), Server(1100, effective=EAGER))
    run.request(scope="baseline", eval_dir="baseline/set_1", short_name="base")
    run.patch(LEG, EAGER, short_name="c01")
    found = audit_path(run.finish(), scope="baseline")
    assert [verdict.short_name for verdict in found] == ["base"] and found.as_list
    with pytest.raises(AuditError, match="no request of scope 'bundle'"):
        audit_path(tmp_path, scope="bundle")


@pytest.mark.parametrize(("scope", "expected"), [("patch", 1), ("bundle", 1), ("baseline", 1), ("profile", 1), ("harness", 1)])
def test_a_scope_from_the_layout(scope: str, expected: int, tmp_path: Path) -> None:
    """Without a request file the layout is read as the scope that was asked for."""
    rows(tmp_path / "ref", 1000.0, attention_backend="triton")
    rows(tmp_path / "cand", 1100.0, attention_backend="fa3")
    found = audit_path(tmp_path, scope=scope)  # type: ignore[arg-type]
    assert [verdict.audit_scope for verdict in found] == [scope] * expected


# ---- policies


def test_the_shipped_policy_by_name(tmp_path: Path) -> None:
    """``default``, an empty override and no word at all are one policy with one digest: that of its bytes."""
    shipped = load()
    assert choose(None) == choose("default") == choose(written(tmp_path / "p.json", {})) == shipped
    assert choose(written(tmp_path / "p.json", {"headline": {"flag_pct": shipped.policy.headline.flag_pct}})) == shipped


def test_a_part_of_a_policy(tmp_path: Path) -> None:
    """Objects are merged key by key, lists replaced whole, and the verdict names what judged."""
    run = build(tmp_path / "run", next(case for case in CASES if case.name == "TTFT 3.2 times worse"))
    file = written(tmp_path / "p.json", {"headline": {"flag_pct": 300.0}, "layout": {"launch_names": ["launch"]}})
    mine = choose(file)
    assert mine.policy.headline.fail_pct == load().policy.headline.fail_pct and mine.policy.layout.launch_names == ["launch"]
    assert mine.policy.name == "countersign-default/1+changed" and mine.digest != load().digest
    assert (audit_path(run)[0].verdict, audit_path(run, policy=file)[0].verdict) == ("FLAG", "PASS")
    found = audit_path(run, policy=file)[0]
    assert (found.policy, found.policy_digest) == (mine.policy.name, mine.digest)
    named = choose(written(file, {"name": "house/3", "headline": {"flag_pct": 300.0}}))
    assert named.policy.name == "house/3"
    whole = choose(written(file, canonical_json(named.policy)))
    assert whole == named


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "p.json: a policy is an object"),
        ("{", "p.json: cut off"),
        ('{"headline": {"flag_pct": "10"}}', r"p.json: .*\$.headline.flag_pct"),
        ('{"headline": {"flags": 10}}', r"p.json: .*flags.*\$.headline"),
        ('{"heedline": {}}', r"p.json: .*heedline"),
        ('{"headline": null}', r"p.json: .*\$.headline"),
        ('{"headline": {"flag_pct": -1}}', r"p.json: a number below 0 - at `\$.headline.flag_pct`"),
        ('{"headline": {"flag_pct": NaN}}', "p.json: NaN is not a number"),
        ('{"scopes": {"patch": {"real_delta": "sometimes"}}}', r"p.json: .*\$.scopes"),
        ('{"scopes": {"patch": {"mood": "always"}}}', r"p.json: no such gate - at `\$.scopes.patch.mood`"),
        ('{"scopes": {"pitch": {}}}', r"p.json: no such scope - at `\$.scopes.pitch`"),
        ('{"schema": "countersign.policy/2"}', r"p.json: 'schema' is"),
    ],
)
def test_a_policy_that_is_none(text: str, says: str, tmp_path: Path) -> None:
    """File and place in it."""
    with pytest.raises(AuditError, match=says) as caught:
        choose(written(tmp_path / "p.json", text))
    assert caught.value.code == "policy_invalid"


def test_strict(tmp_path: Path) -> None:
    """Every gate is required: what foreign rows cannot show fails them. The command line beats the request."""
    root = pair(tmp_path)
    assert audit_legs(root / "a", root / "b")[0].verdict == "PASS"
    found = audit_legs(root / "a", root / "b", policy="strict")[0]
    assert (found.verdict, found.outcome, found.not_checked) == ("FAIL", "not_measured", [])
    assert found.policy == "countersign-default/1+strict"
    request = AuditRequest("patch", eval_dir="a", cand_dir="b", policy="strict")
    assert audit(root, request).policy_digest == found.policy_digest
    assert audit(root, request, policy="default").verdict == "PASS"


# ---- formats and exit codes


def test_junit(tmp_path: Path) -> None:
    """A suite for each verdict, a case for each gate; counts agree; what is required and unknown is a failure."""
    root = pair(tmp_path)
    for policy, failures in ((None, 0), ("strict", 5)):
        found = audit_legs(root / "a", root / "b", policy=policy)
        suite = ElementTree.fromstring(render(found, "junit")).find("testsuite")  # noqa: S314 - our own output
        assert suite is not None and suite.attrib["name"] == "legs (patch)"
        cases = suite.findall("testcase")
        assert [case.attrib["name"] for case in cases] == list(dict.fromkeys(item.gate for item in found[0].findings))
        for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[kind]) == len(suite.findall(f"testcase/{tag}"))
        assert (int(suite.attrib["failures"]) >= failures) and (failures > 0 or suite.attrib["failures"] == "0")


def test_damage_is_an_error_in_junit(tmp_path: Path) -> None:
    """Evidence that cannot be believed is not the candidate's failure."""
    root = pair(tmp_path)
    (root / "b" / "bench_runs.jsonl").write_text("{")
    suite = ElementTree.fromstring(render(audit_legs(root / "a", root / "b"), "junit"))  # noqa: S314 - our own output
    assert suite.attrib["errors"] == "1" and suite.find("testsuite/testcase/error") is not None


def _damaged(root: Path) -> Path:
    (build(root, CASES[0]) / LEG / "cand/launch_000/bench_runs.jsonl").write_text("{")
    return root


EXITS: list[tuple[str, Callable[[Path], Path], dict[str, int]]] = [
    ("PASS", lambda root: build(root, CASES[0]), {"flag": 0, "fail": 0, "unsigned": 0, "never": 0}),
    ("FLAG", lambda root: build(root, _case("continuous batching")), {"flag": 4, "fail": 0, "unsigned": 0, "never": 0}),
    ("FAIL", lambda root: build(root, _case("slower")), {"flag": 3, "fail": 3, "unsigned": 0, "never": 0}),
    ("FAIL", _damaged, {"flag": 5, "fail": 5, "unsigned": 5, "never": 0}),
]


def _case(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


@pytest.mark.parametrize(("word", "make", "codes"), EXITS, ids=["pass", "flag", "fail", "damaged"])
def test_fail_on(
    word: str, make: Callable[[Path], Path], codes: dict[str, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each word lets more verdicts pass than the one before; what is printed stays the same."""
    run = make(tmp_path)
    printed = set()
    for mode, code in codes.items():
        assert main(["audit", str(run), "--fail-on", mode]) == code, mode
        printed.add(capsys.readouterr().out)
    assert len(printed) == 1 and printed.pop().startswith(word)
    assert exit_code(audit_path(run)) == codes["flag"]


def test_the_shape_of_json(tmp_path: Path) -> None:
    """One object for one request, a list where the file holds one; metrics as the contract has them."""
    root = pair(tmp_path)
    found = json.loads(render(audit_legs(root / "a", root / "b"), "json"))
    metric = found["metrics"]["output_throughput"]
    assert set(metric) == {"unit", "better", "ref", "cand", "delta_pct", "non_overlapping"}
    assert set(metric["ref"]) == {"n", "launches", "median", "min", "max", "spread_pct"}
    assert (metric["unit"], metric["better"], metric["ref"]["n"], metric["non_overlapping"]) == ("tok/s", "higher", 5, True)


def test_text_keeps_to_its_columns(tmp_path: Path) -> None:
    """110 of them for files and pipes, whatever the terminal; paths are never broken, and colour is for terminals alone."""
    found = audit_path(build(tmp_path, _case("continuous batching")))
    text = render(found, "text")
    assert all(len(line) <= 110 or " " not in line.strip() for line in text.splitlines())
    narrow, painted = render(found, "text", width=70), render(found, "text", colour=True)
    assert max(map(len, narrow.splitlines())) < max(map(len, painted.splitlines()))
    assert "\x1b[33mFLAG\x1b[0m" in painted and "\x1b" not in text
    assert f"{LEG}/cand/launch_000/bench_runs.jsonl" in narrow


def test_several_verdicts_end_in_one_word(tmp_path: Path) -> None:
    """The worst first."""
    run = Run(tmp_path)
    run.aa("baseline/set_1", Server())
    run.ab(LEG, Server(), Server(1100, effective=EAGER))
    run.ab("config/c02", Server(), Server(850, effective=EAGER))
    run.patch(LEG, EAGER, short_name="c01")
    run.patch("config/c02", EAGER, short_name="c02")
    assert render(audit_path(run.finish()), "text").splitlines()[-1] == "2 verdicts: c02 FAIL, c01 PASS"


# ---- the questions behind the figures


def test_explained(tmp_path: Path) -> None:
    """The same verdict to the byte, and for each named question its text, columns and rows."""
    run = build(tmp_path, CASES[0])
    found = explained(run, "c01")[0]
    assert canonical_json(found.verdict) == canonical_json(audit_path(run)[0])
    named = {name for finding in found.verdict.findings for name in finding.sql}
    assert {question.name for question in found.questions} == named
    metrics = next(question for question in found.questions if question.name == "leg_metrics")
    assert metrics.columns[:4] == ("leg", "metric", "n", "median") and "SELECT" in metrics.text
    median = found.verdict.metrics["output_throughput"].ref
    assert median is not None
    assert [row[3] for row in metrics.rows if row[:2] == ("ref", "output_throughput")] == [median.median]
    with pytest.raises(AuditError, match="no request is named 'c09'"):
        explained(run, "c09")
