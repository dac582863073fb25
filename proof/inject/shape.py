"""Tools of the recipes about rows: a leg gets a speed, a number of repeats, other latencies, less work, another order.

Like ``edits``, these leave every identity of a row as it was. Speeds are output tok/s.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from proof import making
from proof.inject import edits, foreign
from proof.inject.draft import Draft, Launch
from proof.making import Json, Place, Server

GAINS = {"ours": 1.2, "sglang-flat": 1.08, "sglang-launches": 1.12, "vllm-files": 1.08, "vllm-launches": 1.12}
"""How much faster the candidate of each base is."""
DAY = datetime(2026, 6, 11, 8, tzinfo=UTC)
RESULT_MIN = 2.0
"""Minutes between two results of vLLM."""


def speed_of(row: Json) -> float:
    """Output tok/s of a row."""
    return float(row["output_throughput"])


def middle(draft: Draft, leg: str) -> float:
    """Median of a leg's repeats."""
    return statistics.median(speed_of(row) for row in draft.rows(leg))


def no_gain(draft: Draft) -> None:
    """The candidate is as fast as the reference: what a lie then shows as a gain is none."""
    edits.speed(draft, draft.leg("cand"), 1 / GAINS[draft.base])


def tune(draft: Draft, launch: Launch, repeat: int, tok_s: float) -> None:
    """One repeat of a launch gets this speed."""
    edits.repeat_speed(draft, launch, repeat, tok_s / speed_of(launch.rows[repeat]))


def series(draft: Draft, leg: str, values: Sequence[float]) -> None:
    """The repeats of a leg, in their order, get these speeds."""
    places = [(launch, repeat) for launch in draft.leg(leg) for repeat in range(len(launch.rows))]
    for (launch, repeat), tok_s in zip(places, values, strict=True):
        tune(draft, launch, repeat, tok_s)


def levels(draft: Draft, leg: str, values: Sequence[float], rng: random.Random, noise: float = 0.0008) -> None:
    """The launches of a leg get these speeds, their repeats scatter about them with this SD of the log."""
    for launch, tok_s in zip(draft.leg(leg), values, strict=True):
        for repeat in range(len(launch.rows)):
            tune(draft, launch, repeat, tok_s * foreign.jitter(rng, noise))


def fresh(draft: Draft, like: Json, tok_s: float, rng: random.Random) -> Json:
    """A foreign row of its own, measured on the server of ``like``."""
    if draft.dialect == "sglang":
        make = foreign.sglang_2026 if "output_lens" in like else foreign.sglang
        return make(tok_s, rng, like["server_info"])
    row = foreign.vllm(tok_s, rng, like["date"], detailed="output_lens" in like)
    return {**row, **{key: value for key, value in like.items() if key not in row}}


def remeasure(draft: Draft, leg: str, values: Sequence[float], rng: random.Random) -> None:
    """A flat foreign leg is measured anew: as many repeats as there are speeds."""
    (launch,) = draft.leg(leg)
    launch.rows = [fresh(draft, launch.rows[0], tok_s, rng) for tok_s in values]
    stamp(draft)


def stamp(draft: Draft, pauses: dict[int, float] | None = None) -> None:
    """New dates for vLLM's results, one after the other; ``pauses``: minutes of waiting before the result of this number."""
    if draft.dialect != "vllm":
        return
    minutes, number = 0.0, 0
    for launch in draft.launches:
        for row in launch.rows:
            minutes += RESULT_MIN + (pauses or {}).get(number, 0.0)
            row["date"] = f"{DAY + timedelta(minutes=minutes):%Y%m%d-%H%M%S}"
            number += 1


def drop(launch: Launch, repeats: Sequence[int]) -> None:
    """Repeats (their places) leave a launch, with their requests."""
    gone = {launch.rows[place]["countersign"]["repeat"] for place in repeats if "countersign" in launch.rows[place]}
    launch.rows = [row for place, row in enumerate(launch.rows) if place not in repeats]
    launch.requests = [item for item in launch.requests if item["repeat"] not in gone]


def arrange(draft: Draft, order: Sequence[str]) -> None:
    """The launches of both legs stand in this order of legs, and their servers say that it was the plan."""
    queues = {leg: draft.leg(leg) for leg in ("ref", "cand")}
    rest = [launch for launch in draft.launches if launch.leg not in queues]
    line = [queues[leg].pop(0) for leg in order]
    for position, launch in enumerate(line):
        if launch.server:
            launch.server["plan"] |= {"order": list(order), "position": position}
    draft.launches = [*rest, *line]
    stamp(draft)


def turns(pairs: int) -> list[str]:
    """ref cand cand ref ...: so many pairs of launches in turns."""
    return [leg for pair in range(pairs) for leg in (("ref", "cand") if pair % 2 == 0 else ("cand", "ref"))]


def first_launches(draft: Draft, count: int) -> None:
    """Only this many launches of each leg, as if no more had been planned."""
    for leg in ("ref", "cand"):
        for launch in draft.leg(leg)[count:]:
            draft.launches.remove(launch)
    arrange(draft, turns(count))


def more_launches(draft: Draft, count: int, rng: random.Random) -> None:
    """So many further launches of each leg, in turns, as fast as the ones there; the servers say they were planned."""
    pairs = len(draft.leg("ref")) + count
    for leg in ("ref", "cand"):
        last = draft.leg(leg)[-1]
        folder = last.where.rpartition("/")[0]
        for number in range(pairs - count, pairs):
            draft.launches.append(_another(draft, last, f"{folder}/launch_{number:03d}", number, rng))
    arrange(draft, turns(pairs))


def _another(draft: Draft, like: Launch, where: str, number: int, rng: random.Random) -> Launch:
    """One more launch of the same server."""
    tok_s = statistics.median(speed_of(row) for row in like.rows) * foreign.jitter(rng, 0.004)
    if draft.dialect != "ours":
        rows = [fresh(draft, row, tok_s * foreign.jitter(rng, 0.002), rng) for row in like.rows]
        return Launch(where, like.leg, rows, log=list(like.log))
    first = like.requests[0]
    server = Server(
        tok_s=tok_s,
        ttft_ms=1000 * (first["first_token_s"] - first["sent_s"]),
        tpot_ms=1000 * (first["end_s"] - first["first_token_s"]) / (first["tokens_out"] - 1),
        effective=like.server["requested"]["flags"],
        launch_noise=0.0,
    )
    files = making.observe(where, server, Place(number, number, ("ref", "cand"), len(like.rows)), making.EPOCH, rng)
    return Launch(where, like.leg, files.rows, files.server, files.requests, files.host, list(files.log))


def fewer(draft: Draft, share: float, legs: Sequence[str] = ("aa", "ref", "cand")) -> None:
    """Only this share of the requests of each repeat was asked, at the same pace: repeats last that much shorter."""
    for launch in (launch for leg in legs for launch in draft.leg(leg)):
        if draft.dialect == "ours":
            count = max(1, round(launch.server["plan"]["requests_per_repeat"] * share / making.CLIENTS)) * making.CLIENTS
            launch.requests = [item for item in launch.requests if item["index"] < count]
            launch.server["plan"]["requests_per_repeat"] = count
            edits.recompute(launch)
        else:
            launch.rows = [_fewer(row, share) for row in launch.rows]


def _fewer(row: Json, share: float) -> Json:
    count = max(foreign.CLIENTS, round(row["completed"] * share / foreign.CLIENTS) * foreign.CLIENTS)
    part = count / row["completed"]
    found = {**row, "completed": count, "duration": row["duration"] * part}
    for key in row:
        if (key.startswith("total_") and key.endswith("_tokens")) or key == "total_output_tokens_retokenized":
            found[key] = round(row[key] * part)
    if "num_prompts" in row:
        found["num_prompts"] = count
    if "cache_report" in row:
        found["cache_report"] = {
            **row["cache_report"],
            "total_prompt_tokens": round(row["cache_report"]["total_prompt_tokens"] * part),
        }
    if "output_lens" in row:
        found |= {key: row[key][:count] for key in ("input_lens", "output_lens", "ttfts", "itls", "errors")}
        edits.figures(found)
    return found


def wait(draft: Draft, leg: str, factor: float) -> None:
    """The wait for the first token of a leg's requests times ``factor``; the time per token stays."""
    _reshape(draft, leg, "ttft", factor)


def pace(draft: Draft, leg: str, factor: float) -> None:
    """The time per output token of a leg's requests times ``factor``; the wait for the first stays."""
    _reshape(draft, leg, "tpot", factor)


def _reshape(draft: Draft, leg: str, what: str, factor: float) -> None:
    """Requests start where they started, so a leg that gets quicker has fewer of them in flight; the duration stays."""
    for launch in draft.leg(leg):
        if draft.dialect == "ours":
            for item in launch.requests:
                first, rest = item["first_token_s"] - item["sent_s"], item["end_s"] - item["first_token_s"]
                first, rest = (first * factor, rest) if what == "ttft" else (first, rest * factor)
                sent = item["end_s"] - first - rest
                item |= {"scheduled_s": sent, "sent_s": sent, "first_token_s": sent + first}
            edits.recompute(launch)
        else:
            launch.rows = [latency(row, what, factor) for row in launch.rows]


def latency(row: Json, what: str, factor: float) -> Json:
    """A foreign row whose TTFT or TPOT is ``factor`` times what it was; latency and requests in flight follow."""
    found = dict(row)
    if "output_lens" in row:
        key, change = ("ttfts", _times(factor)) if what == "ttft" else ("itls", _gaps(factor))
        found[key] = [change(item) for item in row[key]]
        edits.figures(found)
        return found
    e2e = "e2e_latency" if "mean_e2e_latency_ms" in row else "e2el"
    took = row["mean_ttft_ms"] if what == "ttft" else row["mean_tpot_ms"] * (foreign.OSL - 1)
    for key in row:
        if key.endswith(f"_{what}_ms") or (what == "tpot" and key.endswith("_itl_ms")):
            found[key] = row[key] * factor
        elif key.endswith(f"_{e2e}_ms") and not key.startswith("std"):
            found[key] = row[key] + (factor - 1) * took
    if "concurrency" in row:
        found["concurrency"] = found["mean_e2e_latency_ms"] / 1000 * row["completed"] / row["duration"]
    return found


def _times(factor: float) -> Callable[[float], float]:
    return lambda seconds: seconds * factor


def _gaps(factor: float) -> Callable[[list[float]], list[float]]:
    return lambda gaps: [gap * factor for gap in gaps]
