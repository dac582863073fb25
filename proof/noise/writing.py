"""Writes a drawn campaign as a run directory of our own stopwatch (docs/run-directory.md): sealed, ledgered, with its commission.

The smallest run that damages nothing: four requests a repeat, sent together, answered together, so that a repeat lasts
exactly as long as the world said. The format itself is that of ``proof.making``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from proof import making
from proof.noise.draw import Chunk, Pair, tokens_of
from proof.noise.notice import REQUESTS, WARM_S, figures, first_tokens
from proof.noise.worlds import DESIGN, World

Json = dict[str, Any]
FLAG = {"attn_implementation": "eager"}
"""What the candidate changes: a declared lever that, in this world, does nothing to the speed but what the plan says."""
TOKENS_IN = 26


class Spot(NamedTuple):
    """One launch in its plan, and in the time of the campaign."""

    folder: str
    leg: str
    pair: int
    position: int
    order: list[str]
    slot: int

    @property
    def id(self) -> str:
        """Its directory."""
        return f"{self.folder}/launch_{self.pair:03d}" if self.leg == "aa" else f"{self.folder}/{self.leg}/launch_{self.pair:03d}"

    @property
    def short(self) -> str:
        """The same, without the folder of its pair."""
        return self.id if self.leg == "aa" else f"{self.leg}/launch_{self.pair:03d}"


class Seen(NamedTuple):
    """What happened on a launch: tok/s of each repeat, foreign cores, warm-up requests as recorded."""

    tok_s: Sequence[float]
    foreign: float
    warmups: int


def campaign(root: Path, chunk: Chunk, place: int, first: int | None = None) -> Path:
    """Write one campaign: the A/A set and its candidates, or the first so many, one request each; the run directory."""
    world, pairs = chunk.world, chunk.pairs(place)[:first]
    ledger, requests = making.Ledger(), []
    noise, strangers = chunk.aa[place].tolist(), chunk.aa_foreign[place].tolist()
    order = ["aa"] * len(noise)
    _plan(ledger, "baseline/set_1", order, len(noise[0]), 0)
    for at, values in enumerate(noise):
        spot = Spot("baseline/set_1", "aa", at, at, order, at)
        _launch(root, world, spot, Seen(values, strangers[at], world.warmup_ref), ledger)
    for at, pair in enumerate(pairs):
        folder = f"config/c{at + 1:02d}"
        _pair(root, world, (folder, len(order) + at * len(pair.order)), pair, ledger)
        requests.append(_request(world, pair, folder))
    (root / "ledger.jsonl").write_bytes(ledger.data())
    (root / "audit_request.json").write_text(json.dumps(requests), encoding="utf-8")
    return root


def _pair(root: Path, world: World, where: tuple[str, int], pair: Pair, ledger: making.Ledger) -> None:
    folder, slot = where
    _plan(ledger, folder, pair.order, len(pair.ref[0]), slot)
    counts = {"ref": 0, "cand": 0}
    for position, leg in enumerate(pair.order):
        at, counts[leg] = counts[leg], counts[leg] + 1
        launches, foreign, warmups = (
            (pair.ref, pair.ref_foreign, pair.warmups[0]) if leg == "ref" else (pair.cand, pair.cand_foreign, pair.warmups[1])
        )
        spot = Spot(folder, leg, at, position, pair.order, slot + position)
        _launch(root, world, spot, Seen(launches[at], foreign[at], warmups), ledger)


def _request(world: World, pair: Pair, folder: str) -> Json:
    return {
        "schema": "countersign.request/1", "scope": "patch", "short_name": folder.rpartition("/")[2], "eval_dir": ".",
        "cand_dir": folder, "baseline_throughput": pair.given, "noise_band_pct": world.band_pct, "alpha": DESIGN.alpha_per_look,
        "noise_dirs": ["baseline/set_1"], "change": {"lever": "attention kernel", "flags": FLAG, "env": {}, "overlay": []},
    }  # fmt: skip


def _plan(ledger: making.Ledger, folder: str, order: Sequence[str], repeats: int, slot: int) -> None:
    body = {"dir": folder, "seed": 1, "order": list(order), "launches": order.count(order[0]), "repeats": repeats}
    ledger.append("plan", f"plan/{folder}", body, _at(slot))


def _at(slot: int) -> float:
    return making.EPOCH + slot * DESIGN.launch_s


def _launch(root: Path, world: World, spot: Spot, seen: Seen, ledger: making.Ledger) -> None:
    started, effective = _at(spot.slot), {**making.DEFAULTS, **(FLAG if spot.leg == "cand" else {})}
    clock, rows, requests = started + WARM_S, [], []
    for repeat, speed in enumerate(seen.tok_s):
        seconds = tokens_of(world) / speed
        name = f"{spot.short}/{repeat}"
        made = _requests(world, f"{spot.folder}/{spot.pair}", repeat, first_tokens(seconds, name), seconds)
        rows.append(_row(spot.id, made, (clock, seconds), effective, figures(speed, tokens_of(world), name)))
        requests += made
        clock += seconds + 0.5
    files = making.Files(spot.id, _server(spot, seen, (started, clock), effective), rows, requests, _host(seen, started, clock))
    making.write(root, files)
    body = {"launch_id": spot.id, "status": "complete", "seal_sha256": making.seal(root / spot.id, spot.id)}
    ledger.append("sealed", f"sealed/{spot.id}", body, clock)


def _requests(world: World, pair: str, repeat: int, first: Sequence[float], seconds: float) -> list[Json]:
    each = tokens_of(world) // REQUESTS
    found = []
    for index in range(REQUESTS):
        prompt, expected = f"Find {index} of {pair}/{repeat}.", f'{{"name": "find", "id": {index}'
        found.append(
            {
                "schema": "countersign.request/1", "repeat": repeat, "index": index, "prompt": prompt, "task": "tool",
                "prompt_sha256": making.sha(prompt.encode()), "scheduled_s": 0.0, "sent_s": 0.0,
                "first_token_s": first[index], "end_s": seconds, "tokens_in": TOKENS_IN, "tokens_out": each,
                "usage_in": TOKENS_IN, "usage_out": each, "stop_reason": "length", "error": None,
                "answer": expected + " ...", "expected": expected,
            }
        )  # fmt: skip
    return found


def _row(
    launch_id: str, requests: Sequence[Json], timed: tuple[float, float], effective: Json, found: dict[str, float]
) -> Json:  # fmt: skip
    """A row that agrees with its requests; ``timed`` is start and seconds."""
    start, seconds = timed
    each, count = requests[0]["tokens_out"], len(requests)
    tokens_in, tokens_out = TOKENS_IN * count, each * count
    latencies = {key if key.startswith("p99") else f"median_{key}": value for key, value in found.items() if key.endswith("_ms")}
    return {
        "tag": launch_id, "backend": "sglang-oai-chat", "dataset_name": "countersign-tiny", "request_rate": "inf",
        "max_concurrency": count, "sharegpt_output_len": None, "random_input_len": None, "random_output_len": None,
        "random_range_ratio": None, "server_info": effective, "duration": seconds, "completed": count,
        "total_input_tokens": tokens_in, "total_output_tokens": tokens_out, "total_output_tokens_retokenized": tokens_out,
        "request_throughput": found["request_throughput"], "output_throughput": found["output_throughput"],
        "input_throughput": tokens_in / seconds,
        "total_throughput": (tokens_in + tokens_out) / seconds, **latencies, "concurrency": float(count), "accept_length": None,
        "countersign": {
            "schema": "countersign.repeat/1", "launch_id": launch_id, "repeat": requests[0]["repeat"], "start_unix": start,
            "end_unix": start + seconds, "requested": count, "failed": 0, "output_len": each,
            "prompts_sha256": making.sha("\n".join(item["prompt"] for item in requests).encode()),
            "usage_input_tokens": tokens_in, "usage_output_tokens": tokens_out,
        },
    }  # fmt: skip


def _server(spot: Spot, seen: Seen, life: tuple[float, float], effective: Json) -> Json:
    changed = FLAG if spot.leg == "cand" else {}
    return {
        "schema": "countersign.server/1", "launch_id": spot.id, "status": "complete", "failure": None,
        "engine": {"name": "transformers", "version": "5.23.0"}, "requested": {"flags": changed, "env": {}},
        "effective": effective, "effective_source": dict.fromkeys(effective, "cmdline"), "argv": ["python"], "env": {},
        "versions": {}, "threads": {"omp": 1, "peak": 4},
        "plan": {
            "pair": spot.pair, "position": spot.position, "order": spot.order, "repeats": len(seen.tok_s),
            "requests_per_repeat": REQUESTS, "warmup_requests": seen.warmups,
        },
        "started_unix": life[0], "ready_unix": life[0] + WARM_S - 0.5, "stopped_unix": life[1],
        "sandbox": {"kind": "bubblewrap", "detail": "0.8.0"},
        "stop": {"exit_code": 143, "signal": "SIGTERM", "seconds": 0.2, "survivors": [], "port_closed": True},
    }  # fmt: skip


def _host(seen: Seen, started: float, stopped: float) -> Json:
    foreign = [{"pid": 4242, "name": "neighbour", "cores": seen.foreign}] if seen.foreign else []
    samples = [
        {
            "t_unix": started + second, "load1": 1.0, "mhz": 2600.0, "busy_cores": 1.0, "own_cores": 1.0,
            "foreign_cores": seen.foreign, "steal_cores": 0.0, "foreign": foreign,
        }
        for second in range(1, math.ceil(stopped - started) + 1)
    ]  # fmt: skip
    return {"schema": "countersign.host/1", "cores": 2, "cpu_model": "simulated", "samples": samples}
