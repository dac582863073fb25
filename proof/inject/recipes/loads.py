"""What a throughput does not say: who waited, how many were served at once, how they came, and what they were given."""

from __future__ import annotations

import random
import statistics

from proof.inject import edits, shape
from proof.inject.bases import ALL, VLLM
from proof.inject.draft import Draft
from proof.inject.recipe import Recipe
from proof.making import Json

DETAILED = ("sglang-launches", "vllm-launches")
CLOSED = ("sglang-flat", "sglang-launches", "vllm-files", "vllm-launches")


def _less(draft: Draft, key: str, size: float) -> float:
    """Factor after which the candidate's median of a latency is ``1 + size`` times the reference's."""
    ref, cand = (statistics.median(row[key] for row in draft.rows(leg)) for leg in ("ref", "cand"))
    return float(cand / ref / (1 + size))


def _longer_wait(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's requests wait longer for their first token by this share; the reference is the one that moves."""
    shape.wait(draft, "ref", _less(draft, "median_ttft_ms", size))


def _shorter_wait(draft: Draft, size: float, rng: random.Random) -> None:
    """They wait less, by the same factor."""
    shape.wait(draft, "cand", 1 / (1 + size))


def _slower_pace(draft: Draft, size: float, rng: random.Random) -> None:
    """Each token takes longer by this share, and the rise is handed in as a win."""
    shape.pace(draft, "ref", _less(draft, "median_tpot_ms", size))
    draft.request["what"] = f"TPOT up by {100 * size:.0f} %: better decode at higher throughput"


def _faster_pace(draft: Draft, size: float, rng: random.Random) -> None:
    """Each token takes less time by the same factor, as far as requests stay in flight."""
    shape.pace(draft, "cand", 1 / (1 + min(size, 0.3)))
    draft.request["what"] = "TPOT down: better decode at higher throughput"


def _client_queue(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's requests were due so many seconds before they were sent; the wait is timed from the sending."""
    for launch in draft.leg("cand"):
        for item in launch.requests:
            item["scheduled_s"] = max(0.0, item["sent_s"] - size)


def _prompt_client(draft: Draft, size: float, rng: random.Random) -> None:
    """Every request of every leg was due half a millisecond before it was sent."""
    for launch in draft.launches:
        for item in launch.requests:
            item["scheduled_s"] = max(0.0, item["sent_s"] - 0.0005)


def _usage(draft: Draft, legs: tuple[str, ...], factor: float) -> None:
    for launch in (launch for leg in legs for launch in draft.leg(leg)):
        for item in launch.requests:
            item["usage_out"] = round(item["tokens_out"] * factor)
        for row in launch.rows:
            mine = [item for item in launch.requests if item["repeat"] == row["countersign"]["repeat"]]
            row["countersign"]["usage_output_tokens"] = sum(item["usage_out"] for item in mine)


def _server_counts(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's server says it made fewer tokens than the client counted, by this share."""
    _usage(draft, ("cand",), 1 - size)


def _server_agrees(draft: Draft, size: float, rng: random.Random) -> None:
    """Client and server count alike, in answers that are a little shorter in every leg."""
    for leg in ("aa", "ref", "cand"):
        edits.outputs(draft, leg, 0.9)


def _underload(draft: Draft, size: float, rng: random.Random) -> None:
    """Both legs reached only this share of their concurrency: the client left gaps between requests."""
    for leg in ("aa", "ref", "cand"):
        shape.wait(draft, leg, size)
        shape.pace(draft, leg, size)


def _nearly_full(draft: Draft, size: float, rng: random.Random) -> None:
    """Both legs reached nine tenths of what they had."""
    _underload(draft, 0.9, rng)


def _empty_answers(draft: Draft, size: float, rng: random.Random) -> None:
    """This share of the candidate's answers holds no text; the tokens went elsewhere."""
    for launch in draft.leg("cand"):
        for item in launch.requests:
            if (item["index"] * 0.618) % 1 < size:
                item["answer"] = ""
        edits.recompute(launch)


def _other_tails(draft: Draft, size: float, rng: random.Random) -> None:
    """As many of the candidate's answers go on in other words after what was expected."""
    for launch in draft.leg("cand"):
        for item in launch.requests:
            if (item["index"] * 0.618) % 1 < size:
                item["answer"] = f"{item['expected']} , done"
        edits.recompute(launch)


def _arrivals(draft: Draft, legs: tuple[str, ...], rate: float) -> None:
    def change(row: Json) -> Json:
        found = {**row, "request_rate": rate}
        if "burstiness" in row:
            found["burstiness"] = 1.0
        return found

    for launch in (launch for leg in legs for launch in draft.leg(leg)):
        launch.rows = [change(row) for row in launch.rows]


def _spread_out(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's requests came at so many per second, the reference's all at once."""
    _arrivals(draft, ("cand",), size)


def _all_spread_out(draft: Draft, size: float, rng: random.Random) -> None:
    """The requests of every leg came at that rate."""
    _arrivals(draft, ("aa", "ref", "cand"), size)


def _less_bursty(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's requests came at another burstiness."""
    for row in draft.rows("cand"):
        row["burstiness"] = size


def _all_less_bursty(draft: Draft, size: float, rng: random.Random) -> None:
    """The requests of every leg came at that burstiness."""
    for launch in draft.launches:
        for row in launch.rows:
            row["burstiness"] = size


def _other_concurrency(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate was measured with so many times the clients."""
    for row in draft.rows("cand"):
        row["max_concurrency"] = round(row["max_concurrency"] * size)


def _all_more_clients(draft: Draft, size: float, rng: random.Random) -> None:
    """Every leg was allowed an eighth more clients."""
    for launch in draft.launches:
        for row in launch.rows:
            row["max_concurrency"] += round(row["max_concurrency"] / 8)


def _tail(draft: Draft, size: float, rng: random.Random) -> None:
    """Three in a hundred requests of the candidate wait so many times as long; the median does not show it."""
    for launch in draft.leg("cand"):
        launch.rows = [_slow_few(row, size, 3) for row in launch.rows]


def _slow_few(row: Json, times: float, count: int) -> Json:
    found = {**row, "ttfts": [wait * (times if index < count else 1) for index, wait in enumerate(row["ttfts"])]}
    edits.figures(found)
    return found


def _same_tail(draft: Draft, size: float, rng: random.Random) -> None:
    """Three in a hundred requests of every leg wait as long."""
    for launch in draft.launches:
        launch.rows = [_slow_few(row, size, 3) for row in launch.rows]


RECIPES = (
    Recipe("longer-wait", ("R08", "R22"), "any row: median_ttft_ms, p99_ttft_ms", ALL, (0.2, 1.0, 2.5),
           "The wait for the first token grew by this share, and the headline names throughput alone.", _longer_wait, _shorter_wait),
    Recipe("longer-tail", ("R08",), "detailed rows: p99_ttft_ms", DETAILED, (1.5, 3.0, 10.0),
           "Three in a hundred candidate requests wait so many times as long.", _tail, _same_tail),
    Recipe("slower-pace-as-a-win", ("R22", "R08"), "any row: median_tpot_ms; request: what", ALL, (0.2, 0.6, 1.5),
           "The time per token rose by this share and is handed in as if higher were better.", _slower_pace, _faster_pace),
    Recipe("queue-in-the-client", ("W14", "R08"), "stopwatch: requests.jsonl scheduled_s, sent_s", ("ours",), (0.05, 0.5, 2.0),
           "The candidate's requests waited so many seconds in the client, which no latency counts.", _client_queue, _prompt_client),
    Recipe("server-counts-fewer", ("W18",), "stopwatch: requests.jsonl usage_out", ("ours",), (0.05, 0.3, 0.9),
           "By its own count the candidate's server made this share fewer tokens than it is credited with.", _server_counts, _server_agrees, critical=True),
    Recipe("concurrency-not-reached", ("W21",), "any row: concurrency, mean latency, max_concurrency", CLOSED, (0.45, 0.25, 0.1),
           "Both legs ran at this share of the concurrency that they are named after.", _underload, _nearly_full),
    Recipe("empty-answers", ("W23", "K20"), "stopwatch: requests.jsonl answer", ("ours",), (0.05, 0.3, 1.0),
           "This share of the candidate's answers holds no text.", _empty_answers, _other_tails, critical=True),
    Recipe("other-arrivals", ("W25",), "any row: request_rate", CLOSED, (16.0, 8.0, 4.0),
           "The candidate's requests came at so many per second, the reference's all at once.", _spread_out, _all_spread_out, critical=True),
    Recipe("other-burstiness", ("W25",), "vllm result: burstiness", VLLM, (1.5, 4.0, 100.0),
           "The candidate's requests came at another burstiness.", _less_bursty, _all_less_bursty, critical=True),
    Recipe("other-concurrency", ("W05", "W21"), "any row: max_concurrency", CLOSED, (1.5, 2.0, 4.0),
           "The candidate was measured with so many times the clients.", _other_concurrency, _all_more_clients, critical=True),
)  # fmt: skip
