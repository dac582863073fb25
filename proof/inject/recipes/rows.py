"""Rows that were invented, copied, mended or written in another unit than their keys say."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from proof.inject import edits, foreign, shape
from proof.inject.bases import ALL, FOREIGN, SGLANG
from proof.inject.draft import Draft, Launch
from proof.inject.recipe import Recipe
from proof.making import Json

DETAILED = ("ours", "sglang-launches", "vllm-launches")
FLAT = ("sglang-flat", "vllm-files")


def _all_faster(draft: Draft, size: float, rng: random.Random) -> None:
    """Both legs are measured anew on a machine that is a little slower; every row is its own."""
    edits.speed(draft, draft.launches, 0.97)


def _each(draft: Draft, leg: str, count: float, change: Callable[[Json], Json]) -> None:
    """Change the first so many rows of a leg."""
    left = int(count)
    for launch in draft.leg(leg):
        for place in range(len(launch.rows)):
            if left > 0:
                launch.rows[place] = change(launch.rows[place])
                left -= 1


def _better_statistic(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's median TTFT is another quantile of the same waits, the reference's the opposite one."""
    for leg, share in (("ref", 1 - size), ("cand", size)):
        for launch in draft.leg(leg):
            for row in launch.rows:
                row["median_ttft_ms"] = foreign.quantile(_waits(launch, row), share)


def _waits(launch: Launch, row: Json) -> list[float]:
    if "ttfts" in row:
        return [1000 * wait for wait in row["ttfts"]]
    mine = [item for item in launch.requests if item["repeat"] == row["countersign"]["repeat"]]
    return [1000 * (item["first_token_s"] - item["sent_s"]) for item in mine]


def _shorter_waits(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's waits are truly shorter, by as much as the quantiles lie apart at most."""
    shape.wait(draft, "cand", 1 - (0.5 - size) / 3)


def _share_of_a_device(draft: Draft, size: float, rng: random.Random) -> None:
    """The reference's throughput is that of one device, the candidate's that of all; tokens and durations are of all."""
    shape.no_gain(draft)
    _each(draft, "ref", 99, lambda row: {**row, "output_throughput": row["output_throughput"] / size})


def _all_tokens(draft: Draft, size: float, rng: random.Random) -> None:
    """So many candidate rows name input and output tokens together as output tokens per second."""
    shape.no_gain(draft)
    _each(draft, "cand", size, lambda row: {**row, "output_throughput": _total(row)})


def _total(row: Json) -> float:
    return float(row["total_throughput"] if "total_throughput" in row else row["total_token_throughput"])


def _users_pace(draft: Draft, size: float, rng: random.Random) -> None:
    """So many candidate rows hold the pace of a user times the users under the name of throughput."""
    shape.no_gain(draft)
    _each(draft, "cand", size, lambda row: {**row, "output_throughput": 1000 / row["median_tpot_ms"] * row["max_concurrency"]})


def _nothing_done(draft: Draft, size: float, rng: random.Random) -> None:
    """So many reference repeats in which nothing completed, kept as rows."""
    rates = dict.fromkeys(edits.RATES, 0.0)

    def change(row: Json) -> Json:
        lost: Json = dict.fromkeys(("completed", "total_input_tokens", "total_output_tokens"), 0)
        failed = {"failed": row["num_prompts"]} if "num_prompts" in row else {}
        return {**row, **{key: value for key, value in rates.items() if key in row}, **lost, **failed}

    _each(draft, "ref", size, change)


def _repeats_gone(draft: Draft, size: float, rng: random.Random) -> None:
    """Both legs have fewer repeats; each of them answered everything."""
    for leg in ("ref", "cand"):
        (launch,) = draft.leg(leg)
        launch.rows = launch.rows[: 5 - int(size)]
    shape.stamp(draft)


def _copied(draft: Draft, size: float, rng: random.Random) -> None:
    """So many candidate rows are the best one again, to the last digit."""
    best = max(draft.rows("cand"), key=shape.speed_of)
    others = [(launch, place) for launch in draft.leg("cand") for place, row in enumerate(launch.rows) if row is not best]
    for launch, place in others[: int(size)]:
        dates = {"date": launch.rows[place]["date"]} if "date" in best else {}
        launch.rows[place] = {**best, **dates}


def _rescaled(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate was never measured: each of its rows is a reference row with every time divided by one number."""
    for mine, other in zip(draft.leg("cand"), draft.leg("ref"), strict=True):
        kept: Json = {key: mine.rows[0][key] for key in ("server_info", "attention_backend") if key in mine.rows[0]}
        dates = [{"date": row["date"]} if "date" in row else {} for row in mine.rows]
        mine.rows = [{**row, **kept, **date} for row, date in zip(other.rows, dates, strict=True)]
        for repeat in range(len(mine.rows)):
            edits.repeat_speed(draft, mine, repeat, 1 + (size + rng.uniform(-0.3, 0.3)) / 100)


def _measured(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate was measured, and is as much faster."""
    for launch in draft.leg("cand"):
        pace = 1000 * (1 + size / 100) * foreign.jitter(rng, 0.001)
        launch.rows = [shape.fresh(draft, row, pace * foreign.jitter(rng, 0.001), rng) for row in launch.rows]
    edits.speed(draft, draft.launches, 0.7)


def _mended(draft: Draft, size: float, rng: random.Random) -> None:
    """The reference's throughput was lowered by hand, and nothing else in its rows."""
    shape.no_gain(draft)
    _each(draft, "ref", 99, lambda row: {**row, "output_throughput": row["output_throughput"] * (1 - size / 100)})


def _flying(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's rows state so many times the requests in flight that their latencies give."""
    _each(draft, "cand", 99, lambda row: {**row, "concurrency": row["concurrency"] / size})


def _other_seconds(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's durations are in another unit than seconds."""
    _each(draft, "cand", 99, lambda row: {**row, "duration": row["duration"] * size})


def _waits_in_seconds(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's waits for the first token are in another unit than milliseconds."""

    def change(row: Json) -> Json:
        return row | {key: value / size for key, value in row.items() if key.endswith("_ttft_ms")}

    _each(draft, "cand", 99, change)


def _in_text(draft: Draft, size: float, rng: random.Random) -> None:
    """Of the tokens that the candidate is credited with, its texts hold only this share; so much slower it truly is."""

    def change(row: Json) -> Json:
        return row | {"total_output_tokens_retokenized": round(row["total_output_tokens"] * size)}

    _each(draft, "cand", 99, change)


def _in_text_alike(draft: Draft, size: float, rng: random.Random) -> None:
    """Counted again in the text, the tokens of both legs are a little fewer."""
    for leg in ("aa", "ref", "cand"):
        _each(draft, leg, 99, lambda row: row | {"total_output_tokens_retokenized": round(row["total_output_tokens"] * 0.98)})


def _cut_file(draft: Draft, size: float, rng: random.Random) -> None:
    """The reference's file ends in the middle of a row, this share of it before its end."""
    where = draft.leg("ref")[-1].where
    name = "bench_runs.jsonl" if draft.dialect == "sglang" else f"run_{len(draft.leg('ref')[-1].rows) - 1}.json"

    def cut(root: Path) -> None:
        path = root / where / name
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * (1 - size))])

    draft.after.append(cut)


def _other_ending(draft: Draft, size: float, rng: random.Random) -> None:
    """The file ends with its last row all the same: without a line feed where there was one, with one where there was none."""
    where = draft.leg("ref")[-1].where
    name = "bench_runs.jsonl" if draft.dialect == "sglang" else f"run_{len(draft.leg('ref')[-1].rows) - 1}.json"

    def end(root: Path) -> None:
        path = root / where / name
        data = path.read_bytes()
        path.write_bytes(data[:-1] if data.endswith(b"\n") else data + b"\n")

    draft.after.append(end)


RECIPES = (
    Recipe("better-statistic", ("M17",), "rows: median_ttft_ms, ttfts; stopwatch: requests.jsonl", DETAILED, (0.4, 0.25, 0.05),
           "This quantile of the candidate's waits is called their median, and the opposite one that of the reference.", _better_statistic, _shorter_waits, critical=True),
    Recipe("share-of-one-device", ("R05", "R21"), "foreign row: output_throughput, total_output_tokens, duration", FOREIGN, (2.0, 4.0, 8.0),
           "No gain; the reference's throughput is that of one of so many devices.", _share_of_a_device, _all_faster, critical=True),
    Recipe("all-tokens-as-output", ("R06", "R21"), "foreign row: output_throughput, total_throughput", FOREIGN, (1.0, 3.0, 5.0),
           "No gain; so many candidate rows name the rate of all tokens as that of output tokens.", _all_tokens, _all_faster, critical=True),
    Recipe("users-pace-as-throughput", ("R09", "R21"), "foreign row: output_throughput, median_tpot_ms", FOREIGN, (1.0, 3.0, 5.0),
           "No gain; so many candidate rows hold 1000 / TPOT times the concurrency as throughput.", _users_pace, _all_faster, critical=True),
    Recipe("nothing-completed", ("R12",), "foreign row: completed", FLAT, (1.0, 2.0, 3.0),
           "So many reference repeats completed nothing and stand in the file as measurements.", _nothing_done, _repeats_gone, critical=True),
    Recipe("copied-repeats", ("R19",), "any row: every figure", FOREIGN, (1.0, 2.0, 4.0),
           "So many candidate repeats are the best one again, to the last digit.", _copied, _all_faster, critical=True),
    Recipe("rescaled-reference", ("R19",), "foreign row: the ratios of its figures to those of a reference row", FOREIGN, (3.0, 10.0, 40.0),
           "The candidate's rows are the reference's with all times divided by one factor, so many percent.", _rescaled, _measured, critical=True),
    Recipe("throughput-by-hand", ("R19", "R21"), "any row: output_throughput, total_output_tokens, duration", ALL, (1.0, 5.0, 20.0),
           "No gain; the reference's throughput was lowered by so many percent, and nothing else.", _mended, _all_faster, critical=True),
    Recipe("more-in-flight-than-fits", ("R19", "R21"), "sglang row: concurrency, mean_e2e_latency_ms", SGLANG, (1.3, 2.0, 4.0),
           "The candidate's rows state requests in flight that are this factor off what their latencies give.", _flying, _all_faster, critical=True),
    Recipe("duration-in-another-unit", ("R21",), "foreign row: duration", FOREIGN, (60.0, 1000.0, 1e6),
           "The candidate's durations are this many times what seconds would be.", _other_seconds, _all_faster, critical=True),
    Recipe("wait-in-another-unit", ("R21", "R09"), "foreign row: the TTFT figures", FOREIGN, (60.0, 1000.0, 1e6),
           "The candidate's waits for the first token are this many times too small for milliseconds.", _waits_in_seconds, _all_faster, critical=True),
    Recipe("tokens-without-text", ("W17", "W18"), "sglang row: total_output_tokens_retokenized", SGLANG, (0.8, 0.4, 0.05),
           "Only this share of the tokens that the candidate is credited with is in its texts.", _in_text, _in_text_alike),
    Recipe("file-cut-off", ("R14",), "foreign file: its last bytes", FOREIGN, (0.01, 0.1, 0.3),
           "This share of the reference's last file is missing at its end.", _cut_file, _other_ending, critical=True),
)  # fmt: skip
