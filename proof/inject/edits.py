"""Edits that leave every identity of a row as it was: what a lie changes must not betray it by an arithmetic slip."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Iterable

from proof import making
from proof.inject import foreign
from proof.inject.draft import Draft, Launch
from proof.making import Files, Json

TIMES = ("ttfts", "latencies", "start_times", "queue_times")
RATES = (
    "request_throughput",
    "input_throughput",
    "output_throughput",
    "total_throughput",
    "total_token_throughput",
    "max_output_tokens_per_s",
)


def recompute(launch: Launch) -> None:
    """Our own rows anew from their requests."""
    making.recompute(Files(launch.where, launch.server, launch.rows, launch.requests, launch.host, launch.log))


def speed(draft: Draft, launches: Iterable[Launch], factor: float) -> None:
    """Everything in these launches took ``1 / factor`` of its time."""
    for launch in launches:
        for repeat in range(len(launch.rows)):
            repeat_speed(draft, launch, repeat, factor)


def repeat_speed(draft: Draft, launch: Launch, repeat: int, factor: float) -> None:
    """One timed repeat (its place in the launch) took ``1 / factor`` of its time."""
    if draft.dialect == "ours":
        number = launch.rows[repeat]["countersign"]["repeat"]
        for item in launch.requests:
            if item["repeat"] == number:
                for key in ("scheduled_s", "sent_s", "first_token_s", "end_s"):
                    if item[key] is not None:
                        item[key] /= factor
        recompute(launch)
        return
    launch.rows[repeat] = _faster(launch.rows[repeat], factor)


def _faster(row: Json, factor: float) -> Json:
    found = dict(row)
    for key, value in row.items():
        if key in RATES:
            found[key] = value * factor
        elif key == "duration" or (key.endswith("_ms") and value is not None):
            found[key] = value / factor
        elif key in TIMES:
            found[key] = [item / factor for item in value]
        elif key == "itls":
            found[key] = [[gap / factor for gap in gaps] for gaps in value]
    return found


def settings(draft: Draft, leg: str, moved: Json) -> None:
    """The servers of a leg run with these settings, wherever this dialect records settings.

    SGLang: server_info and the log's arguments; vLLM: the log's arguments and metadata (text); ours: server.json and rows.
    """
    for launch in draft.leg(leg):
        if draft.dialect == "ours":
            launch.server["effective"] = {**launch.server["effective"], **moved}
            launch.server["effective_source"] = {**launch.server["effective_source"], **dict.fromkeys(moved, "cmdline")}
            flags = {key: value for key, value in moved.items() if not key.startswith("env.")}
            launch.server["requested"] = {**launch.server["requested"], "flags": {**launch.server["requested"]["flags"], **flags}}
            for row in launch.rows:
                row["server_info"] = {**row["server_info"], **moved}
        elif draft.dialect == "sglang":
            for row in launch.rows:
                row["server_info"] = {**row["server_info"], **moved}
            if launch.log:
                launch.log = foreign.sglang_log(launch.rows[0]["server_info"], launch.log[WORK_SGLANG:])
        else:
            _vllm_settings(launch, moved)


WORK_SGLANG, WORK_VLLM = 6, 5
"""Lines of the generated logs before those a recipe has added."""


def _vllm_settings(launch: Launch, moved: Json) -> None:
    if not launch.log:
        for row in launch.rows:
            row |= {key: str(value) for key, value in moved.items()}
        return
    import ast

    args = ast.literal_eval(launch.log[0].partition("non-default args: ")[2])
    backend = launch.log[1].partition("Using ")[2].partition(" ")[0]
    args |= moved
    launch.log = foreign.vllm_log(args, moved.get("attention_backend", backend), launch.log[WORK_VLLM:])


def declare(draft: Draft, flags: Json, **more: object) -> None:
    """The commission names these settings as the change under audit, beside or instead of what it named."""
    draft.request["change"] = {**draft.request["change"], "flags": {**draft.request["change"]["flags"], **flags}, **more}


def outputs(draft: Draft, leg: str, share: float) -> None:
    """Answers of a leg have ``share`` of their length, at the same time per token."""
    for launch in draft.leg(leg):
        if draft.dialect == "ours":
            for item in launch.requests:
                length = max(2, round(item["tokens_out"] * share))
                each = (item["end_s"] - item["first_token_s"]) / (item["tokens_out"] - 1)
                end = item["first_token_s"] + each * (length - 1)
                item |= {"tokens_out": length, "usage_out": length, "end_s": end}
            recompute(launch)
        else:
            launch.rows = [_shorter(row, share) for row in launch.rows]


def _shorter(row: Json, share: float) -> Json:
    """A foreign row whose answers are shorter: tokens, time and arrays change together, the rate stays."""
    old = row["total_output_tokens"] / row["completed"]
    length = max(2, round(old * share))
    part = length / old
    found = dict(row)
    for key in ("total_output_tokens", "total_output_tokens_retokenized"):
        if key in found:
            found[key] = row["completed"] * length
    found["duration"] = row["duration"] * part
    for key in ("request_throughput", "input_throughput"):
        if key in found:
            found[key] = row[key] / part
    total = next((key for key in ("total_throughput", "total_token_throughput") if key in found), None)
    if total is not None:
        found[total] = (row["total_input_tokens"] + found["total_output_tokens"]) / found["duration"]
    if "output_lens" in row:
        found["output_lens"] = [length] * len(row["output_lens"])
        found["itls"] = [gaps[: length - 1] for gaps in row["itls"]]
    for key in row:
        if key.endswith(("_e2e_latency_ms", "_e2el_ms")):
            found[key] = row[key] * part
    if "output_lens" in row:
        figures(found)
    elif "concurrency" in row and "mean_e2e_latency_ms" in found:
        found["concurrency"] = found["mean_e2e_latency_ms"] / 1000 * row["completed"] / found["duration"]
    return found


def figures(row: Json) -> None:
    """Every latency figure of a detailed row anew from its arrays, over the requests that were answered."""
    kept = [index for index, length in enumerate(row["output_lens"]) if length > 0]
    gaps = [row["itls"][index] for index in kept]
    ttft = [1000 * row["ttfts"][index] for index in kept]
    e2e = [one + 1000 * sum(each) for one, each in zip(ttft, gaps, strict=True)]
    tpot = [1000 * sum(each) / len(each) for each in gaps if each]
    itl = [1000 * gap for each in gaps for gap in each]
    name = "e2e_latency" if "mean_e2e_latency_ms" in row else "e2el"
    for what, values in ((name, e2e), ("ttft", ttft), ("tpot", tpot), ("itl", itl)):
        for key in [key for key in row if key.endswith(f"_{what}_ms")]:
            row[key] = _statistic(key.partition("_")[0], values)
    if "concurrency" in row:
        row["concurrency"] = sum(e2e) / 1000 / row["duration"]


def _statistic(name: str, values: list[float]) -> float:
    if name == "mean":
        return statistics.fmean(values)
    if name == "median":
        return statistics.median(values)
    return foreign.deviation(values) if name == "std" else foreign.quantile(values, float(name[1:]) / 100)


def fail(draft: Draft, leg: str, share: float) -> None:
    """This share of a leg's requests ended in an error and is not among the completed; the others took the same time.

    Recorded as each client does: an error in our requests, ``failed`` and ``errors`` of vLLM, ``errors`` of a detailed SGLang row.
    A plain SGLang row shows only fewer completed requests.
    """
    for launch in draft.leg(leg):
        if draft.dialect == "ours":
            step = max(1, round(1 / share))
            for item in launch.requests[::step]:
                item |= {"error": "HTTP 500", "answer": None, "stop_reason": None}
            recompute(launch)
        else:
            launch.rows = [_failing(row, share) for row in launch.rows]


def _failing(row: Json, share: float) -> Json:
    lost = max(1, round(row["completed"] * share))
    kept = row["completed"] - lost
    each_in, each_out = row["total_input_tokens"] // row["completed"], row["total_output_tokens"] // row["completed"]
    found = dict(row) | {"completed": kept, "total_input_tokens": kept * each_in, "total_output_tokens": kept * each_out}
    if "total_output_tokens_retokenized" in row:
        found |= {"total_output_tokens_retokenized": kept * each_out, "total_input_text_tokens": kept * each_in}
    if "failed" in row:
        found["failed"] = row["failed"] + lost
    part = kept / row["completed"]
    for key in RATES:
        if key in row and key != "max_output_tokens_per_s":
            found[key] = row[key] * part
    if "output_lens" in row:
        found["output_lens"] = [0] * lost + row["output_lens"][lost:]
        found["ttfts"] = [0.0] * lost + row["ttfts"][lost:]
        found["itls"] = [[] for _ in range(lost)] + row["itls"][lost:]
        found["errors"] = ["Internal Server Error"] * lost + row["errors"][lost:]
    if "output_lens" in row:
        figures(found)
    elif "concurrency" in row:
        found["concurrency"] = row["concurrency"] * part
    return found


def prompts(launch: Launch, text: str) -> None:
    """Other prompts in one of our launches: ``text`` is put before each."""
    for item in launch.requests:
        item["prompt"] = text + item["prompt"]
        item["prompt_sha256"] = hashlib.sha256(item["prompt"].encode()).hexdigest()
    recompute(launch)
