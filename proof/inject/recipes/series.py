"""Series that deceive a median: climbs, cold and faulted repeats, two modes, a walk, a coarse clock, noise taken for a result."""

from __future__ import annotations

import math
import random

from proof import making
from proof.inject import edits, foreign, shape
from proof.inject.bases import LAUNCHES, Base
from proof.inject.draft import Draft, Launch
from proof.inject.recipe import Recipe
from proof.making import Json, Place, Server

FLAT = ("sglang-flat", "vllm-files")
QUIET = ("ours-baseline", "sglang-baseline", "vllm-baseline")
SCATTER = (2, 0, 4, 1, 3)
"""An order of five in which nothing rises."""


def _asked(eval_dir: str) -> Json:
    return {"schema": "countersign.request/1", "scope": "baseline", "short_name": "baseline", "eval_dir": eval_dir}


def _ours_baseline(seed: int) -> Draft:
    """Our stopwatch: a quiet A/A set of four launches with three repeats each, scope baseline."""
    rng = random.Random(f"ours-baseline:{seed}")
    server, launches = Server(launch_noise=0.001, repeat_noise=0.001), []
    for index in range(4):
        where = f"baseline/set_1/launch_{index:03d}"
        files = making.observe(where, server, Place(index, index, ("aa",) * 4, 3), making.EPOCH, rng)
        launches.append(Launch(where, "aa", files.rows, files.server, files.requests, files.host, list(files.log)))
    return Draft("ours", "ours-baseline", launches, _asked("baseline/set_1"), {})


def _sglang_baseline(seed: int) -> Draft:
    """SGLang: one quiet leg of twelve repeats, scope baseline."""
    rng = random.Random(f"sglang-baseline:{seed}")
    rows = [foreign.sglang(1000.0 * foreign.jitter(rng, 0.001), rng, foreign.SGLANG_INFO) for _ in range(12)]
    return Draft("sglang", "sglang-baseline", [Launch("baseline", "aa", rows)], _asked("baseline"), {})


def _vllm_baseline(seed: int) -> Draft:
    """vLLM: one quiet leg of twelve result files, scope baseline."""
    rng = random.Random(f"vllm-baseline:{seed}")
    rows = [foreign.vllm(1000.0 * foreign.jitter(rng, 0.001), rng, "") for _ in range(12)]
    draft = Draft("vllm", "vllm-baseline", [Launch("baseline", "aa", rows)], _asked("baseline"), {})
    shape.stamp(draft)
    return draft


EXTRA_BASES = {
    base.name: base
    for base in (
        Base("ours-baseline", "ours", _ours_baseline.__doc__ or "", _ours_baseline),
        Base("sglang-baseline", "sglang", _sglang_baseline.__doc__ or "", _sglang_baseline),
        Base("vllm-baseline", "vllm", _vllm_baseline.__doc__ or "", _vllm_baseline),
    )
}


def _steady(draft: Draft, size: float, rng: random.Random) -> None:
    """All launches are faster by the size: nothing moves inside the leg."""
    edits.speed(draft, draft.launches, 1 + size / 100)


def _climb(draft: Draft, size: float, rng: random.Random) -> None:
    """Each launch climbs by the size from its first repeat to its last."""
    for launch in draft.launches:
        last = len(launch.rows) - 1
        for repeat in range(last + 1):
            edits.repeat_speed(draft, launch, repeat, (1 + size / 100) ** (repeat / last))


def _sick(draft: Draft, size: float, rng: random.Random) -> None:
    """One repeat in the middle is slower by the size."""
    launch = draft.launches[len(draft.launches) // 2]
    edits.repeat_speed(draft, launch, len(launch.rows) // 2, 1 - size / 100)


def _bimodal(draft: Draft, size: float, rng: random.Random) -> None:
    """Half of the repeats, drawn, run faster by the size."""
    places = [(launch, repeat) for launch in draft.launches for repeat in range(len(launch.rows))]
    for launch, repeat in rng.sample(places, len(places) // 2):
        edits.repeat_speed(draft, launch, repeat, 1 + size / 100)


def _walk(draft: Draft, size: float, order: list[int]) -> None:
    (launch,) = draft.launches
    count = len(launch.rows)
    wave = [1000 * (1 + size / 200 * math.sin(2 * math.pi * (place + 0.25) / count)) for place in range(count)]
    for repeat, place in enumerate(order):
        shape.tune(draft, launch, repeat, wave[place] * _own_digits(launch.rows[repeat]))


def _own_digits(row: Json) -> float:
    """A factor: a thousandth part of a row's own scatter, so that no two repeats agree to the last digit."""
    return 1 + 1e-3 * (shape.speed_of(row) / 1000 - 1)


def _wander(draft: Draft, size: float, rng: random.Random) -> None:
    """The repeats follow one slow wave whose range is the size."""
    _walk(draft, size, list(range(12)))


def _stirred(draft: Draft, size: float, rng: random.Random) -> None:
    """The values of the same wave in an order in which neighbours are unlike."""
    _walk(draft, size, [place for half in range(6) for place in (half, half + 6)])


def _cold_ref(draft: Draft, size: float, rng: random.Random) -> None:
    shape.no_gain(draft)
    for launch in draft.leg("ref"):
        edits.repeat_speed(draft, launch, 0, 1 / (1 + size / 100))


def _all_cold(draft: Draft, size: float, rng: random.Random) -> None:
    """The first repeat of every launch is as cold, in both legs and in the A/A set."""
    for launch in draft.launches:
        edits.repeat_speed(draft, launch, 0, 1 / (1 + size / 100))


def _climbing_ref(draft: Draft, size: float, rng: random.Random) -> None:
    low = 1 + size / 100
    shape.series(draft, "ref", [1000 / low ** (1 - place / 5) * foreign.jitter(rng, 0.0005) for place in range(5)])
    shape.series(draft, "cand", [1000 * foreign.jitter(rng, 0.0005) for _ in range(5)])


def _scattered_ref(draft: Draft, size: float, rng: random.Random) -> None:
    """The reference scatters as widely, in no order, and the candidate is faster than all of it."""
    low = 1 + size / 100
    shape.series(draft, "ref", [1000 / low ** (1 - place / 5) * foreign.jitter(rng, 0.0005) for place in SCATTER])
    shape.series(draft, "cand", [1080 * foreign.jitter(rng, 0.0005) for _ in range(5)])


def _hung(draft: Draft, size: float, rng: random.Random) -> None:
    """Four reference repeats in two groups, and a sick fifth that makes the median one of the slow group."""
    gap = size / 100
    places = (1.0, 1.0004, 0.85, 1 + gap, 1.0003 + gap)
    shape.series(draft, "ref", [1000 * place for place in places])
    shape.series(draft, "cand", [1000 * (1.003 + gap + 0.0003 * number) for number in range(5)])


def _healthy(draft: Draft, size: float, rng: random.Random) -> None:
    """The same reference with a fifth repeat like the others, and a candidate that is faster."""
    gap = size / 100
    places = (1.0, 1.0004, 1.0001 + gap, 1 + gap, 1.0003 + gap)
    shape.series(draft, "ref", [1000 * place for place in places])
    shape.series(draft, "cand", [1080 * (1 + gap + 0.0003 * number) for number in range(5)])


def _modes_hit(draft: Draft, size: float, rng: random.Random) -> None:
    """Both legs run in two modes; the candidate hit the fast one six times of nine, the reference three times."""
    for leg, fast in (("ref", (1, 4, 7)), ("cand", (0, 2, 3, 5, 6, 8))):
        speeds = [1000 * (1 + size / 100 * (number in fast)) * foreign.jitter(rng, 0.0005) for number in range(9)]
        shape.remeasure(draft, leg, speeds, rng)


def _one_mode(draft: Draft, size: float, rng: random.Random) -> None:
    """Nine repeats a leg that scatter evenly over as much, the candidate's faster by twice that and more."""
    for leg, base in (("ref", 1000.0), ("cand", 1000 * (1.02 + 2 * size / 100))):
        order = rng.sample(range(9), 9)
        shape.remeasure(draft, leg, [base * (1 + size / 100 * place / 8) for place in order], rng)


def _clocked(draft: Draft, leg: str, seconds: list[float]) -> None:
    """The durations of a leg as its client's clock wrote them; what it computed from them follows."""
    (launch,) = draft.leg(leg)
    for row, duration in zip(launch.rows, seconds, strict=True):
        factor = row["duration"] / duration
        row["duration"] = duration
        for key in edits.RATES:
            if key in row and key != "max_output_tokens_per_s":
                row[key] *= factor
        if "concurrency" in row:
            row["concurrency"] *= factor


def _rounded(draft: Draft, size: float, rng: random.Random) -> None:
    """Both legs took the same time to half a tick; the clock rounds the reference up and the candidate down."""
    shape.no_gain(draft)
    ticks = round(6.2 / size)
    for leg, place in (("ref", ticks + 0.53), ("cand", ticks + 0.47)):
        shape.series(draft, leg, [foreign.REQUESTS * foreign.OSL / (size * place) * foreign.jitter(rng, 1e-4) for _ in range(5)])
        _clocked(draft, leg, [round(row["duration"] / size) * size for row in draft.rows(leg)])


def _fine(draft: Draft, size: float, rng: random.Random) -> None:
    """The same legs, the candidate truly a tick and 3 % faster, by a clock that tells microseconds."""
    edits.speed(draft, draft.leg("cand"), 1 + size / 6)
    for leg in ("ref", "cand"):
        _clocked(draft, leg, [round(row["duration"], 6) for row in draft.rows(leg)])


def _restless(draft: Draft, size: float, rng: random.Random) -> None:
    """The waits for the first token scatter over the repeats of both legs alike, with this SD in percent."""
    for leg in ("ref", "cand"):
        (launch,) = draft.leg(leg)
        steps = rng.sample([-1.16, -0.5, 0.0, 0.5, 1.16], 5)
        launch.rows = [
            shape.latency(row, "ttft", math.exp(size / 100 * step)) for row, step in zip(launch.rows, steps, strict=True)
        ]


def _promise(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate waits no less than the reference, and nobody can tell whether it waits longer."""
    shape.wait(draft, "cand", shape.GAINS[draft.base])
    _restless(draft, size, rng)
    draft.request["what"] = "another attention backend, faster with no latency regression"


def _kept_promise(draft: Draft, size: float, rng: random.Random) -> None:
    """The same promise over quiet latencies."""
    draft.request["what"] = "another attention backend, faster with no latency regression"


RECIPES = (
    Recipe("climb-in-a-baseline", ("M01", "M05", "M12"), "any row: output_throughput, in order", QUIET, (2.0, 5.0, 15.0),
           "A baseline is taken while its servers still warm up: each climbs by so many percent.", _climb, _steady),
    Recipe("sick-repeat-in-a-baseline", ("M12", "M01"), "any row: output_throughput", QUIET, (2.5, 6.0, 20.0),
           "One repeat of a baseline is so many percent too slow.", _sick, _steady),
    Recipe("two-modes-in-a-baseline", ("M13", "M12"), "any row: output_throughput", QUIET, (1.2, 3.0, 8.0),
           "Half of the repeats of a baseline run in another mode, so many percent apart.", _bimodal, _steady),
    Recipe("wandering-baseline", ("M29", "M01"), "any row: output_throughput, in order", QUIET[1:], (0.8, 1.1, 1.4),
           "The repeats of a baseline follow one slow wave over so many percent and are sold as independent.", _wander, _stirred),
    Recipe("cold-first-repeats", ("M01", "M07"), "any row: output_throughput of first repeats", LAUNCHES, (4.0, 10.0, 30.0),
           "No gain; the first repeat of every reference launch was cold, by so many percent.", _cold_ref, _all_cold),
    Recipe("climbing-reference", ("M01", "M05"), "any row: output_throughput, in order", FLAT, (3.0, 8.0, 20.0),
           "No gain; the reference warmed up by so many percent over its repeats, the candidate started warm.", _climbing_ref, _scattered_ref),
    Recipe("faulted-reference-repeat", ("M12",), "any row: output_throughput", FLAT, (0.4, 1.0, 3.0),
           "A gain inside the band; a sick reference repeat moves the median down to the slower of two groups, so many percent apart.", _hung, _healthy),
    Recipe("modes-hit-unequally", ("M13", "M07"), "any row: output_throughput", FLAT, (1.0, 4.0, 10.0),
           "No gain; both legs run in two modes so many percent apart, and the candidate hit the fast one more often.", _modes_hit, _one_mode),
    Recipe("coarse-clock", ("M24",), "any row: duration", FLAT, (0.05, 0.1, 0.5),
           "No gain; the client's clock ticks in so many seconds and rounds one leg up, the other down.", _rounded, _fine),
    Recipe("promise-over-noise", ("M30",), "any row: median_ttft_ms; request: what", FLAT, (12.0, 25.0, 60.0),
           "No latency regression is promised where the waits scatter by so many percent and exclude nothing.", _promise, _kept_promise),
)  # fmt: skip
