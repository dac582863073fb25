"""Correctness from probes: which file is whose, what is damage, what counts as proof, and what stays open."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit import AuditRequest, Finding, Verdict, audit, audit_path, render
from audit.policy import load
from tests.unit.audit import natural
from tests.unit.audit.build import Run, Server, foreign, sglang_row
from tests.unit.audit.cases import EAGER, LEG
from tests.unit.audit.probed import INFO, OTHER_WORDS, dump, gibberish, graded, legs, looping, sound, write_graded

RIGHT = range(60)


def _verdict(root: Path) -> Verdict:
    found = audit_path(root)
    assert len(found) == 1
    return found[0]


def _told(verdict: Verdict, gate: str = "correctness") -> list[Finding]:
    return [finding for finding in verdict.findings if finding.gate == gate]


def _gibberish(root: Path) -> None:
    for name, seed in (("parity_base", 1), ("parity_base2", 2), ("parity_cand", 3)):
        dump(root, name, gibberish(seed))


def _worthless(root: Path) -> None:
    graded(root, "base", 400, range(400))
    graded(root, "cand", 400, range(400))


def _nothing(root: Path) -> None:
    """No probe at all."""


def _sound(root: Path) -> None:
    sound(root)


def _alone(root: Path) -> None:
    dump(root, "parity_base", natural.ANSWERS)


def _graded_alone(root: Path) -> None:
    graded(root, "base", 400, RIGHT)


def _repeated_alone(root: Path) -> None:
    for name in ("parity_base", "parity_base2"):
        dump(root, name, natural.ANSWERS)


def _exchanged(*others: str) -> Callable[[Path], None]:
    """A candidate whose first answers are these, beside a graded task that calls both legs as good."""

    def write(root: Path) -> None:
        sound(root, [*others, *natural.ANSWERS[len(others) :]])
        _enough(root)

    return write


def _some_endless(count: int, before: int = 0, tail: str = " And there is much more to say about it.") -> Callable[[Path], None]:
    """So many answers of the candidate run on into the limit, and so many of the reference's too."""

    def write(root: Path) -> None:
        sound(root, OTHER_WORDS)
        _enough(root)
        for name, late in (("parity_base", before), ("parity_base2", before), ("parity_cand", before + count)):
            path = root / "parity" / f"{name}.json"
            items = json.loads(path.read_text(encoding="utf-8"))
            for at, item in enumerate(items):
                item["finish_reason"] = "length" if at < late else "stop"
                item["output"] += tail if at < late and name == "parity_cand" else ""
            path.write_text(json.dumps(items), encoding="utf-8")

    return write


def _partly_elsewhere(port: int) -> Callable[[Path], None]:
    """Two items of the candidate's probe name this port; the others the one that was timed."""

    def write(root: Path) -> None:
        sound(root)
        path = root / "parity" / "parity_cand.json"
        items = json.loads(path.read_text(encoding="utf-8"))
        for at, item in enumerate(items):
            item["base_url"] = f"http://127.0.0.1:{port if at in (3, 7) else 30001}/v1"
        path.write_text(json.dumps(items), encoding="utf-8")

    return write


def _cand_alone(root: Path) -> None:
    dump(root, "parity_cand", natural.ANSWERS)


def _once(root: Path) -> None:
    dump(root, "parity_base", natural.ANSWERS)
    dump(root, "parity_cand", natural.ANSWERS)


def _few(root: Path) -> None:
    for name in ("parity_base", "parity_base2", "parity_cand"):
        dump(root, name, natural.ANSWERS[:3], [f"Q{at}" for at in range(3)])


def _other_prompts(root: Path) -> None:
    dump(root, "parity_base", natural.ANSWERS)
    dump(root, "parity_cand", natural.ANSWERS, [f"Q{at}" for at in range(len(natural.ANSWERS))])


def _small(root: Path) -> None:
    graded(root, "base", 50, range(8))
    graded(root, "cand", 50, range(8))


def _enough(root: Path) -> None:
    graded(root, "base", 1319, range(100))
    graded(root, "cand", 1319, range(10, 112))


def _lost(root: Path) -> None:
    graded(root, "base", 1319, range(100))
    graded(root, "cand", 1319, range(10, 150))


def _other_questions(root: Path) -> None:
    graded(root, "base", 400, RIGHT)
    results = [{"idx": at + 1000, "gold": "1", "pred": "1", "ok": True} for at in range(400)]
    write_graded(root, "cand", results)


def _twice(root: Path) -> None:
    graded(root, "base", 400, RIGHT)
    graded(root, "cand", 400, RIGHT)
    graded(root, "cand_retry", 400, range(2))


def _cut(root: Path) -> None:
    for name in ("base", "cand"):
        results = [{"idx": at, "gold": "1", "pred": "1", "ok": True, "finish_reason": "length"} for at in range(400)]
        write_graded(root, name, results)


def _empty(root: Path) -> None:
    dump(root, "parity_base", natural.ANSWERS)
    dump(root, "parity_cand", [], [])


def _one_server(root: Path) -> None:
    for name in ("parity_base", "parity_base2", "parity_cand"):
        dump(root, name, natural.ANSWERS, server_id="srv-1")


def _other_model(root: Path) -> None:
    graded(root, "base", 400, RIGHT, model="org/model-7b")
    graded(root, "cand", 400, RIGHT, model="org/model-70b")


def _endless(root: Path) -> None:
    for name in ("parity_base", "parity_base2"):
        dump(root, name, natural.ANSWERS, finish_reason="stop")
    dump(root, "parity_cand", OTHER_WORDS, finish_reason="length")


def _blank(root: Path) -> None:
    for name in ("parity_base", "parity_base2"):
        dump(root, name, natural.ANSWERS)
    dump(root, "parity_cand", ["", None, *natural.ANSWERS[2:8], "", "", "", None])


@dataclass(frozen=True)
class Case:
    """Probes beside two honest legs, and what the gate says first."""

    name: str
    write: Callable[[Path], None]
    status: str
    verdict: str
    says: str
    ids: tuple[str, ...]
    word: str = "not_checked"


CASES = (
    Case("gibberish", _gibberish, "fail", "FAIL", "0 of 12 answers byte-exact: byte parity says nothing", ("K01",),
         "unverifiable_noncoherent_reference"),
    Case("no answer right", _worthless, "fail", "FAIL", "unverifiable_noncoherent_reference", ("K01",),
         "unverifiable_noncoherent_reference"),
    Case("no probe", _nothing, "unknown", "PASS", "no probe was recorded", ("K18",)),
    Case("reference alone", _alone, "unknown", "PASS", "the candidate's is missing", ("K18",)),
    Case("reference graded alone", _graded_alone, "unknown", "FAIL", "the candidate's accuracy is missing", ("K18",)),
    Case("reference repeated alone", _repeated_alone, "unknown", "FAIL", "the candidate's is missing", ("K18",)),
    Case("two loops", _exchanged(*looping(natural.ANSWERS)[:2]), "fail", "FAIL", "2 of 12 texts break", ("T06", "K20"), "lost"),
    Case("one loop", _exchanged(*looping(natural.ANSWERS)[:1]), "ok", "PASS", "12 lost, 10 won", ("K08",), "ok"),
    Case("damage and a stranger", _exchanged(gibberish(4)[0], "def plosti(fous): return gu % 415"), "fail", "FAIL",
         "1 more have nothing in common", ("K28", "K20"), "lost"),
    Case("two strangers", _exchanged("def plosti(fous): return gu % 415", "quarterly zebra lamps humming upward"), "ok", "PASS",
         "12 lost, 10 won", ("K08",), "ok"),
    Case("two endless", _some_endless(2), "fail", "FAIL", "2 of 12 answers of the candidate run into", ("K31",), "lost"),
    Case("two near the limit", _some_endless(2, tail=""), "ok", "PASS", "12 lost, 10 won", ("K08",), "ok"),
    Case("two endless beside two", _some_endless(2, 2), "ok", "PASS", "12 lost, 10 won", ("K08",), "ok"),
    Case("partly elsewhere", _partly_elsewhere(31999), "unknown", "FAIL", "port 31999; leg cand was timed on port 30001 (2 of 12",
         ("K05", "K19")),
    Case("all here", _partly_elsewhere(30001), "ok", "PASS", "12 of 12 answers byte-exact", ("K02",), "ok"),
    Case("candidate alone", _cand_alone, "unknown", "FAIL", "the reference's is missing", ("K18",)),
    Case("decoded once", _once, "unknown", "FAIL", "decoded once", ("K03", "K02")),
    Case("three answers", _few, "unknown", "FAIL", "fewer than 8", ("K06",)),
    Case("other prompts", _other_prompts, "unknown", "FAIL", "other prompts", ("K02", "W05")),
    Case("parity", _sound, "ok", "PASS", "12 of 12 answers byte-exact", ("K02", "K03"), "ok"),
    Case("fifty questions", _small, "unknown", "FAIL", "with 50 items a loss of 17.6 points", ("K06", "K08"), "underpowered"),
    Case("all questions", _enough, "ok", "PASS", "12 lost, 10 won", ("K06", "K08"), "ok"),
    Case("questions lost", _lost, "fail", "FAIL", "correctness lost: 3.03 points", ("K08",), "lost"),
    Case("other questions", _other_questions, "unknown", "FAIL", "other questions", ("K15", "K08")),
    Case("two results", _twice, "unknown", "FAIL", "two files grade leg cand", ("K18", "M10")),
    Case("cut off", _cut, "unknown", "FAIL", "400 of 400 answers were cut off", ("K30", "T09")),
    Case("empty dump", _empty, "unknown", "FAIL", "parity_cand.json is empty", ("K18", "K05")),
    Case("one server", _one_server, "unknown", "FAIL", "server_id is 'srv-1'", ("K05",)),
    Case("other model", _other_model, "unknown", "FAIL", "model 'model-70b'", ("K19",)),
    Case("endless answers", _endless, "fail", "FAIL", "12 of 12 answers of the candidate run into", ("K31",), "lost"),
    Case("blank answers", _blank, "fail", "FAIL", "texts break in the candidate", ("W23",), "lost"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_the_probes_show(case: Case, tmp_path: Path) -> None:
    """First finding, verdict, and the verdict's word on correctness."""
    case.write(legs(tmp_path))
    found = _verdict(tmp_path)
    first = _told(found)[0]
    assert (first.status, found.verdict, found.correctness_status) == (case.status, case.verdict, case.word), render([found])
    assert case.says in first.reason
    assert set(case.ids) <= set(first.ids)
    assert all(source.sha256 for source in first.evidence)


@dataclass(frozen=True)
class Hurt:
    """A damaged probe file and what must be said of it."""

    name: str
    file: str
    text: str
    says: str


_ITEM = '{"idx": 1, "gold": "4", "pred": "4", "ok": true}'


def _task(summary: str, *items: str) -> str:
    """A graded task as text."""
    return f'{{"summary": {{{summary}}}, "results": [{", ".join(items)}]}}'


def _item(gold: str, pred: str, ok: str) -> str:
    return f'{{"idx": 1, "gold": "{gold}", "pred": "{pred}", "ok": {ok}}}'


DUMP, TASK = "parity_base.json", "gsm8k_base.json"
HURT = (
    Hurt("cut off", DUMP, '[{"prompt": "a", "output": "b"}, {"prompt": "c", "outp', "cut off"),
    Hurt("key twice", DUMP, '[{"prompt": "a", "output": "b", "output": "c"}]', "stands twice"),
    Hurt("output is a number", DUMP, '[{"prompt": "a", "output": 7}]', "neither text nor null"),
    Hurt("second item is none", DUMP, '[{"prompt": "a", "output": "b"}, 3]', "item 1"),
    Hurt("mean contradicts", TASK, _task('"exact_match": 0.5', _ITEM), "the results give 1"),
    Hurt("n contradicts", TASK, _task('"exact_match": 1.0, "n": 2', _ITEM), "'n' is 2"),
    Hurt("correct contradicts", TASK, _task('"exact_match": 1.0, "correct": 0', _ITEM), "'correct' is 0"),
    Hurt("percent for a share", TASK, _task('"exact_match": 93.1', _ITEM), "not a share"),
    Hurt("question twice", TASK, _task('"exact_match": 1.0', _ITEM, _ITEM), "stands twice"),
    Hurt("wrong is right", TASK, _task('"exact_match": 1.0', _item("4", "5", "true")), "gold is '4' and pred '5'"),
    Hurt("right is wrong", TASK, _task('"exact_match": 0.0', _item("1,000", "1000", "false")), "'ok' is false"),
    Hurt("NaN", TASK, _task('"exact_match": NaN'), "NaN"),
)


@pytest.mark.parametrize("case", HURT, ids=lambda case: case.name)
def test_a_damaged_probe_is_damage(case: Hurt, tmp_path: Path) -> None:
    """Nothing is skipped: the file is named, and nothing else is judged."""
    legs(tmp_path)
    (tmp_path / case.file).write_text(case.text)
    found = _verdict(tmp_path)
    assert (found.verdict, found.outcome) == ("FAIL", "evidence_damaged")
    assert any(case.file in reason and case.says in reason for reason in found.reasons), found.reasons


def test_the_folder_tells_the_leg_and_the_nearest_probe_counts(tmp_path: Path) -> None:
    """A dump in a leg's own folder beats one beside the pair; a strange JSON file stays a stranger."""
    legs(tmp_path)
    dump(tmp_path, "parity_base", gibberish(1))
    for leg, name in (("ref", "out.json"), ("ref", "out_2.json"), ("cand", "out.json")):
        items = [{"prompt": str(at), "output": text} for at, text in enumerate(natural.ANSWERS)]
        (tmp_path / leg / name).write_text(json.dumps(items))
    (tmp_path / "parity" / "settings.json").write_text('{"prompt": "x"}')
    first = _told(_verdict(tmp_path))[0]
    assert first.status == "ok"
    assert [source.file for source in first.evidence] == ["ref/out.json", "ref/out_2.json", "cand/out.json"]


def test_a_name_that_contradicts_its_folder_tells_nothing(tmp_path: Path) -> None:
    """``parity_cand.json`` among the reference's files belongs to nobody."""
    legs(tmp_path)
    items = [{"prompt": str(at), "output": text} for at, text in enumerate(natural.ANSWERS)]
    (tmp_path / "ref" / "parity_cand.json").write_text(json.dumps(items))
    found = _verdict(tmp_path)
    assert found.verdict == "FAIL"
    assert "which leg it probed" in _told(found)[0].reason


def test_one_proof_is_enough(tmp_path: Path) -> None:
    """Answers in other words beside a graded task: parity stays open, and is advisory."""
    sound(tmp_path, OTHER_WORDS)
    graded(tmp_path, "base", 400, RIGHT)
    graded(tmp_path, "cand", 400, range(2, 62))
    found = _verdict(tmp_path)
    assert [(item.status, item.required) for item in _told(found)] == [("ok", True), ("unknown", False)]
    assert found.verdict == "PASS"
    assert any("byte parity cannot grade" in line for line in found.not_checked)


def test_a_failure_outweighs_every_proof(tmp_path: Path) -> None:
    """A graded task as good as before does not excuse loops."""
    sound(tmp_path, looping(natural.ANSWERS))
    graded(tmp_path, "base", 400, RIGHT)
    graded(tmp_path, "cand", 400, range(2, 62))
    found = _verdict(tmp_path)
    assert (found.verdict, found.outcome, found.correctness_status) == ("FAIL", "refuted", "lost")
    assert {"T06", "W08"} <= set(_told(found)[0].ids)


def test_a_lever_that_cannot_change_answers_needs_no_probe(tmp_path: Path) -> None:
    """Logging alone: correctness is not asked, even where a probe was put off."""
    legs(tmp_path, change={"log_level": "error"})
    write_graded(tmp_path, "cand", None, status="deferred")
    first = _told(_verdict(tmp_path))[0]
    assert first.status == "n/a"
    assert "log_level" in first.reason


def test_strict_requires_what_nobody_probed(tmp_path: Path) -> None:
    """The default leaves a foreign run without probes its verdict and says what was not checked; ``strict`` does not."""
    legs(tmp_path)
    request = AuditRequest("patch", eval_dir="ref", cand_dir="cand")
    assert any(line.startswith("correctness") for line in audit(tmp_path, request).not_checked)
    strict = audit(tmp_path, request, policy="strict")
    assert [item.required for item in _told(strict)] == [True]


def test_known_answers_are_the_strongest_evidence(tmp_path: Path) -> None:
    """Our own run with its answers given: a dump that proves nothing changes nothing."""
    run = Run(tmp_path)
    run.aa("baseline/set_1", Server())
    run.ab(LEG, Server(), Server(tok_s=1100.0, effective=EAGER))
    run.patch(LEG, EAGER)
    run.finish()
    (tmp_path / LEG / "parity").mkdir()
    dump(tmp_path / LEG, "parity_base", gibberish(1))
    found = _verdict(tmp_path)
    assert (found.verdict, found.correctness_status) == ("PASS", "ok")


def test_baseline_scope_reads_text(tmp_path: Path) -> None:
    """A leg that was asked no known answers is at least readable, or it is not."""
    foreign(tmp_path / "base", [sglang_row(value, INFO) for value in (1000.0, 1001.5, 999.25)])
    request = AuditRequest("baseline", eval_dir="base")
    assert _told(audit(tmp_path, request), "coherence")[0].status == "unknown"
    (tmp_path / "base" / "parity").mkdir()
    dump(tmp_path / "base", "parity_base", natural.ANSWERS)
    assert _told(audit(tmp_path, request), "coherence")[0].status == "ok"
    dump(tmp_path / "base", "parity_base", gibberish(4))
    found = audit(tmp_path, request)
    assert (found.verdict, found.correctness_status) == ("FAIL", "unverifiable_noncoherent_reference")


def test_probes_outside_the_run_are_refused(tmp_path: Path) -> None:
    """A link that leads out is damage, not evidence."""
    run_dir = legs(tmp_path / "run")
    dump(tmp_path, "parity_cand", natural.ANSWERS)
    (run_dir / "parity_cand.json").symlink_to(tmp_path / "parity" / "parity_cand.json")
    found = _verdict(run_dir)
    assert found.outcome == "evidence_damaged"


def test_the_margin_is_the_policys() -> None:
    """The numbers of the sentences above come from here."""
    rules = load().policy.correctness
    assert (rules.margin_points, rules.loss_points, rules.p, rules.power) == (5.0, 1.0, 0.01, 0.8)
