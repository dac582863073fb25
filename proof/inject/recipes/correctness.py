"""Probes that do not show what they are said to show: parity of nonsense, tasks too small, other protocols, other servers."""

from __future__ import annotations

import random

from proof.inject import edits, probes, texts
from proof.inject.bases import FOREIGN, SGLANG
from proof.inject.draft import Draft
from proof.inject.probes import TASK
from proof.inject.recipe import Edit, Recipe
from proof.making import Json

BROKEN = ("noise 1.0", "keys scrambled", "values scrambled", "without layers 0", "vocabulary soup", "embedding permuted 1.0")
DUMP, GSM8K = "GEAK parity dump: prompt, output", "GEAK gsm8k_<tag>.json: results[].ok"


def _nonsense(draft: Draft, size: float, rng: random.Random) -> None:
    """Both legs repeat the same nonsense in this share of the answers."""
    said = texts.sound(rng)
    places = probes.chosen(len(said), size, rng)
    bad = probes.replaced(said, places, texts.damaged(BROKEN, len(places), rng))
    probes.parity(draft, [item._replace(answer=answer) for item, answer in zip(said, bad, strict=True)])


def _sense(draft: Draft, size: float, rng: random.Random) -> None:
    """Both legs repeat sound answers."""
    probes.parity(draft, texts.sound(rng))


def _ungraded(draft: Draft, size: float, rng: random.Random) -> None:
    """This share of the answers differs, and no task was graded."""
    _other_words(draft, size, rng, graded=False)


def _graded_too(draft: Draft, size: float, rng: random.Random) -> None:
    """The same, and a graded task shows that both legs are as good."""
    _other_words(draft, size, rng, graded=True)


def _other_words(draft: Draft, size: float, rng: random.Random, *, graded: bool) -> None:
    said = probes.sound(draft, rng)
    if not graded:
        draft.beside = {name: value for name, value in draft.beside.items() if "gsm8k" not in name}
    places = probes.chosen(len(said), size, rng)
    probes.parity(draft, said, probes.replaced(said, places, [texts.reworded(said)[at] for at in places]))


def _unsteady(draft: Draft, size: float, rng: random.Random) -> None:
    """The reference itself answers this share in other words the second time; the candidate happens to match the first."""
    said = texts.sound(rng)
    places = probes.chosen(len(said), size, rng)
    probes.parity(draft, said, again=probes.replaced(said, places, [texts.reworded(said)[at] for at in places]))


def _steady(draft: Draft, size: float, rng: random.Random) -> None:
    """The reference says the same, this many times."""
    said = texts.sound(rng)
    probes.parity(draft, said)
    for number in range(3, 4 + round(4 * size)):
        probes.dump(draft, f"parity_base{number}", said)


def _ports(draft: Draft) -> None:
    for leg, port in (("aa", 30000), ("ref", 30000), ("cand", 30001)):
        edits.settings(draft, leg, {"host": "127.0.0.1", "port": port})


def _elsewhere(share_of: float, port: int) -> Edit:
    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        _ports(draft)
        said = texts.sound(rng)
        asked = probes.parity(draft, said)
        away = probes.chosen(len(asked), size * share_of, rng) if share_of else []
        for at, item in enumerate(asked):
            item["base_url"] = f"http://127.0.0.1:{port if at in away else 30001}/v1"

    return edit


def _grade(draft: Draft, count: int, shape: tuple[float, float, float], rng: random.Random) -> tuple[Json, Json]:
    share, points, flips = shape
    before = probes.wrong(count, share, rng)
    won = round(flips * count)
    lost = won + round(points / 100 * count)
    after = probes.moved(before, count, lost, won, rng)
    return probes.graded(draft, "base", probes.items(count, before)), probes.graded(draft, "cand", probes.items(count, after))


def _few(draft: Draft, size: float, rng: random.Random) -> None:
    """So many questions, of which both legs answer nearly the same."""
    _grade(draft, int(size), (0.15, 0.0, 0.02), rng)


def _loss(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate loses so many points of the whole task."""
    _grade(draft, TASK, (0.15, size, 0.005), rng)


def _level(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate changes half as many items, as many each way."""
    _grade(draft, TASK, (0.15, 0.0, 0.005 + min(size, 6.0) / 400), rng)


def _flips(draft: Draft, size: float, rng: random.Random) -> None:
    """This share of the items changed sides, as many each way."""
    _grade(draft, TASK, (0.45, 0.0, size / 2), rng)


def _few_flips(draft: Draft, size: float, rng: random.Random) -> None:
    _grade(draft, TASK, (0.45, 0.0, size / 20), rng)


def _protocol(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate was graded with so many examples, the reference with five."""
    _, cand = _grade(draft, TASK, (0.15, 0.0, 0.005), rng)
    cand["summary"]["fewshot"] = int(size)


def _one_protocol(draft: Draft, size: float, rng: random.Random) -> None:
    for value in _grade(draft, TASK, (0.15, 0.0, 0.005), rng):
        value["summary"]["fewshot"] = int(size)


def _unparsed(counted: bool) -> Edit:
    """So many of the candidate's answers could not be parsed, and are counted as right (or not)."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        before = probes.wrong(TASK, 0.15, rng)
        lost = set(sorted(before)[: int(size)])
        results = [{**item, "pred": None, "ok": counted} if item["idx"] in lost else item for item in probes.items(TASK, before)]
        probes.graded(draft, "base", probes.items(TASK, before))
        probes.graded(draft, "cand", results)

    return edit


def _deferred(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's task: (1) not there, (2) put off, (3) an empty file."""
    _grade(draft, TASK, (0.15, 0.0, 0.005), rng)
    name = "gsm8k_cand.json"
    del draft.beside[name]
    if size == 2:
        probes.graded(draft, "cand", None, status="deferred", exact_match=None)
    elif size == 3:
        draft.beside[name] = {}


def _done(draft: Draft, size: float, rng: random.Random) -> None:
    _grade(draft, TASK, (0.15, 0.0, 0.005), rng)


def _graded_at(draft: Draft, where: str, rng: random.Random) -> None:
    _ports(draft)
    ref, cand = _grade(draft, TASK, (0.15, 0.0, 0.005), rng)
    ref["summary"]["base_url"], cand["summary"]["base_url"] = "http://127.0.0.1:30000", where


def _other_server(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's task was answered (1) on another port, (2) on another machine, (3) on both."""
    where = ("http://127.0.0.1:31999", "http://node-7.example:30001", "http://node-7.example:8000")[int(size) - 1]
    _graded_at(draft, where, rng)


def _own_server(draft: Draft, size: float, rng: random.Random) -> None:
    _graded_at(draft, ("http://127.0.0.1:30001", "http://localhost:30001", "http://0.0.0.0:30001")[int(size) - 1], rng)


def _cut(share_of: float) -> Edit:
    """This share of the candidate's graded answers was cut at a limit, and is wrong for it."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        before = probes.wrong(TASK, 0.2, rng)
        for leg in ("base", "cand"):
            results = probes.items(TASK, before)
            short = set(sorted(before)[: round(size * share_of * TASK)]) if leg == "cand" else set()
            for item in results:
                item["finish_reason"] = "length" if item["idx"] in short else "stop"
            probes.graded(draft, leg, results)

    return edit


RECIPES = (
    Recipe("parity-of-nonsense", ("K01",), DUMP, FOREIGN, (0.4, 0.7, 1.0),
           "In this share of the answers both legs repeat, byte for byte, what a broken model wrote.", _nonsense, _sense, critical=True),
    Recipe("answers-differ-ungraded", ("K02",), DUMP, FOREIGN, (0.1, 0.5, 1.0),
           "This share of the candidate's answers differs, and nothing graded them.", _ungraded, _graded_too, critical=True),
    Recipe("reference-does-not-repeat", ("K03", "K02"), DUMP, FOREIGN, (0.1, 0.5, 1.0),
           "This share of the reference's answers differs from its own second decode.", _unsteady, _steady, critical=True),
    Recipe("probed-elsewhere", ("K05", "K19"), "parity dump: base_url; sglang server_info: port", SGLANG, (0.25, 0.5, 1.0),
           "This share of the candidate's probe was answered by a server that was not timed.", _elsewhere(1.0, 31999), _elsewhere(0.0, 30001), critical=True),
    Recipe("too-few-questions", ("K06", "K08"), "GEAK gsm8k_<tag>.json: n, results", FOREIGN, (100.0, 50.0, 20.0),
           "That the candidate is as good rests on so many questions.", _few, _done, critical=True),
    Recipe("points-lost", ("K08",), GSM8K, FOREIGN, (2.0, 6.0, 20.0),
           "The candidate loses so many points of the whole task.", _loss, _level, critical=True),
    Recipe("answers-change-sides", ("K09",), GSM8K, FOREIGN, (0.12, 0.25, 0.5),
           "This share of the items changed sides behind an equal score.", _flips, _few_flips, verdicts=("FLAG",)),
    Recipe("other-protocol", ("K15",), "GEAK gsm8k_<tag>.json: summary.fewshot", FOREIGN, (4.0, 2.0, 0.0),
           "The candidate was graded with so many examples in the prompt, the reference with five.", _protocol, _one_protocol, critical=True),
    Recipe("unparsed-counts-as-right", ("K16",), "GEAK gsm8k_<tag>.json: results[].pred, ok", FOREIGN, (2.0, 20.0, 100.0),
           "So many answers from which nothing could be parsed count as right.", _unparsed(counted=True), _unparsed(counted=False), critical=True),
    Recipe("task-put-off", ("K18", "K05"), "GEAK gsm8k_<tag>.json of the candidate", FOREIGN, (1.0, 2.0, 3.0),
           "The candidate's graded task is (1) not there, (2) put off, (3) an empty file.", _deferred, _done, critical=True),
    Recipe("graded-on-another-server", ("K19", "K05"), "GEAK gsm8k_<tag>.json: summary.base_url; sglang server_info: host, port", SGLANG, (1.0, 2.0, 3.0),
           "The candidate's task was answered (1) on another port, (2) on another machine, (3) on both.", _other_server, _own_server, critical=True),
    Recipe("graded-answers-cut", ("K30", "T09", "K31"), "GEAK gsm8k_<tag>.json: results[].finish_reason", FOREIGN, (0.12, 0.15, 0.19),
           "This share of the candidate's graded answers was cut at a length limit.", _cut(1.0), _cut(0.05), critical=True),
)  # fmt: skip
