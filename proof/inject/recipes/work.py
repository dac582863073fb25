"""Less work, easier work, work that failed: what makes a server look faster without making it so."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

from proof import making
from proof.inject import edits, foreign, shape
from proof.inject.bases import ALL
from proof.inject.draft import Draft, Launch
from proof.inject.recipe import Recipe
from proof.making import Json

DETAILED = ("sglang-launches", "vllm-launches")
FLAT = ("sglang-flat", "vllm-files")


def _shorter_inputs(draft: Draft, leg: str, share: float) -> None:
    """Prompts of a leg have ``share`` of their tokens; the time stays."""
    for launch in draft.leg(leg):
        if draft.dialect == "ours":
            for item in launch.requests:
                length = max(1, round(making.TOKENS_IN * share))
                item |= {"tokens_in": length, "usage_in": length}
            edits.recompute(launch)
        else:
            launch.rows = [_shorter_input(row, share) for row in launch.rows]


def _shorter_input(row: Json, share: float) -> Json:
    length = max(1, round(row["total_input_tokens"] / row["completed"] * share))
    total = row["completed"] * length
    found = {**row, "total_input_tokens": total}
    if "total_input_text_tokens" in row:
        found["total_input_text_tokens"] = total
    if "input_throughput" in row:
        found["input_throughput"] = total / row["duration"]
    name = "total_throughput" if "total_throughput" in row else "total_token_throughput"
    found[name] = (total + row["total_output_tokens"]) / row["duration"]
    if "cache_report" in row:
        found["cache_report"] = {**row["cache_report"], "total_prompt_tokens": total}
    if "input_lens" in row:
        found["input_lens"] = [length] * len(row["input_lens"])
    return found


def _easy_input(draft: Draft, size: float, rng: random.Random) -> None:
    _shorter_inputs(draft, "cand", 1 - size)


def _short_input_everywhere(draft: Draft, size: float, rng: random.Random) -> None:
    """Every leg gets prompts that short."""
    for leg in ("aa", "ref", "cand"):
        _shorter_inputs(draft, leg, 1 - size)


def _short_answers(draft: Draft, size: float, rng: random.Random) -> None:
    edits.outputs(draft, "cand", 1 - size)


def _short_answers_everywhere(draft: Draft, size: float, rng: random.Random) -> None:
    """Every leg gives answers that short, by a fifth at most so that repeats last long enough."""
    for leg in ("aa", "ref", "cand"):
        edits.outputs(draft, leg, max(0.8, 1 - size))


def _long_answers(draft: Draft, size: float, rng: random.Random) -> None:
    edits.outputs(draft, "cand", 1 + size)


def _long_answers_everywhere(draft: Draft, size: float, rng: random.Random) -> None:
    """Every leg gives answers that long."""
    for leg in ("ref", "cand"):
        edits.outputs(draft, leg, 1 + size)


def _failing(draft: Draft, size: float, rng: random.Random) -> None:
    """Part of the candidate's requests fail; those that are left are served in as much less time."""
    before = shape.middle(draft, "cand")
    edits.fail(draft, "cand", size)
    edits.speed(draft, draft.leg("cand"), before / shape.middle(draft, "cand"))


def _asked_less(draft: Draft, size: float, rng: random.Random) -> None:
    """Every leg was asked fewer requests, and none failed."""
    shape.fewer(draft, 15 / 16 if draft.dialect == "ours" else 5 / 6)


def _shedding(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate refuses part of its requests, and those it takes wait half as long for their first token."""
    _failing(draft, size, rng)
    if draft.dialect == "ours":
        for launch in draft.leg("cand"):
            for item in launch.requests:
                if item["error"] is not None:
                    item["error"] = "HTTP 503"
    for launch in draft.leg("cand"):
        launch.rows = [{**row, "errors": _named(row)} if "errors" in row else row for row in launch.rows]


def _named(row: Json) -> list[str]:
    return ["Service Unavailable" if text else "" for text in row["errors"]]


def _broken_streams(draft: Draft, size: float, rng: random.Random) -> None:
    """Part of the candidate's streams broke off after a third; the row counts them as answers of full length."""
    for launch in draft.leg("cand"):
        launch.rows = [_broken(row, round(size * foreign.REQUESTS)) for row in launch.rows]


def _broken(row: Json, count: int) -> Json:
    short = foreign.OSL // 3
    return {
        **row,
        "output_lens": [short] * count + row["output_lens"][count:],
        "itls": [gaps[: short - 1] for gaps in row["itls"][:count]] + row["itls"][count:],
        "errors": ["peer closed connection without sending complete message body"] * count + row["errors"][count:],
    }


def _other_prompts(draft: Draft, size: float, rng: random.Random) -> None:
    """So many candidate launches were given easier prompts of the same length."""
    for launch in draft.leg("cand")[: int(size)]:
        _reworded(launch, lambda text: f"Say {text[5:]}")


def _new_prompts_everywhere(draft: Draft, size: float, rng: random.Random) -> None:
    """Those pairs of launches were given other prompts, both legs the same."""
    for launch in draft.launches:
        if launch.leg == "aa" or launch.server["plan"]["pair"] < int(size):
            _reworded(launch, lambda text: f"Say {text[5:]}")


def _reworded(launch: Launch, change: Callable[[str], str]) -> None:
    for item in launch.requests:
        item["prompt"] = change(item["prompt"])
        item["prompt_sha256"] = hashlib.sha256(item["prompt"].encode()).hexdigest()
    edits.recompute(launch)


def _few_prompts(draft: Draft, size: float, rng: random.Random) -> None:
    """This share of the requests of every repeat repeats its first prompt."""
    for launch in draft.launches:
        first = {item["repeat"]: item for item in launch.requests if item["index"] == 0}
        for item in launch.requests:
            if (item["index"] * 0.618) % 1 < size:
                item |= {key: first[item["repeat"]][key] for key in ("prompt", "prompt_sha256", "expected", "answer")}
        edits.recompute(launch)


def _one_seed(draft: Draft, size: float, rng: random.Random) -> None:
    """So many clients draw from one seed: each prompt is sent by all of them."""
    for launch in draft.launches:
        made = {(item["repeat"], item["index"]): item for item in launch.requests}
        told = {
            key: {name: item[name] for name in ("prompt", "prompt_sha256", "expected", "answer")} for key, item in made.items()
        }
        for (repeat, index), item in made.items():
            item.update(told[repeat, index - index % int(size)])
        edits.recompute(launch)


def _common_head(draft: Draft, size: float, rng: random.Random) -> None:
    """Every prompt begins with the same instruction and goes on by itself."""
    for launch in draft.launches:
        edits.prompts(launch, "You are a helpful assistant. " * max(1, round(size)))


def _hits(draft: Draft, legs: tuple[str, ...], share: float) -> None:
    """This share of the prompt tokens of these legs came from the prefix cache, as rows and logs have it."""
    for launch in (launch for leg in legs for launch in draft.leg(leg)):
        for row in launch.rows:
            if "cache_report" in row:
                cached = round(row["cache_report"]["total_prompt_tokens"] * share)
                row["cache_report"] = {**row["cache_report"], "total_cached_tokens": cached, "cache_hit_rate_pct": 100 * share}
        if draft.dialect == "vllm":
            launch.log = [
                line.replace("Prefix cache hit rate: 0.0%", f"Prefix cache hit rate: {100 * share:.1f}%") for line in launch.log
            ]


def _warm_cache(draft: Draft, size: float, rng: random.Random) -> None:
    """No gain by the change; the candidate's servers had seen the prompts."""
    _hits(draft, ("cand",), size)


def _as_warm(draft: Draft, size: float, rng: random.Random) -> None:
    """Every server had seen as many."""
    _hits(draft, ("aa", "ref", "cand"), size)


def _truncated(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's server cut prompts: it counts fewer tokens than the client sent."""
    for launch in draft.leg("cand"):
        if draft.dialect == "ours":
            for item in launch.requests:
                item["usage_in"] = max(1, round(item["tokens_in"] * (1 - size)))
            edits.recompute(launch)
            for row in launch.rows:
                row["countersign"]["usage_input_tokens"] = sum(
                    item["usage_in"] for item in launch.requests if item["repeat"] == row["countersign"]["repeat"]
                )
        else:
            for row in launch.rows:
                asked = row["total_input_tokens"]
                row["cache_report"] = {**row["cache_report"], "total_prompt_tokens": round(asked * (1 - size))}


RECIPES = (
    Recipe("shorter-prompts", ("W05",), "any row: total_input_tokens; stopwatch: requests.jsonl tokens_in", ALL, (0.05, 0.2, 0.5),
           "The candidate's prompts are shorter by this share.", _easy_input, _short_input_everywhere, critical=True),
    Recipe("shorter-answers", ("W06",), "any row: total_output_tokens; stopwatch: requests.jsonl tokens_out", ALL, (0.05, 0.2, 0.5),
           "The candidate's answers are shorter by this share.", _short_answers, _short_answers_everywhere, critical=True),
    Recipe("longer-answers", ("W08", "W06"), "any row: total_output_tokens", FLAT, (0.05, 0.3, 1.0),
           "The candidate's answers are longer by this share: more tokens in one batch, not more answers.", _long_answers, _long_answers_everywhere, critical=True),
    Recipe("failures-left-out", ("W10",), "any row: completed, failed, errors; stopwatch: requests.jsonl error", ALL, (0.02, 0.1, 0.4),
           "This share of the candidate's requests failed, and the rate is that of the survivors.", _failing, _asked_less, critical=True),
    Recipe("load-shed", ("W13", "W10"), "stopwatch: requests.jsonl error; detailed rows: errors", ("ours", *DETAILED), (0.03, 0.1, 0.3),
           "The candidate's server refused this share of its requests.", _shedding, _asked_less, critical=True),
    Recipe("broken-streams-counted", ("W11", "W10"), "detailed rows: errors, output_lens, completed", DETAILED, (0.03, 0.1, 0.3),
           "This share of the candidate's streams broke off and is counted as whole answers.", _broken_streams, _asked_less, critical=True),
    Recipe("other-prompts", ("W05",), "stopwatch: requests.jsonl prompt_sha256", ("ours",), (1.0, 2.0, 3.0),
           "So many of the candidate's launches were given other prompts of the same length.", _other_prompts, _new_prompts_everywhere, critical=True),
    Recipe("identical-prompts", ("W02",), "stopwatch: requests.jsonl prompt", ("ours",), (0.15, 0.5, 0.95),
           "This share of all requests repeats one prompt, in both legs.", _few_prompts, _common_head, critical=True),
    Recipe("clients-share-a-seed", ("W03", "W02"), "stopwatch: requests.jsonl prompt", ("ours",), (2.0, 4.0, 8.0),
           "So many clients send the same prompts at the same time.", _one_seed, _common_head, critical=True),
    Recipe("warm-prefix-cache", ("W01",), "sglang row: cache_report; vllm server.log: Prefix cache hit rate", DETAILED, (0.05, 0.3, 0.9),
           "This share of the candidate's prompt tokens came from a cache that the reference did not have.", _warm_cache, _as_warm, critical=True),
    Recipe("truncated-prompts", ("W20", "W18"), "stopwatch: requests.jsonl usage_in; sglang row: cache_report.total_prompt_tokens", ("ours", "sglang-launches"),
           (0.05, 0.3, 0.8), "The candidate's server cut this share off the prompts in silence.", _truncated, _short_input_everywhere, critical=True),
)  # fmt: skip
