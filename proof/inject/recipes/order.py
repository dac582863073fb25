"""When and in what order the legs were measured, how warm, how often, and beside whom."""

from __future__ import annotations

import random

from proof.inject import edits, foreign, shape
from proof.inject.bases import ALL, LAUNCHES
from proof.inject.draft import Draft
from proof.inject.recipe import Recipe

BLOCKS = ["ref"] * 3 + ["cand"] * 3


def _drifting(draft: Draft, size: float, leg_order: list[str] | None) -> None:
    """No gain, but the machine gets faster by the size from the first launch of the legs to the last."""
    shape.no_gain(draft)
    if leg_order is not None:
        shape.arrange(draft, leg_order)
    _drift(draft, size)


def _drift(draft: Draft, size: float) -> None:
    places = [(launch, row) for launch in draft.launches if launch.leg != "aa" for row in range(len(launch.rows))]
    for number, (launch, repeat) in enumerate(places):
        edits.repeat_speed(draft, launch, repeat, (1 + size / 100) ** (number / (len(places) - 1)))


def _own_blocks(draft: Draft, size: float, rng: random.Random) -> None:
    _drifting(draft, size, BLOCKS)


def _results_drift(draft: Draft, size: float, rng: random.Random) -> None:
    _drifting(draft, size, None)


def _slower_day(draft: Draft, size: float, rng: random.Random) -> None:
    """The same machine, slower by the size all the time."""
    edits.speed(draft, draft.launches, 1 / (1 + size / 100))


def _another_order(draft: Draft, size: float, rng: random.Random) -> None:
    """The plan says turns; the launches ran in blocks on a machine that drifts."""
    shape.no_gain(draft)
    draft.plan = shape.turns(3)
    queues = {leg: draft.leg(leg) for leg in ("ref", "cand")}
    draft.launches = [*draft.leg("aa"), *queues["ref"], *queues["cand"]]
    _drift(draft, size)


def _ref_first(draft: Draft, size: float, rng: random.Random) -> None:
    """No gain; the second launch of each pair is faster, and it is always the candidate's."""
    shape.no_gain(draft)
    shape.arrange(draft, ["ref", "cand"] * 3)
    edits.speed(draft, draft.leg("cand"), 1 + size / 100)


def _places_change(draft: Draft, size: float, rng: random.Random) -> None:
    """The second of each pair is faster by as much, and the legs change places."""
    pairs = [launch for launch in draft.launches if launch.leg != "aa"]
    edits.speed(draft, pairs[1::2], 1 + size / 100)


def _stale(draft: Draft, size: float, rng: random.Random) -> None:
    """No gain; the reference was measured hours earlier, on a slower day."""
    shape.no_gain(draft)
    edits.speed(draft, draft.leg("ref"), 1 / 1.043)
    shape.stamp(draft, {5: 60 * size})


def _whole_session(draft: Draft, size: float, rng: random.Random) -> None:
    """Both legs were measured so many hours later."""
    shape.stamp(draft, {0: 60 * size})


def _stale_rows(draft: Draft, size: float, rng: random.Random) -> None:
    """A gain inside the band; the reference folder still holds the results of a slower day before."""
    new, old = 1000.0, 1000.0 * (1 - size / 100)
    shape.remeasure(draft, "ref", [old * foreign.jitter(rng, 0.0003) for _ in range(5)] + [new, new * 1.0003], rng)
    shape.series(draft, "cand", [new * (1.0035 + 0.0002 * number) for number in range(5)])
    shape.stamp(draft, {5: 24 * 60.0})


def _one_session(draft: Draft, size: float, rng: random.Random) -> None:
    """Seven results of the reference in one session, the candidate truly faster."""
    shape.remeasure(draft, "ref", [1000.0 * foreign.jitter(rng, 0.0005) for _ in range(7)], rng)


def _cold(draft: Draft, size: float, rng: random.Random) -> None:
    """No gain; the candidate's servers answered warm-up requests first, the reference's none."""
    shape.no_gain(draft)
    edits.speed(draft, draft.leg("ref"), 1 / 1.03)
    for launch in draft.leg("cand"):
        launch.server["plan"]["warmup_requests"] = int(size)


def _all_warm(draft: Draft, size: float, rng: random.Random) -> None:
    """Every server answered as many warm-up requests."""
    for launch in draft.launches:
        launch.server["plan"]["warmup_requests"] = int(size)


JIT = {
    "sglang": "[2026-06-22 13:41:{second:02d} TP0] [aiter] start build [module_gemm_a8w8] under /opt/aiter/jit",
    "vllm": "(EngineCore pid=232) INFO 06-11 07:36:{second:02d} [backends.py:215] Compiling a graph for dynamic shape takes 14.62 s",
}


LOAD_LINES = {"sglang": 80, "vllm": 12}
"""Lines that a server logs in two minutes of load: SGLang every forty steps, vLLM every ten seconds."""


def _compiles(draft: Draft, legs: tuple[str, ...]) -> None:
    """All servers log their load; those of these legs compile in the midst of it."""
    for launch in draft.launches:
        load, count = launch.log[-1], LOAD_LINES[draft.dialect]
        lines = [JIT[draft.dialect].format(second=second) for second in range(3)] if launch.leg in legs else []
        launch.log = [*launch.log, *[load] * count, *lines, *[load] * count]


def _late_jit(draft: Draft, size: float, rng: random.Random) -> None:
    """No gain; the reference compiled inside its timed windows."""
    shape.no_gain(draft)
    edits.speed(draft, draft.leg("ref"), 1 / (1 + size / 100))
    _compiles(draft, ("ref",))


def _jit_everywhere(draft: Draft, size: float, rng: random.Random) -> None:
    """Every server compiles under load, and all are slower by the size."""
    edits.speed(draft, draft.launches, 1 / (1 + size / 100))
    _compiles(draft, ("aa", "ref", "cand"))


def _until_it_passes(draft: Draft, size: float, rng: random.Random) -> None:
    """No gain; launches were added until luck made one of 2 %."""
    shape.no_gain(draft)
    shape.more_launches(draft, int(size), rng)
    edits.speed(draft, draft.leg("cand"), 1.02)
    draft.request["planned"] = {"launches": 3, "repeats": 2}


def _planned_longer(draft: Draft, size: float, rng: random.Random) -> None:
    """As many launches, and as many planned."""
    shape.more_launches(draft, int(size), rng)
    draft.request["planned"] = {"launches": 3 + int(size), "repeats": 2}


def _slow_baseline(draft: Draft, size: float, rng: random.Random) -> None:
    """No gain; the reference is slower than the baseline it is meant to be."""
    draft.request["baseline_throughput"] = shape.middle(draft, "ref")
    shape.no_gain(draft)
    edits.speed(draft, draft.leg("ref"), 1 / (1 + size / 100))


def _same_baseline(draft: Draft, size: float, rng: random.Random) -> None:
    """The reference is as fast as the baseline, on a machine that is slower altogether."""
    edits.speed(draft, draft.launches, 1 / (1 + size / 100))
    draft.request["baseline_throughput"] = shape.middle(draft, "ref")


RECIPES = (
    Recipe("blocks-of-launches", ("M05",), "stopwatch: server.json started_unix, plan.order", ("ours",), (2.0, 6.0, 15.0),
           "No gain; all reference launches, then all candidate launches, on a machine that gets so many percent faster.", _own_blocks, _slower_day),
    Recipe("blocks-of-results", ("M05", "M01", "M07"), "vllm result: date, output_throughput", ("vllm-files",), (2.0, 6.0, 15.0),
           "No gain; one leg after the other, on a machine that gets so many percent faster.", _results_drift, _slower_day),
    Recipe("not-the-planned-order", ("M05", "M21"), "stopwatch: server.json plan, started_unix", ("ours",), (2.0, 6.0, 15.0),
           "No gain; planned in turns, run in blocks, on a machine that gets so many percent faster.", _another_order, _slower_day, critical=True),
    Recipe("reference-always-first", ("M21",), "stopwatch: server.json started_unix, plan.pair", ("ours",), (1.5, 4.0, 8.0),
           "No gain; the second of each pair is so many percent faster, and it is always the candidate.", _ref_first, _places_change),
    Recipe("stale-reference", ("M04",), "vllm result: date", ("vllm-files",), (3.0, 20.0, 100.0),
           "No gain; the reference was measured so many hours earlier, on a slower day.", _stale, _whole_session),
    Recipe("stale-rows-in-the-reference", ("M04", "R18", "M12"), "vllm result: date", ("vllm-files",), (2.0, 6.0, 20.0),
           "A gain inside the band; five of seven reference results are of the day before, when all was so many percent slower.", _stale_rows, _one_session),
    Recipe("reference-without-warm-up", ("M03",), "stopwatch: server.json plan.warmup_requests", ("ours",), (8.0, 64.0, 512.0),
           "No gain; only the candidate's servers were warmed, with so many requests.", _cold, _all_warm, critical=True),
    Recipe("compiled-under-load", ("M02",), "sglang and vllm server.log: build lines", ("sglang-launches", "vllm-launches"), (3.0, 10.0, 30.0),
           "No gain; the reference alone compiled inside its windows, which cost it so many percent.", _late_jit, _jit_everywhere),
    Recipe("measured-until-it-passed", ("M08",), "folders of launches; request: planned", LAUNCHES, (1.0, 2.0, 4.0),
           "No gain; so many launches a leg more than were planned, until the gain was there.", _until_it_passes, _planned_longer, critical=True),
    Recipe("crippled-reference", ("C11", "M04"), "any row: output_throughput; request: baseline_throughput", ALL, (2.0, 6.0, 20.0),
           "No gain; the reference is so many percent slower than the baseline it stands for.", _slow_baseline, _same_baseline, critical=True),
)  # fmt: skip
