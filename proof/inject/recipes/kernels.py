"""Operator benchmarks whose times are not those of the work: the same code twice, clocks that do not wait, reducers, caches."""

from __future__ import annotations

import random
import statistics

from proof.inject import benches
from proof.inject.benches import OPBENCH, OVERHEAD, PEAK, RECORD
from proof.inject.draft import Draft
from proof.inject.recipe import Recipe

EXTRA_BASES = benches.EXTRA_BASES
BOTH, KEPT, TOLD = (OPBENCH, RECORD), (RECORD,), (OPBENCH,)
GEAK, OUR = "GEAK opbench_result.json", "harness_record.json"
SPEEDUPS = (1.2, 2.0, 5.0)


def _honest(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate really is so many times as fast."""
    benches.faster(draft, size)


def _one_function(draft: Draft, size: float, rng: random.Random) -> None:
    """Both legs are one function (or one backend), and the speed-up is luck, order or invention."""
    benches.faster(draft, size)
    told = benches.told(draft)
    if draft.base == OPBENCH:
        told["baseline_backend"] = told["winner_backend"]
        return
    told["candidate"] |= {key: told["baseline"][key] for key in ("file", "sha256", "qualname")}
    for row in benches.rows(draft):
        row["file_sha256"] = told["baseline"]["sha256"]


def _wrong_way_round(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate is so many times slower: the legs changed places (or the ratio was turned over)."""
    told = benches.told(draft)
    if draft.base == OPBENCH:
        benches.faster(draft, 1 / size)
        told["isolated_speedup"] = round(size, 4)
        return
    benches.faster(draft, size)
    for row in told["results"]:
        row["file_sha256"] = told["candidate" if row["leg"] == "baseline" else "baseline"]["sha256"]


def _other_stream(draft: Draft, size: float, rng: random.Random) -> None:
    """The device's events see one part in so many of the work; the host's clock sees it all."""
    benches.retime(draft, lambda _n, ms: ms / size, lambda _new, old: old + OVERHEAD)


def _no_waiting(draft: Draft, size: float, rng: random.Random) -> None:
    """The timed region ends before the work does: this share of it is seen; a clock around the whole loop sees it all."""
    benches.retime(draft, lambda _n, ms: ms * size, lambda _new, old: old + OVERHEAD)


def _slow_host(draft: Draft, size: float, rng: random.Random) -> None:
    """The host takes a little longer to launch."""
    extra = OVERHEAD * rng.uniform(1.1, 1.6)
    benches.retime(draft, lambda _n, ms: ms, lambda new, _old: new + extra)


def _patched_clock(draft: Draft, size: float, rng: random.Random) -> None:
    """So many times as fast by a clock that the candidate put in the other one's place."""
    benches.faster(draft, size)
    benches.told(draft)["timer"]["identity_after"] = f"candidate.Event@{rng.randrange(16**4):04x}"


def _other_clock(draft: Draft, size: float, rng: random.Random) -> None:
    """As fast, by another clock that stayed what it was."""
    benches.faster(draft, size)
    identity = f"torch.cuda.Event@{rng.randrange(16**4):04x}"
    benches.told(draft)["timer"] |= {"identity_before": identity, "identity_after": identity}


def _two_clocks(draft: Draft, size: float, rng: random.Random) -> None:
    """So many rows of the candidate were timed by another clock than the rest."""
    for row in rng.sample(benches.rows(draft), int(size)):
        row["timer"] = "cupti"


def _one_clock(draft: Draft, size: float, rng: random.Random) -> None:
    told = benches.told(draft)
    told["timer"] |= {"name": "cupti", "identity_before": "cupti.Activity@aa", "identity_after": "cupti.Activity@aa"}
    for row in told["results"]:
        row["timer"] = "cupti"


def _reduced(draft: Draft, size: float, rng: random.Random) -> None:
    """What is reported of the candidate's times is this share of them."""
    told = benches.told(draft)
    if draft.base == OPBENCH:
        told["isolated_speedup"] = round(told["isolated_speedup"] / size, 4)
        return
    for row in benches.rows(draft):
        row["reported_ms"] = round(row["reported_ms"] * size, 6)
    benches.state_speedup(draft)


def _means(draft: Draft, size: float, rng: random.Random) -> None:
    """The mean is reported, and is the mean (of GEAK's: another time, and its ratio)."""
    if draft.base == OPBENCH:
        benches.faster(draft, 1 + 0.2 / size)
        return
    for row in benches.told(draft)["results"]:
        row |= {"reducer": "mean", "reported_ms": round(sum(row["device_ms"]) / len(row["device_ms"]), 6)}
    benches.state_speedup(draft)


def _no_time(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate took so many ms, in which nothing can have run."""
    benches.retime(draft, lambda _n, _ms: size)


def _small_work(draft: Draft, size: float, rng: random.Random) -> None:
    """Both legs are quick because the operation is small: four microseconds and more."""
    key = "reported_ms" if draft.base == RECORD else "ms"
    benches.scale(draft, 0.004 / min(row[key] for row in benches.rows(draft)))


def _remembered(draft: Draft, size: float, rng: random.Random) -> None:
    """The first call computes, every other takes this share of it."""
    benches.retime(draft, lambda n, ms: ms if n == 0 else ms * size)


def _warming_up(draft: Draft, size: float, rng: random.Random) -> None:
    """The first call is a third slower."""
    benches.retime(draft, lambda n, ms: ms * 1.3 if n == 0 else ms)


def _batched(draft: Draft, size: float, rng: random.Random) -> None:
    """One call in so many does the work of all of them."""
    benches.retime(draft, lambda n, ms: ms * size if n % size == size - 1 else ms * 0.01)


def _uneven(draft: Draft, size: float, rng: random.Random) -> None:
    """One call in so many takes half as long again."""
    benches.retime(draft, lambda n, ms: ms * 1.5 if n % size == size - 1 else ms)


def _impossible(draft: Draft, size: float, rng: random.Random) -> None:
    _moving(draft, size)


def _near_the_peak(draft: Draft, size: float, rng: random.Random) -> None:
    _moving(draft, rng.uniform(0.8, 0.92))


def _moving(draft: Draft, peaks: float) -> None:
    """The candidate moves what has to be moved at so many times what the memory can."""
    told = benches.told(draft)
    for base, row in zip(benches.rows(draft, "baseline"), benches.rows(draft), strict=True):
        base["bytes_moved"] = row["bytes_moved"] = 4 * row["bytes_moved"]
        ms = 1000 * row["bytes_moved"] / (peaks * PEAK[told["device"]])
        row |= {"device_ms": [round(ms * (1 + 0.001 * (n % 3)), 6) for n in range(len(row["device_ms"]))]}
        row |= {
            "wall_ms": [round(value + OVERHEAD, 6) for value in row["device_ms"]],
            "reported_ms": statistics.median(row["device_ms"]),
        }
    benches.state_speedup(draft)


def _cached(flushed: bool, draft: Draft, size: float) -> None:
    """Work that fits the cache, moved at so many times what the memory can."""
    told = benches.told(draft)
    told["cache_flushed"] = flushed
    for row in told["results"]:
        row["bytes_moved"] = 24_000_000
        peaks = size if row["leg"] == "candidate" else size / 1.5
        ms = 1000 * row["bytes_moved"] / (peaks * PEAK[told["device"]])
        times = [round(ms * (1 + 0.001 * (n % 3)), 7) for n in range(len(row["device_ms"]))]
        row |= {
            "device_ms": times,
            "wall_ms": [round(value + OVERHEAD, 7) for value in times],
            "reported_ms": statistics.median(times),
        }
    benches.state_speedup(draft)


def _said_flushed(draft: Draft, size: float, rng: random.Random) -> None:
    _cached(True, draft, size)


def _said_warm(draft: Draft, size: float, rng: random.Random) -> None:
    _cached(False, draft, size)


def _untimed(draft: Draft, size: float, rng: random.Random) -> None:
    """The winner has no time; the speed-up stands there all the same."""
    benches.faster(draft, size)
    benches.rows(draft)[0] |= {"ms": None, "wall_ms": None}


RECIPES = (
    Recipe("one-function-in-both-legs", ("H01",), f"{GEAK}: baseline_backend; {OUR}: file, qualname, sha256", BOTH, (1.05, 1.25, 3.0),
           "Baseline and candidate are one function; the speed-up stated is so many.", _one_function, _honest, critical=True),
    Recipe("legs-the-wrong-way-round", ("H02",), f"{GEAK}: ms, isolated_speedup; {OUR}: results[].file_sha256", BOTH, (1.05, 1.25, 3.0),
           "The candidate is slower by this factor, which is stated as its speed-up.", _wrong_way_round, _honest, critical=True),
    Recipe("work-on-another-stream", ("H03", "H07"), f"{GEAK}: ms, wall_ms; {OUR}: device_ms, wall_ms", BOTH, (2.0, 5.0, 20.0),
           "The device's clock sees one part in so many of the work.", _other_stream, _slow_host, critical=True),
    Recipe("clock-that-does-not-wait", ("H07", "H03"), f"{OUR}: device_ms, wall_ms", KEPT, (0.3, 0.1, 0.02),
           "This share of the work falls into the timed region.", _no_waiting, _slow_host, critical=True),
    Recipe("clock-exchanged", ("H06",), f"{OUR}: timer.identity_before, identity_after", KEPT, SPEEDUPS,
           "So many times as fast by a clock that the candidate replaced.", _patched_clock, _other_clock, critical=True),
    Recipe("two-clocks", ("M25",), f"{OUR}: results[].timer", KEPT, (1.0, 2.0, 4.0),
           "So many rows of the candidate were timed by another clock.", _two_clocks, _one_clock, critical=True),
    Recipe("times-reduced-wrongly", ("H08",), f"{GEAK}: isolated_speedup; {OUR}: reported_ms, device_ms", BOTH, (0.97, 0.85, 0.5),
           "What is reported of the candidate's times is this share of them.", _reduced, _means, critical=True),
    Recipe("no-time-at-all", ("H09", "M18"), f"{GEAK}: ms; {OUR}: device_ms", BOTH, (0.001, 0.0003, 0.00001),
           "The candidate's calls took so many ms.", _no_time, _small_work, critical=True),
    Recipe("computed-once", ("H12",), f"{OUR}: device_ms", KEPT, (0.2, 0.05, 0.01),
           "Every call but the first takes this share of the first.", _remembered, _warming_up, critical=True),
    Recipe("one-launch-for-many-calls", ("H15",), f"{OUR}: device_ms", KEPT, (2.0, 4.0, 8.0),
           "One call in so many does the work of all.", _batched, _uneven, critical=True),
    Recipe("more-than-the-memory-moves", ("H14",), f"{OUR}: bytes_moved, device_ms, device", KEPT, (1.2, 2.0, 5.0),
           "What has to be moved is moved at so many times the memory's peak.", _impossible, _near_the_peak, critical=True),
    Recipe("cache-that-was-not-emptied", ("H34",), f"{OUR}: cache_flushed, bytes_moved, device_ms", KEPT, (1.3, 2.0, 3.0),
           "With the cache emptied, as is said, data came at so many times the memory's peak.", _said_flushed, _said_warm, critical=True),
    Recipe("winner-never-timed", ("R01",), f"{GEAK}: results[].ms", TOLD, SPEEDUPS,
           "The winner has no time; a speed-up of so many is stated.", _untimed, _honest, critical=True),
)  # fmt: skip
