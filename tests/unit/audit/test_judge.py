"""A second reader can only lower: nothing it says, does or is makes a verdict better, and it must cite what is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import AuditRequest, Verdict, audit, canonical_json, render
from audit.contract import Finding, Situation
from audit.judge import Citation, Judge, Opinion, Question, Shelf, apply
from audit.policy import load
from audit.verdict import TABLE, decide
from tests.unit.audit import natural
from tests.unit.audit.build import Run, Server
from tests.unit.audit.cases import EAGER, LEG
from tests.unit.audit.probed import dump, gibberish, legs, sound

REQUEST = AuditRequest("patch", eval_dir="ref", cand_dir="cand", what="a faster attention kernel")
RANK = {"FAIL": 0, "FLAG": 1, "PASS": 2}


@dataclass
class Answers:
    """Answers every question by a function, and remembers the questions."""

    answer: Callable[[Question], Any]

    def __post_init__(self) -> None:
        self.asked: list[Question] = []

    def ask(self, question: Question) -> Opinion | None:
        """Whatever the function says."""
        self.asked.append(question)
        found: Opinion | None = self.answer(question)
        return found


def _cite(question: Question, situation: Any = "flagged", **over: Any) -> Opinion:
    """An opinion on the first line shown, its citation true unless overridden."""
    first = question.excerpts[0]
    place = {"file": first.file, "line": first.line, "quote": first.text[:40], **over}
    return Opinion(situation, "it does not look right", Citation(**place))


def _verdict(root: Path, judge: Judge | None = None) -> Verdict:
    return audit(root, REQUEST, judge=judge)


@pytest.fixture(name="run", scope="module")
def _run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose deterministic verdict is PASS."""
    root = sound(tmp_path_factory.mktemp("run"))
    assert _verdict(root).verdict == "PASS"
    return root


@pytest.mark.parametrize(
    ("situation", "verdict", "action"),
    [
        ("flagged", "FLAG", "flag"),
        ("downgrade", "FLAG", "downgrade_headline"),
        ("not_comparable", "FAIL", "eject"),
        ("correctness_lost", "FAIL", "eject"),
    ],
)
def test_an_opinion_lowers(situation: str, verdict: str, action: str, run: Path) -> None:
    """With a citation that holds, each lowering row is reached; the reason quotes file, line and text."""
    found = _verdict(run, Answers(lambda question: _cite(question, situation) if question.about == "lever_class" else None))
    assert (found.verdict, found.action) == (verdict, action), render([found])
    added = [finding for finding in found.findings if finding.gate == "judge"]
    assert len(added) == 1
    assert ".jsonl:1" in added[0].reason
    assert added[0].evidence[0].sha256
    assert found.counts_as_kernel_win is (verdict == "FLAG" and action == "flag")


def test_the_questions_show_evidence(run: Path) -> None:
    """Each kind once, with lines that stand in the files, and the commission beside them as a claim."""
    judge = Answers(lambda _: None)
    _verdict(run, judge)
    assert [question.about for question in judge.asked] == ["lever_class", "coherence", "contradiction"]
    for question in judge.asked:
        assert question.commission == "a faster attention kernel"
        for item in question.excerpts:
            assert (run / item.file).read_text(encoding="utf-8").split("\n")[item.line - 1].startswith(item.text[:200])


def _raises(error: BaseException) -> Callable[[Question], Any]:
    def answer(_: Question) -> Any:
        raise error

    return answer


class _Odd(str):
    """A text that does something when it is looked for."""

    def __contains__(self, item: object) -> bool:
        return True


HOSTILE: dict[str, Callable[[Question], Any]] = {
    "raises": _raises(RuntimeError("no")),
    "exits": _raises(SystemExit(0)),
    "raises its own": _raises(type("Odd", (BaseException,), {})()),
    "says PASS": lambda _: "PASS",
    "a verdict of its own": lambda _: {"verdict": "PASS", "situation": "flagged"},
    "many": lambda question: [_cite(question)] * 3,
    "upgrades": lambda question: _cite(question, "pass"),
    "no situation": lambda question: _cite(question, None),
    "another row of the table": lambda question: _cite(question, "noisy"),
    "no such file": lambda question: _cite(question, "correctness_lost", file="ref/nothing.jsonl"),
    "a file outside": lambda question: _cite(question, "correctness_lost", file="../../../etc/passwd", quote="root:x:0:0"),
    "an absolute path": lambda question: _cite(question, "correctness_lost", file="/etc/passwd", quote="root:x:0:0"),
    "another line": lambda question: _cite(question, "correctness_lost", line=question.excerpts[0].line + 10_000),
    "line zero": lambda question: _cite(question, "correctness_lost", line=0),
    "line true": lambda question: _cite(question, "correctness_lost", line=True),
    "words that are not there": lambda question: _cite(question, "correctness_lost", quote="the server crashed here"),
    "nearly the words": lambda question: _cite(question, "correctness_lost", quote=question.excerpts[0].text[:30].upper() + "!"),
    "too few words": lambda question: _cite(question, "correctness_lost", quote=question.excerpts[0].text[:2]),
    "blanks": lambda question: _cite(question, "correctness_lost", quote=" " * 12),
    "an odd text": lambda question: _cite(question, "correctness_lost", quote=_Odd("never written there")),
    "a request as evidence": lambda question: _cite(question, "correctness_lost", file="audit_request.json"),
    "None": lambda _: None,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_judge_without_a_true_opinion_changes_nothing(name: str, run: Path) -> None:
    """The deterministic verdict, byte for byte."""
    alone, judged = _verdict(run), _verdict(run, Answers(HOSTILE[name]))
    assert canonical_json(judged) == canonical_json(alone)


def test_nobody_is_asked_about_a_fail(tmp_path: Path) -> None:
    """A FAIL stands as it is: no opinion can change its outcome to a milder one."""
    legs(tmp_path)
    for name in ("parity_base", "parity_base2", "parity_cand"):
        dump(tmp_path, name, gibberish(1))
    judge = Answers(lambda question: _cite(question, "flagged"))
    assert canonical_json(_verdict(tmp_path, judge)) == canonical_json(_verdict(tmp_path))
    assert judge.asked == []


def test_evidence_that_changed_after_it_was_read_voids_the_opinion(tmp_path: Path) -> None:
    """The line is looked up in the file whose digest the audit took."""
    root = sound(tmp_path)
    alone = _verdict(root)

    def swap(_: Question) -> Opinion:
        path = root / "parity" / "parity_cand.json"
        path.write_text(path.read_text(encoding="utf-8") + "\nthe server crashed here\n", encoding="utf-8")
        number = path.read_text(encoding="utf-8").split("\n").index("the server crashed here") + 1
        return Opinion("correctness_lost", "see", Citation("parity/parity_cand.json", number, "the server crashed here"))

    assert canonical_json(_verdict(root, Answers(swap))) == canonical_json(alone)


def test_our_own_runs_are_read_too(tmp_path: Path) -> None:
    """Sealed launches: an opinion citing server.json flags them."""
    run = Run(tmp_path)
    run.aa("baseline/set_1", Server())
    run.ab(LEG, Server(), Server(tok_s=1100.0, effective=EAGER))
    request = AuditRequest("patch", cand_dir=LEG, noise_dirs=["baseline/set_1"])
    run.finish()
    found = audit(tmp_path, request, judge=Answers(_cite))
    assert found.verdict == "FLAG", render([found])
    assert any("server.json" in flag for flag in found.flags)


class _Shelf(Shelf):
    """One file of known lines."""

    def __init__(self) -> None:
        self._read = {"a.jsonl": natural.ENGLISH.split("\n")}
        self._sources = {"a.jsonl": "ab" * 32}


_SITUATIONS: tuple[Situation, ...] = tuple(TABLE)
_FINDINGS = st.lists(
    st.builds(
        lambda status, situation, required: Finding(
            gate="g", status=status, reason="r", required=required, situation=situation if status in ("flag", "fail") else None
        ),
        st.sampled_from(["ok", "flag", "fail", "unknown", "n/a"]),
        st.sampled_from(_SITUATIONS),
        st.booleans(),
    ),
    max_size=6,
)
_QUOTES = st.one_of(st.text(max_size=30), st.sampled_from(natural.ENGLISH.split("\n")), st.none(), st.integers())
_OPINIONS = st.builds(
    lambda situation, reason, file, line, quote: Opinion(situation, reason, Citation(file, line, quote)),
    st.one_of(st.sampled_from(_SITUATIONS), st.text(max_size=8), st.none()),
    st.one_of(st.text(max_size=400), st.none()),
    st.one_of(st.sampled_from(["a.jsonl", "b.jsonl", "../a.jsonl"]), st.text(max_size=8)),
    st.one_of(st.integers(), st.integers(0, 6), st.booleans()),
    _QUOTES,
)
_NONSENSE = st.one_of(st.none(), st.text(), st.integers(), st.lists(st.text()), st.dictionaries(st.text(), st.text()))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(_FINDINGS, st.lists(st.one_of(_OPINIONS, _NONSENSE), max_size=6))
def test_no_answer_makes_a_verdict_better(findings: list[Finding], answers: list[object]) -> None:
    """For any findings and any answers: what was found stays, in order, and the decision never rises; added rows lower."""
    told = apply(findings, answers, _Shelf(), load().policy.judge)
    assert told[: len(findings)] == findings
    assert RANK[decide(told).verdict] <= RANK[decide(findings).verdict]
    order = [*TABLE.values()]
    if decide(told) in order and decide(findings) in order:
        assert order.index(decide(told)) <= order.index(decide(findings))
    for added in told[len(findings) :]:
        assert added.gate == "judge"
        assert added.status in ("flag", "fail")
        source = added.evidence[0]
        assert source.file == "a.jsonl"
        assert source.line is not None
        assert 1 <= source.line <= len(natural.ENGLISH.split("\n"))
