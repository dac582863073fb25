"""Answers that broke: wrong inside the timed windows, going round in circles, padded, endless, empty, written by a damaged decoder."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from proof.inject import probes, texts
from proof.inject.bases import FOREIGN
from proof.inject.draft import Draft
from proof.inject.recipe import Edit, Recipe
from proof.inject.texts import Said

OURS = ("ours",)
LAYERS = ("without layers 0", "without layers 1", "without layers 1 2", "values scrambled", "keys scrambled")
"""Variants whose damage is gross by `proof.coherence.calibrate`: of a milder one, half of the answers are sound and tell nothing."""
DUMP = "GEAK parity dump: prompt, output"
THOUGHT = ("The user asks for a short answer.", "I should name the thing first and then say why.", "Two facts are enough here.")
Change = Callable[[Said, float, random.Random], str]


def _wrong(draft: Draft, legs: Sequence[str], share: float, rng: random.Random) -> None:
    """This share of the requests of these legs is answered well-formed and wrong; the same requests in every leg."""
    for leg in legs:
        draws = random.Random(f"{rng.getrandbits(1)}:{draft.base}") if len(legs) == 1 else random.Random(f"same:{share}")
        for launch in draft.leg(leg):
            for at in probes.chosen(len(launch.requests), share, draws):
                item = launch.requests[at]
                item["answer"] = item["answer"].replace('"id": ', f'"id": {draws.randint(1, 9)}')


def _wrong_reference(draft: Draft, size: float, rng: random.Random) -> None:
    _wrong(draft, ("aa", "ref", "cand"), size, rng)


def _few_wrong(draft: Draft, size: float, rng: random.Random) -> None:
    """One answer in a hundred is wrong in every leg."""
    _wrong(draft, ("aa", "ref", "cand"), 0.01, rng)


def _wrong_candidate(draft: Draft, size: float, rng: random.Random) -> None:
    _wrong(draft, ("cand",), size, rng)


def _endless(legs: Sequence[str]) -> Edit:
    """This share of the answers of these legs runs into the limit; all others end by themselves."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        draws = rng.getrandbits(32)
        for leg in ("aa", "ref", "cand"):
            for launch in draft.leg(leg):
                late = set(probes.chosen(len(launch.requests), size, random.Random(draws)))
                for at, item in enumerate(launch.requests):
                    item["stop_reason"] = "length" if leg in legs and at in late else "stop"

    return edit


def _asked(draft: Draft, share: float, change: Change, rng: random.Random) -> None:
    """This share of the candidate's probe is answered otherwise; a graded task says that both legs are as good."""
    said = probes.sound(draft, rng)
    places = probes.chosen(len(said), share, rng)
    probes.parity(draft, said, probes.replaced(said, places, [change(said[at], share, rng) for at in places]))


def _broken(change: Change) -> Edit:
    return lambda draft, size, rng: _asked(draft, size, change, rng)


def _reworded(draft: Draft, size: float, rng: random.Random) -> None:
    """As many answers differ, in sound words."""
    said = probes.sound(draft, rng)
    places = probes.chosen(len(said), min(size, 1.0), rng)
    probes.parity(draft, said, probes.replaced(said, places, [texts.reworded(said)[at] for at in places]))


def _loop(said: Said, size: float, rng: random.Random) -> str:
    return texts.looping(said.answer, rng.randint(20, 60))


def _circle(said: Said, size: float, rng: random.Random) -> str:
    return f"{said.answer} {texts.circling(rng)}"


def _damage(said: Said, size: float, rng: random.Random) -> str:
    return texts.damaged(LAYERS, 1, rng)[0]


def _longer(draft: Draft, size: float, rng: random.Random) -> None:
    """Every answer of the candidate goes round in its last words until it is this many times as long."""
    said = probes.sound(draft, rng)
    probes.parity(draft, said, [texts.looping(item.answer, 400)[: round(size * len(item.answer))] for item in said])


def _longer_in_words(draft: Draft, size: float, rng: random.Random) -> None:
    """Every answer of the candidate is followed by others as sound, up to four."""
    said = probes.sound(draft, rng)
    more = [
        " ".join(other.answer for other in texts.PLAIN[: min(4, max(1, round(size)))] if other.answer != item.answer)
        for item in said
    ]
    probes.parity(draft, said, [f"{item.answer} {extra}" for item, extra in zip(said, more, strict=True)])


def _padded(draft: Draft, size: float, rng: random.Random) -> None:
    """So many end marks stand behind every answer of the candidate."""
    said = probes.sound(draft, rng)
    mark = rng.choice(("</s>", "<|endoftext|>", "<pad>"))
    probes.parity(draft, said, [item.answer + mark * int(size) for item in said])


def _silent(draft: Draft, size: float, rng: random.Random) -> None:
    _thinking(draft, size, rng)


def _spoken(draft: Draft, size: float, rng: random.Random) -> None:
    _thinking(draft, 0.0, rng)


def _thinking(draft: Draft, share: float, rng: random.Random) -> None:
    """All answer after some thought; the candidate's thought is in other words, and this share of it never comes to an end."""
    said = probes.sound(draft, rng)
    silent = set(probes.chosen(len(said), share, rng)) if share else set()
    ref = [item._replace(answer=f"<think>\n{rng.choice(THOUGHT)}\n</think>\n{item.answer}") for item in said]
    cand = [
        f"<think>\n{rng.choice(THOUGHT)}" + ("" if at in silent else f"\n</think>\n{item.answer}") for at, item in enumerate(said)
    ]
    probes.parity(draft, ref, cand)


def _never_ends(share_of: float) -> Edit:
    """This share of the candidate's probe runs into the limit where the reference ends by itself; its words are the same up to there."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        said = probes.sound(draft, rng)
        late = set(probes.chosen(len(said), size * share_of, rng)) if share_of else set()
        tail = " And there is more to say about it, in"
        cand = probes.parity(draft, said, [item.answer + (tail if at in late else "") for at, item in enumerate(said)])
        for name in ("parity_base", "parity_base2"):
            for item in draft.beside[f"parity/{name}.json"]:
                item["finish_reason"] = "stop"
        for at, item in enumerate(cand):
            item["finish_reason"] = "length" if at in late else "stop"

    return edit


RECIPES = (
    Recipe("reference-answers-wrong", ("K01",), "stopwatch: requests.jsonl answer, expected", OURS, (0.15, 0.4, 0.9),
           "Both legs give this share of the known answers wrong, the same ones.", _wrong_reference, _few_wrong, critical=True),
    Recipe("wrong-under-load", ("K20", "K08", "K04"), "stopwatch: requests.jsonl answer, expected", OURS, (0.03, 0.1, 0.5),
           "The candidate answers this share of the timed requests well-formed and wrong.", _wrong_candidate, _few_wrong, critical=True),
    Recipe("answers-no-longer-end", ("K31",), "stopwatch: requests.jsonl stop_reason", OURS, (0.05, 0.2, 1.0),
           "This share of the candidate's answers runs into the limit, the reference's end by themselves.", _endless(("cand",)), _endless(("aa", "ref", "cand")), critical=True),
    Recipe("probe-no-longer-ends", ("K31",), "GEAK parity dump: finish_reason", FOREIGN, (0.2, 0.5, 1.0),
           "This share of the candidate's probe runs into the limit where the reference ends.", _never_ends(1.0), _never_ends(0.0), critical=True),
    Recipe("answers-go-round", ("T06",), DUMP, FOREIGN, (0.2, 0.5, 1.0),
           "This share of the candidate's answers goes round in its last words.", _broken(_loop), _reworded, critical=True),
    Recipe("answers-go-round-nearly", ("T07", "T06"), DUMP, FOREIGN, (0.2, 0.5, 1.0),
           "This share of the candidate's answers says one sentence over and over with a word exchanged.", _broken(_circle), _reworded, critical=True),
    Recipe("longer-by-loops", ("W08", "T06"), DUMP, FOREIGN, (1.5, 4.0, 20.0),
           "The candidate's answers are this many times as long, by going round.", _longer, _longer_in_words, critical=True),
    Recipe("end-marks-as-tokens", ("W07",), DUMP, FOREIGN, (3.0, 8.0, 60.0),
           "So many end marks stand behind the candidate's answers.", _padded, _reworded, critical=True),
    Recipe("thought-without-answer", ("W23",), DUMP, FOREIGN, (0.2, 0.5, 1.0),
           "This share of the candidate's answers ends within its thought.", _silent, _spoken, critical=True),
    Recipe("layers-left-out", ("K28", "K20", "T06"), DUMP, FOREIGN, (0.2, 0.5, 1.0),
           "This share of the candidate's answers is what a model wrote whose layers or values were broken; the graded task was another build's.", _broken(_damage), _reworded, critical=True),
)  # fmt: skip
