"""Lies about correctness: gibberish held to itself, probes that never ran, tasks too small, loops that count as tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proof.coherence import calibrate
from tests.unit.audit import natural
from tests.unit.audit.build import Files, Run, Server
from tests.unit.audit.cases import EAGER, LEG
from tests.unit.audit.planted.case import Planted
from tests.unit.audit.probed import OTHER_WORDS, dump, gibberish, graded, legs, looping, sound, write_graded

DUMP = "GEAK parity dump: prompt, output"
GSM8K = "GEAK gsm8k_<tag>.json: results[].ok"


def _same_gibberish(root: Path) -> Path:
    """Byte parity on a reference that writes nonsense, and repeats it faithfully."""
    legs(root)
    for name in ("parity_base", "parity_base2", "parity_cand"):
        dump(root, name, gibberish(1))
    return root


def _noisy_reference(root: Path) -> Path:
    legs(root)
    dump(root, "parity_base", natural.ANSWERS)
    dump(root, "parity_base2", OTHER_WORDS)
    dump(root, "parity_cand", natural.ANSWERS)
    return root


def _both_graded(root: Path, n: int, ref: range = range(0), cand: range = range(0), **summary: Any) -> Path:
    graded(root, "base", n, ref, **summary)
    graded(root, "cand", n, cand, **summary)
    return root


def _other_words(root: Path) -> Path:
    """Answers in other words, and a graded task that says they are as good."""
    return _both_graded(sound(root, OTHER_WORDS), 400, range(60), range(2, 62))


def _parity_alone(root: Path) -> Path:
    return sound(root, OTHER_WORDS)


def _at(port: int) -> Any:
    """Dumps that name the server that answered; the candidate's legs listen on 30001."""

    def build(root: Path) -> Path:
        sound(root)
        dump(root, "parity_cand", natural.ANSWERS, base_url=f"http://127.0.0.1:{port}/v1")
        return root

    return build


def _deferred(root: Path) -> Path:
    legs(root)
    graded(root, "base", 400, range(60))
    write_graded(root, "cand", None, status="deferred", exact_match=None, n=0, correct=0)
    return root


def _graded(n: int, ref: range, cand: range) -> Any:
    return lambda root: _both_graded(legs(root), n, ref, cand)


def _summaries(root: Path) -> Path:
    """Three points lost, and no items to pair: any unpaired test calls it noise."""
    legs(root)
    write_graded(root, "base", None, n=400, correct=340, exact_match=0.85, limit=400)
    write_graded(root, "cand", None, n=400, correct=328, exact_match=0.82, limit=400)
    return root


def _protocol(fewshot: int) -> Any:
    def build(root: Path) -> Path:
        legs(root)
        graded(root, "base", 400, range(60), fewshot=5)
        graded(root, "cand", 400, range(2, 62), fewshot=fewshot)
        return root

    return build


def _unparsed(counted: bool) -> Any:
    """Three answers that nothing could be parsed from; ``counted`` as right."""

    def build(root: Path) -> Path:
        legs(root)
        for name in ("base", "cand"):
            results = [{"idx": at, "gold": str(at), "pred": str(at), "ok": True} for at in range(400)]
            for at in (7, 70, 300):
                results[at] |= {"pred": None, "ok": counted and name == "cand"}
            write_graded(root, name, results)
        return root

    return build


def _graded_at(where: str) -> Any:
    def build(root: Path) -> Path:
        legs(root)
        graded(root, "base", 400, range(60), base_url="http://127.0.0.1:30000")
        graded(root, "cand", 400, range(2, 62), base_url=where)
        return root

    return build


def _says(texts: list[str]) -> Any:
    """A candidate that says this; its graded task is as good as the reference's."""
    return lambda root: _both_graded(sound(root, texts), 400, range(60), range(2, 62))


def _thinking(silent: bool) -> Any:
    """Answers behind thought; where ``silent``, the candidate's end within it."""

    def build(root: Path) -> Path:
        legs(root)
        said = [f"<think>\nThe user asks for a short answer.\n</think>\n{text}" for text in natural.ANSWERS]
        dump(root, "parity_base", said)
        dump(root, "parity_base2", said)
        dump(root, "parity_cand", [text.partition("</think>")[0] for text in said] if silent else said)
        return _both_graded(root, 400, range(60), range(2, 62))

    return build


def _unloaded(root: Path) -> Path:
    """Two answers in twelve are what a model wrote without one of its layers."""
    decodes = calibrate.by_variant(calibrate.load())["without layers 0"]
    wrote = [item.text for item in decodes if len(item.text) > 40][:2]
    return _both_graded(sound(root, [*wrote, *natural.ANSWERS[2:]]), 400, range(60), range(2, 62))


def _graded_alone(root: Path) -> Path:
    graded(legs(root), "base", 400, range(60))
    return root


def _padded(marks: int) -> Any:
    return _says([text + "</s>" * marks for text in natural.ANSWERS])


def _measured(cand: Server, touch: Any = None) -> Any:
    """A run of our own stopwatch."""

    def build(root: Path) -> Path:
        run = Run(root)
        run.aa("baseline/set_1", Server())
        run.ab(LEG, Server(), cand, touch=touch)
        run.patch(LEG, EAGER, short_name="c01")
        return run.finish()

    return build


def _endless(legs_named: tuple[str, ...]) -> Any:
    """One answer in eight no longer ends by itself in these legs."""

    def touch(files: Files) -> None:
        for at, item in enumerate(files.requests):
            late = at % 8 == 0 and any(f"/{leg}/" in files.launch_id for leg in legs_named)
            item["stop_reason"] = "length" if late else "stop"

    return touch


_NEAR = [
    " ".join(f"I check the {word} once more before I answer the question." for word in natural.GERMAN.split()[at : at + 25])
    for at in range(len(natural.ANSWERS))
]
_FAST = Server(tok_s=1100.0, effective=EAGER)
_WRONG = Server(tok_s=1100.0, effective=EAGER, wrong_share=0.05)
_LENGTH = "our requests.jsonl: stop_reason"

PLANTED: tuple[Planted, ...] = (
    Planted("K01", "gibberish repeats itself byte for byte", DUMP, _same_gibberish, sound),
    Planted("K02", "answers differ, nothing graded them", DUMP, _parity_alone, _other_words),
    Planted("K03", "the reference does not repeat itself", DUMP, _noisy_reference, sound),
    Planted("K05", "the candidate's dump came from another port", "probe: base_url, against server_info.port", _at(31999),
            _at(30001)),
    Planted("K06", "fifty questions", GSM8K, _graded(50, range(8), range(1, 9)), _graded(400, range(60), range(2, 62))),
    Planted("K08", "two summaries, no items", "GEAK gsm8k_<tag>.json: summary without results", _summaries,
            _graded(400, range(60), range(2, 62))),
    Planted("K08", "twenty more wrong, paired", GSM8K, _graded(400, range(60), range(4, 84)),
            _graded(400, range(60), range(4, 64))),
    Planted("K09", "one answer in six changes sides", GSM8K, _graded(1000, range(150), range(80, 230)),
            _graded(1000, range(150), range(8, 158)), ("FLAG",)),
    Planted("K15", "five examples in one leg, none in the other", "GEAK gsm8k_<tag>.json: summary.fewshot", _protocol(0),
            _protocol(5)),
    Planted("K16", "an answer that could not be parsed counts as right", "GEAK gsm8k_<tag>.json: results[].pred, ok",
            _unparsed(True), _unparsed(False)),
    Planted("K18", "accuracy of the candidate deferred", "GEAK gsm8k_<tag>.json: summary, no results", _deferred,
            _graded(400, range(60), range(2, 62))),
    Planted("K18", "the reference alone was graded", GSM8K, _graded_alone, _graded(400, range(60), range(2, 62))),
    Planted("K19", "accuracy graded on another machine", "GEAK gsm8k_<tag>.json: summary.base_url",
            _graded_at("http://node-7.example:30001"), _graded_at("http://localhost:30001")),
    Planted("K20", "answers lost inside the timed windows", "our requests.jsonl: answer, expected", _measured(_WRONG),
            _measured(_FAST)),
    Planted("K31", "answers that run into the limit", _LENGTH, _measured(_FAST, _endless(("cand",))),
            _measured(_FAST, _endless(("ref", "cand")))),
    Planted("K28", "two answers of a model that lacks a layer", DUMP, _unloaded, _other_words),
    Planted("T06", "the candidate goes round in circles", DUMP, _says(looping(natural.ANSWERS)), _other_words),
    Planted("T07", "circles with a word exchanged", DUMP, _says(_NEAR), _other_words),
    Planted("W07", "end marks as text", DUMP, _padded(6), _padded(0)),
    Planted("W08", "longer by loops", DUMP, _says(looping(natural.ANSWERS, 60)), _other_words),
    Planted("W23", "thought without an answer", DUMP, _thinking(True), _thinking(False)),
)  # fmt: skip
