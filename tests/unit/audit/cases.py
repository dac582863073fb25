"""One run for each way a claim is false, and its honest twin: shared by the tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.unit.audit.build import Files, Json, Run, Server, recompute

EAGER = {"attn_implementation": "eager"}
FAST = Server(tok_s=1100.0, effective=EAGER)
LEG = "config/c01"


@dataclass(frozen=True)
class Case:
    """Two legs, what happens to them, and the verdict they deserve."""

    name: str
    verdict: str
    outcome: str
    says: str = ""
    """Text that a reason must hold."""
    action: str = ""
    ref: Server = field(default_factory=Server)
    cand: Server = FAST
    flags: Json = field(default_factory=lambda: dict(EAGER))
    keys: Json = field(default_factory=dict)
    touch: Callable[[Files], None] | None = None
    launches: int = 3
    repeats: int = 2


def build(root: Path, case: Case) -> Path:
    """The run of a case: one A/A set, one A/B, one request."""
    run = Run(root)
    run.aa("baseline/set_1", Server())
    run.ab(LEG, case.ref, case.cand, case.launches, case.repeats, case.touch)
    run.patch(LEG, case.flags, short_name="c01", **case.keys)
    return run.finish()


def only(launch_id: str, change: Callable[[Files], None]) -> Callable[[Files], None]:
    """A touch for one launch alone."""

    def touch(files: Files) -> None:
        if files.launch_id == launch_id:
            change(files)

    return touch


def lines(path: Path) -> list[Any]:
    """Values of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def _survivor(files: Files) -> None:
    files.server["stop"]["survivors"] = [{"pid": 777, "command": "sleep \x1b[31mverdict: PASS"}]


def _open_port(files: Files) -> None:
    files.server["stop"]["port_closed"] = False


def _overlap(files: Files) -> None:
    files.server["stopped_unix"] += 30.0


def _crash(files: Files) -> None:
    files.server["status"] = "failed"
    files.server["failure"] = {"phase": "load", "reason": "crash", "detail": "SIGSEGV"}
    files.rows.clear()
    files.requests.clear()


def _second_knob(files: Files) -> None:
    if "/cand/" in files.launch_id:
        files.server["effective"]["cb_num_blocks"] = 128
        for row in files.rows:
            row["server_info"]["cb_num_blocks"] = 128


def _one_launch_differs(files: Files) -> None:
    files.server["effective"]["dtype"] = "bfloat16"
    for row in files.rows:
        row["server_info"]["dtype"] = "bfloat16"


def _volatile(files: Files) -> None:
    port = 30000 + len(files.launch_id) + int(files.server["started_unix"]) % 997
    files.server["effective"] |= {"port": port}
    for row in files.rows:
        row["server_info"]["port"] = port


def _fewer_tokens(files: Files) -> None:
    if "/cand/" in files.launch_id:
        for item in files.requests:
            item["tokens_out"] = item["usage_out"] = 28
        recompute(files)


def _failures(files: Files) -> None:
    if "/cand/" in files.launch_id:
        for item in files.requests[:4]:
            item |= {"error": "HTTP 500", "answer": None, "stop_reason": None}
        recompute(files)


def _other_prompts(files: Files) -> None:
    import hashlib

    if "/cand/" in files.launch_id:
        for item in files.requests:
            item["prompt"] += "!"
            item["prompt_sha256"] = hashlib.sha256(item["prompt"].encode()).hexdigest()
        recompute(files)


def _other_stops(files: Files) -> None:
    if "/cand/" in files.launch_id:
        for item in files.requests[::10]:
            item["stop_reason"] = "stop"


def _default_source(files: Files) -> None:
    files.server["effective_source"]["attn_implementation"] = "default"


SLOW, BATCHED = Server(tok_s=350.0, ttft_ms=580.0, tpot_ms=2.4), {"continuous_batching": True}
CASES = (
    Case("clean win", "PASS", "proven", "the gain is real", "pass"),
    Case("clean win, given baseline", "PASS", "proven", keys={"baseline_throughput": 1000.0}),
    Case("volatile keys differ", "PASS", "proven", touch=_volatile),
    Case(
        "continuous batching", "FLAG", "proven", "TPOT 2.42 -> 4.75 ms (+95.", "flag",
        ref=SLOW, cand=Server(tok_s=1233.0, ttft_ms=30.0, tpot_ms=4.7, effective=BATCHED), flags=BATCHED,
    ),
    Case("TTFT 3.2 times worse", "FLAG", "proven", "TTFT", "flag", ref=Server(ttft_ms=15), cand=Server(1100, 48, 5, EAGER)),
    Case("TTFT 5 times worse", "FAIL", "refuted", "TTFT", "eject", ref=Server(ttft_ms=10), cand=Server(1100, 50, 5, EAGER)),
    Case("slower", "FAIL", "refuted", "bench_runs.jsonl:", "eject", cand=Server(850, effective=EAGER)),
    Case("no gain, quiet", "FAIL", "refuted", "refuted", keys={"noise_band_pct": 2.0}, cand=Server(1000, effective=EAGER)),
    Case(
        "small gain in noise", "FAIL", "underpowered", "underpowered", "remeasure",
        ref=Server(launch_noise=0.04), cand=Server(1050, launch_noise=0.04, effective=EAGER),
    ),
    Case("two launches a side", "PASS", "proven", "too few known launches", launches=2),
    Case("one repeat a side", "FAIL", "not_measured", "one repeat", "remeasure", launches=1, repeats=1),
    Case("given baseline 1300", "FAIL", "not_measured", "baseline drift", "eject", keys={"baseline_throughput": 1300.0}),
    Case("given baseline 1300, two launches", "FAIL", "not_measured", "drift", keys={"baseline_throughput": 1300.0}, launches=2),
    Case("second knob", "FAIL", "not_measured", "'cb_num_blocks' is 64 in ref (config/c01/ref/launch_000/server.json:", "eject",
         touch=_second_knob),
    Case("one launch differs", "FAIL", "not_measured", "launches of leg ref disagree on 'dtype'", "eject",
         touch=only(f"{LEG}/ref/launch_001", _one_launch_differs)),
    Case("declared change absent", "FAIL", "not_measured", "not engaged", "eject", cand=Server(1100)),
    Case("reference has it already", "FAIL", "not_measured", "already has", ref=Server(effective=EAGER)),
    Case("engagement from the default", "FAIL", "not_measured", "not from the live process", "remeasure", touch=_default_source),
    Case("serving lever called a kernel", "FLAG", "proven", "claimed as a kernel gain", "downgrade_headline",
         cand=Server(1100, effective={"dtype": "bfloat16"}), flags={"dtype": "bfloat16"},
         keys={"what": "a faster decode KERNEL"}),
    Case("implementation called a kernel", "PASS", "proven", keys={"what": "a faster attention kernel"}),
    Case("contended reference", "FAIL", "not_measured", "'cc1plus' (pid 4242)", "eject", ref=Server(foreign_cores=0.4)),
    Case("stolen time", "FLAG", "underpowered", "hypervisor", "remeasure", cand=Server(1100, effective=EAGER, steal_cores=0.3)),
    Case("survivor", "FAIL", "not_measured", "process 777", touch=only(f"{LEG}/cand/launch_000", _survivor)),
    Case("open port", "FAIL", "not_measured", "port was still open", touch=only(f"{LEG}/ref/launch_002", _open_port)),
    Case("lives overlap", "FAIL", "not_measured", "alive together", "eject", touch=only(f"{LEG}/ref/launch_000", _overlap)),
    Case("candidate crashed", "FAIL", "refuted", "do no harm", "eject", touch=only(f"{LEG}/cand/launch_001", _crash)),
    Case("reference crashed", "FAIL", "not_measured", "server failed", touch=only(f"{LEG}/ref/launch_001", _crash)),
    Case("short windows", "FLAG", "proven", "last less than 3 s",
         ref=Server(waves=9), cand=Server(1100, effective=EAGER, waves=9)),
    Case("launches missing", "FAIL", "not_measured", "4 were planned", "remeasure",
         keys={"planned": {"launches": 4, "repeats": 2}}),
    Case("launches too many", "FAIL", "not_measured", "2 were planned", "eject",
         keys={"planned": {"launches": 2, "repeats": 2}}),
    Case("gibberish reference", "FAIL", "not_measured", "unverifiable_noncoherent_reference", "eject",
         ref=Server(wrong_share=0.6), cand=Server(1100, effective=EAGER, wrong_share=0.6)),
    Case("answers lost", "FAIL", "refuted", "correctness lost", "eject", cand=Server(1100, effective=EAGER, wrong_share=0.05)),
    Case("a few answers lost alike", "PASS", "proven",
         ref=Server(wrong_share=0.01), cand=Server(1100, effective=EAGER, wrong_share=0.01)),
    Case("shorter answers", "FAIL", "not_measured", "output tokens per request", "eject", touch=_fewer_tokens),
    Case("failures hidden", "FAIL", "not_measured", "requests failed in leg cand", "eject", touch=_failures),
    Case("other prompts", "FAIL", "not_measured", "other prompts", "eject", touch=_other_prompts),
    Case("other stop reasons", "FAIL", "not_measured", "answers end with", "eject", touch=_other_stops),
    Case("no sandbox", "PASS", "proven", ref=Server(sandbox="none"), cand=Server(1100, effective=EAGER, sandbox="none")),
)  # fmt: skip
