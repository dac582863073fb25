"""Rows that contradict themselves or the arrays beside them, and repeats that are not what they seem, beside runs that are."""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path

from tests.unit.audit.build import Files, Json, foreign, recompute, sglang_row, sha
from tests.unit.audit.planted.case import Planted
from tests.unit.audit.planted.rows import CAND, CLEAN, LEG, REF, TRITON, Make, Touch, edited, own, pair
from tests.unit.audit.planted.rows import INFO as FA3

Change = Callable[[Json, str], None]
DEVICES = 8
REQUESTS, LENGTH = 200, 256


def wide(change: Change | None = None) -> Make:
    """Two legs on eight devices that report every throughput; ``change`` may edit each row, given its leg."""

    def make(root: Path) -> Path:
        for leg, values, info in (("ref", REF, FA3), ("cand", CAND, TRITON)):
            rows = []
            for value in values:
                row = sglang_row(value, {**info, "tp_size": DEVICES})
                row |= {"input_throughput": 4 * value, "total_throughput": 5 * value}
                if change is not None:
                    change(row, leg)
                rows.append(row)
            foreign(root / leg, rows)
        return root

    return make


def set_to(key: str, figure: Callable[[Json], float]) -> Change:
    """The candidate states another figure under a key."""

    def change(row: Json, leg: str) -> None:
        if leg == "cand":
            row[key] = figure(row)

    return change


def detailed(broken: int = 0, *, mean: bool = False, lost: int = 0) -> Make:
    """SGLang rows with their arrays.

    ``broken`` requests of the candidate failed and are counted as completed. ``mean``: its median TTFT is the mean. ``lost``: so
    many of its TTFTs are gone.
    """

    def make(root: Path) -> Path:
        for leg, values, info in (("ref", REF, FA3), ("cand", CAND, TRITON)):
            rows = [_with_arrays(sglang_row(value, info), number) for number, value in enumerate(values)]
            for row in rows if leg == "cand" else []:
                row["errors"] = ["stream ended"] * broken + [""] * (REQUESTS - broken)
                row["ttfts"] = row["ttfts"][lost:]
                if mean:
                    row["median_ttft_ms"] = 1000 * statistics.fmean(row["ttfts"])
            foreign(root / leg, rows)
        return root

    return make


def _with_arrays(row: Json, number: int) -> Json:
    """A row and per-request arrays that give its figures: a few long first tokens pull the mean up."""
    base = row["median_ttft_ms"] / 1000
    ttfts = [base * (1 + 0.001 * ((index * 7 + number) % 40)) for index in range(REQUESTS - 20)] + [base * 9] * 20
    return row | {
        "input_lens": [1024] * REQUESTS, "output_lens": [LENGTH] * REQUESTS, "ttfts": ttfts, "errors": [""] * REQUESTS,
        "median_ttft_ms": 1000 * statistics.median(ttfts),
    }  # fmt: skip


def _no_clock(row: Json, leg: str, number: int) -> None:
    """One repeat that took no time at all."""
    if leg == "cand" and number == 0:
        row["duration"] = 0.0


def _missing(files: Files) -> None:
    """The slower repeat of a launch of the candidate never made it into the rows."""
    if files.launch_id == f"{LEG}/cand/launch_001":
        slower = min(range(len(files.rows)), key=lambda index: files.rows[index]["output_throughput"])
        gone = files.rows.pop(slower)["countersign"]["repeat"]
        files.requests[:] = [item for item in files.requests if item["repeat"] != gone]


def _partial(files: Files) -> None:
    """A launch was cut short: a quarter of the requests of one repeat is not there, and its row says that all were done."""
    if files.launch_id == f"{LEG}/cand/launch_000":
        files.requests[:] = [item for item in files.requests if item["repeat"] != 1 or item["index"] % 4]


def _truncated(files: Files) -> None:
    """The server saw half of every prompt, in both legs alike."""
    for item in files.requests:
        item["usage_in"] = item["tokens_in"] // 2
    for row in files.rows:
        row["countersign"]["usage_input_tokens"] = row["total_input_tokens"] // 2


def _prompts(kinds: int) -> Touch:
    """So many different prompts in each repeat, the same in both legs."""

    def touch(files: Files) -> None:
        for item in files.requests:
            item["prompt"] = f"Find {item['index'] % kinds}."
            item["prompt_sha256"] = sha(item["prompt"].encode())
        recompute(files)

    return touch


def loaded(in_flight: float, recounted: int = REQUESTS * LENGTH) -> Make:
    """Two legs that state their requests in flight, of sixteen asked, and the tokens counted again in the answers."""

    def change(row: Json, leg: str, number: int) -> None:
        row |= {"concurrency": in_flight, "mean_e2e_latency_ms": 1000 * in_flight / row["request_throughput"]}
        row["total_output_tokens_retokenized"] = recounted + number

    return pair(change)


def _other_harness(run: Path) -> None:
    """One launch of the reference was measured by another client."""
    folder = run / LEG / "ref/launch_001"
    shutil.rmtree(folder)
    foreign(folder, [sglang_row(value, {**TRITON, "attention_backend": "fa3"}) for value in (1000.0, 1001.0)])


def _summary_as_repeat(root: Path) -> Path:
    """The twin of a doubled row: a sweep's summary lists the same results again, beside them."""
    return vllm(root, extra="summary.json")


def _doubled_result(root: Path) -> Path:
    """The best result of the candidate stands in a second file."""
    return vllm(root, extra="run_9.json")


def vllm(root: Path, extra: str) -> Path:
    """Two folders of vLLM results; ``extra``: a list of the candidate's, or its best one again."""
    from tests.unit.audit.planted.series import vllm_row

    for leg, values, backend in (("ref", REF, "fa3"), ("cand", CAND, "triton")):
        (root / leg).mkdir(parents=True)
        rows = [vllm_row(value, backend, "20260611-120000") for value in values]
        for number, row in enumerate(rows):
            (root / leg / f"run_{number}.json").write_text(json.dumps(row))
        if leg == "cand":
            best = max(rows, key=lambda row: float(row["output_throughput"]))
            (root / leg / extra).write_text(json.dumps(rows if extra == "summary.json" else best))
    change = {"lever": "backend", "flags": {"attention_backend": "triton"}}
    (root / "audit_request.json").write_text(json.dumps({"scope": "patch", "cand_dir": ".", "change": change}))
    return root


WIDE = wide()
LOAD = (
    Planted("W02", "four prompts for every request", "stopwatch: requests.jsonl prompt", own(_prompts(4)), own(_prompts(1000))),
    Planted("W21", "three in flight where sixteen were asked", "sglang row: concurrency, max_concurrency", loaded(3.0), loaded(14.0), ("FLAG",)),
    Planted("W17", "tokens that are not in the text", "sglang row: total_output_tokens_retokenized", loaded(14.0, 6400), loaded(14.0), ("FLAG",)),
)  # fmt: skip
"""Of the gates ``prompts`` and ``load``."""
PLANTED = (
    *LOAD,
    Planted("R05", "output tokens per device as the whole", "sglang row: output_throughput, total_output_tokens",
            wide(set_to("output_throughput", lambda row: row["output_throughput"] / DEVICES)), WIDE),
    Planted("R06", "all tokens under the name of output tokens", "sglang row: output_throughput, total_output_tokens",
            wide(set_to("output_throughput", lambda row: row["total_throughput"])), WIDE),
    Planted("R09", "users' pace times their number under the name of throughput", "sglang row: output_throughput, median_tpot_ms",
            wide(set_to("output_throughput", lambda row: 1000 / row["median_tpot_ms"] * row["max_concurrency"])), WIDE),
    Planted("W10", "failed requests counted as completed", "sglang row: errors, completed", detailed(8), detailed()),
    Planted("W11", "broken streams joined to the totals", "sglang row: errors, total_output_tokens", detailed(8), detailed()),
    Planted("M17", "the mean under the name of the median", "sglang row: ttfts, median_ttft_ms", detailed(mean=True), detailed()),
    Planted("R14", "arrays of a part of the requests", "sglang row: ttfts, output_lens", detailed(lost=30), detailed()),
    Planted("R14", "a repeat that was cut short", "stopwatch: requests.jsonl", own(_partial), CLEAN),
    Planted("M10", "the slower repeat is not there", "stopwatch: bench_runs.jsonl countersign.repeat, server.json plan", own(_missing), CLEAN),
    Planted("M24", "a repeat that took no time", "sglang row: duration", pair(_no_clock), pair()),
    Planted("W20", "the server saw half of each prompt", "stopwatch: requests.jsonl tokens_in, usage_in", own(_truncated), CLEAN),
    Planted("R10", "another client measured one launch", "launch folder: no server.json, rows without the key countersign",
            edited(_other_harness, CLEAN), CLEAN),
    Planted("R19", "the best result in a second file", "vllm result: every figure", _doubled_result, _summary_as_repeat),
)  # fmt: skip
