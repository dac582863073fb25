"""Luck sold as a gain, and repeats or launches that are missing, too few, too short or too many."""

from __future__ import annotations

import math
import random

from proof.inject import edits, foreign, shape
from proof.inject.bases import ALL, LAUNCHES
from proof.inject.draft import Draft
from proof.inject.recipe import Recipe

SIX = (-1.27, -0.64, -0.2, 0.2, 0.64, 1.27)
FOUR = (-1.03, -0.3, 0.3, 1.03)
"""What the lowest, second lowest, ... of six and of four normal draws are on average, in SDs."""
FLAT = ("sglang-flat", "vllm-files")
SPEED = 800.0
"""Output tok/s at which repeats of every base last long enough, gains of a third included."""


def _scores(size: float, scores: tuple[float, ...], gain: float = 0.0) -> list[float]:
    """Speeds of launches that scatter by ``size`` percent, faster by ``gain`` percent."""
    return [SPEED * (1 + gain / 100) * math.exp(size / 100 * score) for score in scores]


def _sorted_luck(draft: Draft, size: float, rng: random.Random) -> None:
    """Six launches of one distribution: the slow half is called the reference. The A/A set shows the scatter as it is."""
    shape.levels(draft, "aa", _scores(size, FOUR), rng)
    shape.levels(draft, "ref", _scores(size, SIX[:3]), rng)
    shape.levels(draft, "cand", _scores(size, SIX[3:]), rng)


def _true_over_scatter(draft: Draft, size: float, rng: random.Random) -> None:
    """The same scatter, and a candidate that is faster by eight times that and 8 %."""
    shape.levels(draft, "aa", _scores(size, FOUR), rng)
    shape.levels(draft, "ref", _scores(size, SIX[::2]), rng)
    shape.levels(draft, "cand", _scores(size, SIX[1::2], 8 + 8 * size), rng)


def _repeats_as_samples(draft: Draft, size: float, rng: random.Random) -> None:
    """Launches of one distribution dealt so that twelve repeats differ by any test of repeats; the A/A set was a quiet one."""
    shape.levels(draft, "ref", _scores(size, (SIX[0], SIX[1], SIX[3])), rng, 0.0004)
    shape.levels(draft, "cand", _scores(size, (SIX[2], SIX[4], SIX[5])), rng, 0.0004)


def _enough_launches(draft: Draft, size: float, rng: random.Random) -> None:
    """Launches as restless, dealt evenly, and a candidate that is faster by eight times their scatter and 8 %."""
    shape.levels(draft, "ref", _scores(size, (SIX[0], SIX[3], SIX[4])), rng, 0.0004)
    shape.levels(draft, "cand", _scores(size, (SIX[1], SIX[2], SIX[5]), 8 + 8 * size), rng, 0.0004)


def _borrowed(draft: Draft, size: float, rng: random.Random) -> None:
    """One launch a leg, both out of the distribution that the A/A set shows, one SD apart; the band is of another workload."""
    shape.first_launches(draft, 1)
    shape.levels(draft, "aa", _scores(size, FOUR), rng, 0.0004)
    shape.levels(draft, "ref", _scores(size, (-0.5,)), rng, 0.0004)
    shape.levels(draft, "cand", _scores(size, (0.5,)), rng, 0.0004)


def _own_band(draft: Draft, size: float, rng: random.Random) -> None:
    """One launch a leg as well; the gain is more than twice what the whole A/A set spans."""
    shape.first_launches(draft, 1)
    shape.levels(draft, "aa", _scores(size, FOUR), rng, 0.0004)
    shape.levels(draft, "ref", _scores(size, (0.0,)), rng, 0.0004)
    shape.levels(draft, "cand", _scores(size, (0.0,), 3 + 6 * size), rng, 0.0004)


def _trimmed(draft: Draft, size: float, rng: random.Random) -> None:
    """Five candidate repeats, three of them as slow as the reference; the two others are shown."""
    shape.series(draft, "ref", [1000 * foreign.jitter(rng, 0.001) for _ in range(5)])
    shape.remeasure(draft, "cand", [1000 * (1 + size / 100) * foreign.jitter(rng, 0.0005) for _ in range(2)], rng)


def _both_short(draft: Draft, size: float, rng: random.Random) -> None:
    """Two repeats a leg, the candidate's truly faster."""
    for leg, tok_s in (("ref", 1000.0), ("cand", 1000 * (1.02 + size / 100))):
        shape.remeasure(draft, leg, [tok_s * foreign.jitter(rng, 0.0005) for _ in range(2)], rng)


def _slow_left_out(draft: Draft, size: float, rng: random.Random) -> None:
    """Five repeats a leg were planned; the slowest of the candidate are not shown."""
    shape.no_gain(draft)
    edits.speed(draft, draft.leg("cand"), 1.012)
    (launch,) = draft.leg("cand")
    kept = sorted(range(5), key=lambda place: shape.speed_of(launch.rows[place]))[int(size) :]
    launch.rows = [launch.rows[place] for place in sorted(kept)]
    draft.request["planned"] = {"repeats": 5}


def _planned_short(draft: Draft, size: float, rng: random.Random) -> None:
    """Fewer repeats were planned, and both legs have them."""
    for leg in ("ref", "cand"):
        (launch,) = draft.leg(leg)
        launch.rows = launch.rows[: 5 - int(size)]
    shape.stamp(draft)
    draft.request["planned"] = {"repeats": 5 - int(size)}


def _stopped_early(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's measuring stopped after a fast first repeat in so many launches; two were planned."""
    shape.no_gain(draft)
    for launch in draft.leg("cand"):
        edits.repeat_speed(draft, launch, 0, 1.03)
    for launch in draft.leg("cand")[: int(size)]:
        launch.rows = launch.rows[:1]
    draft.request["planned"] = {"repeats": 2}


def _all_planned_once(draft: Draft, size: float, rng: random.Random) -> None:
    """One repeat a launch was planned, and every launch has one."""
    for launch in draft.launches:
        launch.rows = launch.rows[:1]
    shape.stamp(draft)
    draft.request["planned"] = {"repeats": 1}


def _one_repeat(draft: Draft, size: float, rng: random.Random) -> None:
    """One repeat a leg, and the candidate's was lucky."""
    _single(draft, 1)
    shape.levels(draft, "ref", [1000.0], rng)
    shape.levels(draft, "cand", [1000 * (1 + size / 100)], rng)


def _few_repeats(draft: Draft, size: float, rng: random.Random) -> None:
    """Two repeats a leg, the candidate faster by the size and 8 %."""
    _single(draft, 2)
    shape.levels(draft, "ref", [SPEED], rng)
    shape.levels(draft, "cand", [SPEED * (1.08 + size / 100)], rng)


def _single(draft: Draft, repeats: int) -> None:
    """One launch a leg, and so many repeats everywhere; our servers say that no more was planned."""
    if draft.base in LAUNCHES:
        shape.first_launches(draft, 1)
    for launch in draft.launches:
        shape.drop(launch, range(repeats, len(launch.rows)))
        if launch.server:
            launch.server["plan"]["repeats"] = repeats
    shape.stamp(draft)


def _short(draft: Draft, size: float, rng: random.Random) -> None:
    """Repeats of about so many seconds, mostly ramp and drain."""
    seconds = max(row["duration"] for row in draft.rows("ref"))
    shape.fewer(draft, size / seconds)


def _long_enough(draft: Draft, size: float, rng: random.Random) -> None:
    """Fewer requests too, and every repeat still lasts 3 s."""
    least = min(row["duration"] for row in draft.rows("cand"))
    shape.fewer(draft, max(0.85, 3.5 / least))


def _cut_off(draft: Draft, size: float, rng: random.Random) -> None:
    """The campaign was cut off: the last launches of the plan are not there."""
    line = [launch for launch in draft.launches if launch.leg != "aa"]
    draft.plan = [launch.leg for launch in line]
    for launch in line[len(line) - int(size) :]:
        draft.launches.remove(launch)
    draft.request["planned"] = {"launches": 3, "repeats": 2}


def _planned_few(draft: Draft, size: float, rng: random.Random) -> None:
    """Fewer launches were planned, and all of them are there."""
    pairs = 2 if size < 3 else 1
    shape.first_launches(draft, pairs)
    draft.request["planned"] = {"launches": pairs, "repeats": 2}


def _slower(draft: Draft, size: float, rng: random.Random) -> None:
    """The change costs the size."""
    shape.no_gain(draft)
    edits.speed(draft, draft.leg("cand"), 1 / (1 + size / 100))


def _all_slower(draft: Draft, size: float, rng: random.Random) -> None:
    """Everything is slower by the size, the candidate still faster than the reference."""
    edits.speed(draft, draft.launches, 1 / (1 + size / 100))


def _slow_launches_gone(draft: Draft, size: float, rng: random.Random) -> None:
    """Six candidate launches, three of them as slow as the reference; those are gone, and their numbers with them."""
    shape.levels(draft, "ref", [SPEED * foreign.jitter(rng, 0.001) for _ in range(3)], rng)
    shape.levels(draft, "cand", [SPEED * (1 + size / 100) * foreign.jitter(rng, 0.001) for _ in range(3)], rng)
    for launch, number in zip(draft.leg("cand"), (1, 3, 4), strict=True):
        launch.where = f"cand/launch_{number:03d}"


def _numbered_on(draft: Draft, size: float, rng: random.Random) -> None:
    """Three candidate launches, as fast and 3 % more, numbered from nought on."""
    _slow_launches_gone(draft, size + 3, rng)
    for number, launch in enumerate(draft.leg("cand")):
        launch.where = f"cand/launch_{number:03d}"


ORIGINAL = {
    "ours": {"attn_implementation": "sdpa"},
    "sglang": {"attention_backend": "fa3"},
    "vllm": {"attention_backend": "FLASH_ATTN"},
}


def _swapped(draft: Draft, size: float, rng: random.Random) -> None:
    """The change costs the size: its rows lie in the reference's folder, the reference's in the candidate's."""
    edits.settings(draft, "ref", draft.lever)
    edits.settings(draft, "cand", ORIGINAL[draft.dialect])
    edits.speed(draft, draft.leg("cand"), (1 + size / 100) / shape.GAINS[draft.base])
    edits.speed(draft, draft.launches, 0.8)


def _turned_round(draft: Draft, size: float, rng: random.Random) -> None:
    """The same rows, and going back is the change that was declared."""
    _swapped(draft, size, rng)
    edits.settings(draft, "aa", draft.lever)
    draft.request["change"] = {**draft.request["change"], "flags": dict(ORIGINAL[draft.dialect])}


RECIPES = (
    Recipe("luck-of-three", ("M07", "M06"), "launch folders of rows, A/A set", LAUNCHES, (0.7, 1.5, 3.0),
           "No gain; of six launches that scatter by so many percent the slow three are called the reference.",
           _sorted_luck, _true_over_scatter, critical=True),
    Recipe("repeats-as-samples", ("M06", "M07"), "launch folders of rows", LAUNCHES, (1.0, 2.0, 4.0),
           "No gain; launches scatter by so many percent, their repeats hardly, and all repeats are counted as samples.",
           _repeats_as_samples, _enough_launches, critical=True),
    Recipe("borrowed-band", ("M14",), "launch folders of an A/A set; request: noise_band_pct", LAUNCHES, (1.0, 2.0, 5.0),
           "No gain; one launch a leg, held against a band of 0.5 % where launches scatter by so many percent.", _borrowed, _own_band),
    Recipe("trimmed-candidate", ("M11", "M10"), "rows: their number", FLAT, (1.5, 4.0, 8.0),
           "No gain; of five candidate repeats the two that were so many percent fast are shown.", _trimmed, _both_short),
    Recipe("slow-repeats-left-out", ("M10", "M27"), "rows: their number; request: planned", FLAT, (1.0, 2.0, 3.0),
           "So many of five planned candidate repeats, the slowest, are not shown.", _slow_left_out, _planned_short, critical=True),
    Recipe("stopped-after-a-fast-one", ("M27", "M10"), "rows of a launch: their number; request: planned", ("sglang-launches", "vllm-launches"), (1.0, 2.0, 3.0),
           "No gain; so many candidate launches stopped after their first, fast repeat.", _stopped_early, _all_planned_once, critical=True),
    Recipe("one-repeat-a-side", ("M28",), "rows: their number", ALL, (2.0, 8.0, 30.0),
           "No gain; a single repeat a leg, the candidate's lucky by so many percent.", _one_repeat, _few_repeats, critical=True),
    Recipe("short-windows", ("M16",), "any row: duration", ALL, (2.4, 1.3, 1.0),
           "Timed repeats of about so many seconds: ramp and drain weigh too much.", _short, _long_enough),
    Recipe("cut-off-campaign", ("R14", "M10"), "launch folders; request and server.json: the plan", LAUNCHES, (1.0, 2.0, 3.0),
           "The last so many launches of the plan are missing, and the rest is handed in as the whole.", _cut_off, _planned_few, critical=True),
    Recipe("slower-change", ("A14", "M07"), "any row: output_throughput", ALL, (2.0, 8.0, 25.0),
           "The change makes serving slower by so many percent and is handed in to be kept.", _slower, _all_slower, critical=True),
    Recipe("slow-launches-gone", ("M10",), "launch folders: their numbers", ("sglang-launches", "vllm-launches"), (1.5, 4.0, 10.0),
           "No gain over six candidate launches; the three that were not so many percent fast are gone, and so are their numbers.",
           _slow_launches_gone, _numbered_on, critical=True),
    Recipe("swapped-legs", ("H02", "C10"), "any record of settings: the declared value stands in the reference", ALL, (3.0, 8.0, 25.0),
           "The change costs so many percent; the folders of the legs were exchanged.", _swapped, _turned_round, critical=True),
)  # fmt: skip
