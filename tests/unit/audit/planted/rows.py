"""Rows and requests that tell a lie about the work: on our own stopwatch and in foreign rows, beside runs that did the work."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.audit.build import Files, Json, Run, Server, foreign, recompute, sglang_row
from tests.unit.audit.planted.case import Planted
from tests.unit.audit.test_logs import vllm_result

INFO: Json = {"model_path": "m", "attention_backend": "fa3"}
TRITON: Json = {**INFO, "attention_backend": "triton"}
REF, CAND = (1000.0, 1001.5, 999.25), (1080.0, 1083.0, 1081.5)
EAGER: Json = {"attn_implementation": "eager"}
LEG = "config/c01"
Make = Callable[[Path], Path]
Touch = Callable[[Files], None]


def own(touch: Touch | None = None, **keys: Any) -> Make:
    """Our own A/B of a true gain; ``touch`` changes launches before they are sealed, ``keys`` the request."""

    def make(root: Path) -> Path:
        run = Run(root)
        run.aa("baseline/set_1", Server())
        run.ab(LEG, Server(), Server(tok_s=1100.0, effective=EAGER), touch=touch)
        run.patch(LEG, EAGER, short_name="c01", **keys)
        return run.finish()

    return make


def pair(change: Callable[[Json, str, int], None] | None = None) -> Make:
    """Two flat legs of SGLang rows; ``change`` may edit each row, given its leg and number."""

    def make(root: Path) -> Path:
        for leg, values, info in (("ref", REF, INFO), ("cand", CAND, TRITON)):
            rows = [sglang_row(value, info) for value in values]
            for number, row in enumerate(rows):
                if change is not None:
                    change(row, leg, number)
            foreign(root / leg, rows)
        return root

    return make


def edited(change: Callable[[Path], None], make: Make) -> Make:
    """A run that somebody edited after it was written."""

    def after(root: Path) -> Path:
        run = make(root)
        change(run)
        return run

    return after


def _lengths(cand: int, ref: int = 256) -> Callable[[Json, str, int], None]:
    def change(row: Json, leg: str, number: int) -> None:
        length = cand if leg == "cand" else ref
        row["total_output_tokens"] = row["completed"] * length
        row["duration"] = row["total_output_tokens"] / row["output_throughput"]
        row["request_throughput"] = row["completed"] / row["duration"]

    return change


def _inputs(cand: int, ref: int) -> Callable[[Json, str, int], None]:
    def change(row: Json, leg: str, number: int) -> None:
        row["total_input_tokens"] = row["completed"] * (cand if leg == "cand" else ref)

    return change


def _fails(share: int) -> Touch:
    def touch(files: Files) -> None:
        if "/cand/" in files.launch_id and share:
            for item in files.requests[::share]:
                item |= {"error": "HTTP 500", "answer": None, "stop_reason": None}
            recompute(files)

    return touch


def _usage(off: int) -> Touch:
    def touch(files: Files) -> None:
        for item in files.requests:
            item["usage_out"] = item["tokens_out"] + off
        for row in files.rows:
            row["countersign"]["usage_output_tokens"] = row["total_output_tokens"] + off * row["completed"]

    return touch


def _scaled(key: str, factor: float) -> Callable[[Json, str, int], None]:
    def change(row: Json, leg: str, number: int) -> None:
        row[key] *= factor

    return change


def _copied(row: Json, leg: str, number: int) -> None:
    """The second repeat of the candidate is the first one again, to the last digit."""
    if leg == "cand" and number == 1:
        again = sglang_row(CAND[0], TRITON)
        row.update(again)


def _empty(row: Json, leg: str, number: int) -> None:
    if leg == "ref" and number == 2:
        row.update(completed=0, total_output_tokens=0, output_throughput=0.0, request_throughput=0.0)


def _detailed(broken: int) -> Make:
    """vLLM results with their arrays; ``broken`` requests ended in an error and were counted as answers all the same."""

    def make(root: Path) -> Path:
        for leg, values in (("ref", REF), ("cand", CAND)):
            (root / leg).mkdir(parents=True)
            for number, value in enumerate(values):
                lost = broken if leg == "cand" else 0
                arrays = {
                    "input_lens": [1024] * 200, "output_lens": [256] * 200, "ttfts": [100.0 / value] * 200,
                    "errors": ["stream ended"] * lost + [""] * (200 - lost),
                }  # fmt: skip
                (root / leg / f"run_{number}.json").write_text(json.dumps(vllm_result(value, **arrays)))
        change = {"lever": "backend", "flags": {"attention_backend": "triton"}}
        (root / "audit_request.json").write_text(json.dumps({"scope": "patch", "cand_dir": ".", "change": change}))
        return root

    return make


def _append(run: Path) -> None:
    path = run / LEG / "ref/launch_000/bench_runs.jsonl"
    row = json.loads(path.read_text().splitlines()[0])
    row["output_throughput"] *= 0.97
    path.write_text(json.dumps(row) + "\n")


def _moved_in(run: Path) -> None:
    """A launch of the A/A set stands in for one of the reference."""
    shutil.rmtree(run / LEG / "ref/launch_001")
    shutil.copytree(run / "baseline/set_1/launch_001", run / LEG / "ref/launch_001")


def _doubled(files: Files) -> None:
    if files.launch_id == f"{LEG}/cand/launch_000":
        files.rows.append({**files.rows[0], "countersign": dict(files.rows[0]["countersign"])})


def _foreign_cpu(cores: float) -> Make:
    def make(root: Path) -> Path:
        run = Run(root)
        run.aa("baseline/set_1", Server())
        run.ab(LEG, Server(foreign_cores=cores), Server(tok_s=1100.0, effective=EAGER))
        run.patch(LEG, EAGER, short_name="c01")
        return run.finish()

    return make


def _prompts(*, changed: bool) -> Touch:
    import hashlib

    def touch(files: Files) -> None:
        if changed and "/cand/" in files.launch_id:
            for item in files.requests:
                item["prompt"] += "!"
                item["prompt_sha256"] = hashlib.sha256(item["prompt"].encode()).hexdigest()
            recompute(files)

    return touch


CLEAN, FOREIGN = own(), pair()
PLANTED = (
    Planted("W05", "other prompts for the candidate", "stopwatch: requests.jsonl prompt_sha256", own(_prompts(changed=True)), own(_prompts(changed=False))),
    Planted("W05", "shorter prompts for the candidate", "sglang row: total_input_tokens", pair(_inputs(512, 1024)), pair(_inputs(512, 512))),
    Planted("W06", "shorter answers of the candidate", "sglang row: total_output_tokens", pair(_lengths(192)), pair(_lengths(192, 192))),
    Planted("W08", "longer answers of the candidate", "sglang row: total_output_tokens", pair(_lengths(512)), pair(_lengths(512, 512))),
    Planted("W10", "failed requests left out of the average", "stopwatch: requests.jsonl error", own(_fails(40)), own(_fails(0))),
    Planted("W11", "streams that broke counted as answers", "vllm result: errors, completed", _detailed(8), _detailed(0)),
    Planted("W13", "refused requests make the rest faster", "stopwatch: requests.jsonl error", own(_fails(8)), own(_fails(0))),
    Planted("W18", "the server counts other tokens", "stopwatch: requests.jsonl usage_out", own(_usage(6)), own(_usage(0))),
    Planted("R21", "milliseconds as seconds", "sglang row: duration", pair(_scaled("duration", 1000.0)), FOREIGN),
    Planted("R21", "TTFT in microseconds", "sglang row: median_ttft_ms", pair(_scaled("median_ttft_ms", 1000.0)), FOREIGN),
    Planted("R12", "a repeat in which nothing completed", "sglang row: completed", pair(_empty), FOREIGN),
    Planted("R19", "a repeat copied to the last digit", "sglang row: duration and every figure", pair(_copied), FOREIGN),
    Planted("O12", "a row edited after it was sealed", "stopwatch: seal.json", edited(_append, CLEAN), CLEAN),
    Planted("R18", "a launch from another set", "stopwatch: server.json launch_id, ledger", edited(_moved_in, CLEAN), CLEAN),
    Planted("O03", "a repeat recorded twice", "stopwatch: bench_runs.jsonl countersign.repeat", own(_doubled), CLEAN),
    Planted("M08", "more launches than were planned", "stopwatch: server.json plan; request planned", own(planned={"launches": 2, "repeats": 2}),
            own(planned={"launches": 3, "repeats": 2})),
    Planted("M22", "a neighbour on the machine", "stopwatch: host.json foreign_cores", _foreign_cpu(0.4), _foreign_cpu(0.01)),
)  # fmt: skip
