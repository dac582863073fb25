"""Writes whole run directories as docs/run-directory.md defines them, from a seed: clean runs for tests and planted lies.

    run = Run(tmp_path)
    run.aa("baseline/set_1", Server())
    run.ab("config/c01", Server(), Server(tok_s=1100, effective={"attn_implementation": "eager"}))
    run.request(scope="patch", cand_dir="config/c01", ...)
    run.finish()

Everything a launch claims is computed from its requests, so an untouched run has no damage.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

Json = dict[str, Any]
EPOCH = 1_700_000_000.0
CLIENTS, TOKENS_OUT, TOKENS_IN = 8, 32, 26


def canonical(value: Any) -> bytes:
    """Canonical JSON of the contract."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha(data: bytes) -> str:
    """sha256 (hex)."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Server:
    """One kind of server and what happens to it. Speeds are medians; noise is the SD of the log."""

    tok_s: float = 1000.0
    ttft_ms: float = 40.0
    tpot_ms: float = 5.0
    effective: Json = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    launch_noise: float = 0.004
    repeat_noise: float = 0.002
    wrong_share: float = 0.0
    foreign_cores: float = 0.0
    steal_cores: float = 0.0
    sandbox: str = "bubblewrap"
    waves: int = 16
    """Rounds of CLIENTS requests in one repeat."""


@dataclass
class Files:
    """One launch before it is sealed; a ``touch`` hook may change anything."""

    launch_id: str
    server: Json
    rows: list[Json]
    requests: list[Json]
    host: Json
    log: list[str] = field(default_factory=lambda: ["INFO started"])


Touch = Callable[[Files], None]
DEFAULTS: Json = {
    "attn_implementation": "sdpa", "cb_num_blocks": 64, "compile": False, "continuous_batching": False, "device": "cpu",
    "dtype": "float32", "engine": "transformers", "engine_version": "5.23.0", "model": "/models/tiny", "model_sha256": "ab" * 32,
}  # fmt: skip


class Ledger:
    """A chained ledger in memory."""

    def __init__(self) -> None:
        self._lines: list[Json] = []

    def append(self, kind: str, key: str, body: Json, at_unix: float) -> None:
        """Add one line, chained to the one before."""
        record = {
            "schema": "countersign.ledger/1", "seq": len(self._lines), "kind": kind, "key": key, "at_unix": at_unix,
            "body": body, "prev": self._lines[-1]["digest"] if self._lines else "0" * 64,
        }  # fmt: skip
        self._lines.append({**record, "digest": sha(canonical(record))})

    def data(self) -> bytes:
        """The bytes of ledger.jsonl."""
        return b"".join(canonical(line) + b"\n" for line in self._lines)


class Run:
    """A run directory that grows launch by launch; ``finish`` writes ledger and requests."""

    def __init__(self, root: Path, seed: int = 1) -> None:
        self.root = root
        self._random = random.Random(seed)
        self._clock = EPOCH
        self._ledger = Ledger()
        self._requests: list[Json] = []
        root.mkdir(parents=True, exist_ok=True)

    def ledger(self, kind: str, key: str, body: Json) -> None:
        """Append one chained line."""
        self._ledger.append(kind, key, body, self._clock)

    def aa(self, folder: str, server: Server, launches: int = 3, repeats: int = 2, touch: Touch | None = None) -> None:
        """An A/A set."""
        order = ["aa"] * launches
        self._plan(folder, order, repeats)
        for index in range(launches):
            self.launch(f"{folder}/launch_{index:03d}", server, (index, index), order, repeats, touch)

    def ab(self, folder: str, ref: Server, cand: Server, launches: int = 3, repeats: int = 2, touch: Touch | None = None) -> None:
        """An interleaved A/B: ref cand cand ref ref cand ..."""
        order = [leg for pair in range(launches) for leg in (("ref", "cand") if pair % 2 == 0 else ("cand", "ref"))]
        self._plan(folder, order, repeats)
        counts = {"ref": 0, "cand": 0}
        for position, leg in enumerate(order):
            pair = counts[leg]
            counts[leg] += 1
            server = ref if leg == "ref" else cand
            self.launch(f"{folder}/{leg}/launch_{pair:03d}", server, (pair, position), order, repeats, touch)

    def _plan(self, folder: str, order: Sequence[str], repeats: int) -> None:
        body = {"dir": folder, "seed": 7, "order": list(order), "launches": order.count(order[0]), "repeats": repeats}
        self.ledger("plan", f"plan/{folder}", body)

    def launch(
        self,
        launch_id: str,
        server: Server,
        place: tuple[int, int],
        order: Sequence[str],
        repeats: int,
        touch: Touch | None = None,
    ) -> None:
        """Measure, touch, write, seal and ledger one launch; ``place`` is (pair, position)."""
        files = observe(launch_id, server, Place(*place, tuple(order), repeats), self._clock, self._random)
        self._clock = files.server["stopped_unix"] + 2.0
        if touch is not None:
            touch(files)
        write(self.root, files)
        digest = seal(self.root / launch_id, launch_id)
        body = {"launch_id": launch_id, "status": files.server["status"], "seal_sha256": digest}
        self.ledger("sealed", f"sealed/{launch_id}", body)

    def request(self, **keys: Any) -> None:
        """Commission one audit; keys of the contract over plain defaults."""
        base = {"schema": "countersign.request/1", "short_name": keys.get("cand_dir") or keys.get("eval_dir"), "eval_dir": "."}
        self._requests.append({**base, **keys})

    def patch(self, folder: str, flags: Json, **keys: Any) -> None:
        """Commission the audit of one change."""
        change = {"lever": "a lever", "flags": flags, "env": {}, "overlay": []}
        self.request(**{"scope": "patch", "cand_dir": folder, "change": change, "noise_dirs": ["baseline/set_1"], **keys})

    def finish(self) -> Path:
        """Write ledger.jsonl and audit_request.json; the run's directory."""
        (self.root / "ledger.jsonl").write_bytes(self._ledger.data())
        if self._requests:
            (self.root / "audit_request.json").write_text(json.dumps(self._requests, indent=1))
        return self.root


class Place(NamedTuple):
    """Where a launch stands in its plan."""

    pair: int
    position: int
    order: tuple[str, ...]
    repeats: int


def observe(launch_id: str, server: Server, place: Place, started: float, rng: random.Random) -> Files:
    """One launch as the stopwatch would have recorded it, begun at ``started`` (Unix seconds)."""
    luck = rng.gauss(0, server.launch_noise)
    effective = {**DEFAULTS, **server.effective}
    folder = launch_id.rpartition("/launch_")[0].removesuffix("/ref").removesuffix("/cand")
    rows, requests, clock = [], [], started + 4.0
    for repeat in range(place.repeats):
        speed = server.tok_s * math.exp(luck + rng.gauss(0, server.repeat_noise))
        made = _requests(server, speed, f"{folder}/{place.pair}", repeat, rng)
        rows.append(_row(launch_id, repeat, made, clock, effective))
        requests += made
        clock += rows[-1]["duration"] + 0.5
    facts = {
        "schema": "countersign.server/1", "launch_id": launch_id, "status": "complete", "failure": None,
        "engine": {"name": "transformers", "version": "5.23.0"}, "requested": {"flags": server.effective, "env": {}},
        "effective": effective, "effective_source": {**dict.fromkeys(effective, "cmdline"), **server.sources},
        "argv": ["python"], "env": {}, "versions": {}, "threads": {"omp": 1, "peak": 4},
        "plan": {
            "pair": place.pair, "position": place.position, "order": list(place.order), "repeats": place.repeats,
            "requests_per_repeat": server.waves * CLIENTS, "warmup_requests": 0,
        },
        "started_unix": started, "ready_unix": started + 3.5, "stopped_unix": clock,
        "sandbox": {"kind": server.sandbox, "detail": "0.8.0"},
        "stop": {"exit_code": 143, "signal": "SIGTERM", "seconds": 0.2, "survivors": [], "port_closed": True},
    }  # fmt: skip
    return Files(launch_id, facts, rows, requests, _host(server, started, clock))


def _requests(server: Server, speed: float, pair: str, repeat: int, rng: random.Random) -> list[Json]:
    wave_s = CLIENTS * TOKENS_OUT / speed
    made = []
    for index in range(server.waves * CLIENTS):
        jitter = 1 + 0.02 * rng.random()
        ttft, tpot = server.ttft_ms * jitter / 1000, server.tpot_ms * jitter / 1000
        latency = ttft + tpot * (TOKENS_OUT - 1)
        if latency >= wave_s:
            raise ValueError("the server is slower than its throughput allows")
        end = (index // CLIENTS + 1) * wave_s
        prompt = f"Find {index} of {pair}/{repeat}."
        expected = f'{{"name": "find", "id": {index}'
        wrong = rng.random() < server.wrong_share
        made.append(
            {
                "schema": "countersign.request/1", "repeat": repeat, "index": index, "prompt": prompt, "task": "tool",
                "prompt_sha256": sha(prompt.encode()), "scheduled_s": end - latency, "sent_s": end - latency,
                "first_token_s": end - latency + ttft, "end_s": end, "tokens_in": TOKENS_IN, "tokens_out": TOKENS_OUT,
                "usage_in": TOKENS_IN, "usage_out": TOKENS_OUT, "stop_reason": "length", "error": None,
                "answer": "no idea" if wrong else expected + " ...", "expected": expected,
            }
        )  # fmt: skip
    return made


def _row(launch_id: str, repeat: int, requests: Sequence[Json], start: float, effective: Json) -> Json:
    """A row computed from its requests."""
    done = [item for item in requests if item["error"] is None]
    duration = max(item["end_s"] for item in requests)
    tokens_in, tokens_out = sum(item["tokens_in"] for item in done), sum(item["tokens_out"] for item in done)
    ttft = [1000 * (item["first_token_s"] - item["sent_s"]) for item in done]
    tpot = [1000 * (item["end_s"] - item["first_token_s"]) / (item["tokens_out"] - 1) for item in done]
    e2e = [1000 * (item["end_s"] - item["sent_s"]) for item in done]
    figures: dict[str, float] = {}
    for name, values in (("ttft", ttft), ("tpot", tpot), ("itl", tpot), ("e2e_latency", e2e)):
        figures |= {f"median_{name}_ms": statistics.median(values), f"p99_{name}_ms": sorted(values)[int(0.99 * len(values))]}
    return {
        "tag": launch_id, "backend": "sglang-oai-chat", "dataset_name": "countersign-tiny", "request_rate": "inf",
        "max_concurrency": CLIENTS, "sharegpt_output_len": None, "random_input_len": None, "random_output_len": None,
        "random_range_ratio": None, "server_info": effective, "duration": duration, "completed": len(done),
        "total_input_tokens": tokens_in, "total_output_tokens": tokens_out, "total_output_tokens_retokenized": tokens_out,
        "request_throughput": len(done) / duration, "input_throughput": tokens_in / duration,
        "output_throughput": tokens_out / duration, "total_throughput": (tokens_in + tokens_out) / duration, **figures,
        "concurrency": sum(e2e) / 1000 / duration, "accept_length": None,
        "countersign": {
            "schema": "countersign.repeat/1", "launch_id": launch_id, "repeat": repeat, "start_unix": start,
            "end_unix": start + duration, "requested": len(requests), "failed": len(requests) - len(done),
            "output_len": TOKENS_OUT, "prompts_sha256": sha("\n".join(item["prompt"] for item in requests).encode()),
            "usage_input_tokens": tokens_in, "usage_output_tokens": tokens_out,
        },
    }  # fmt: skip


def recompute(files: Files) -> None:
    """Make every row agree with its requests again, after a ``touch`` changed them."""
    for at, row in enumerate(files.rows):
        mine = [item for item in files.requests if item["repeat"] == row["countersign"]["repeat"]]
        files.rows[at] = _row(
            files.launch_id, row["countersign"]["repeat"], mine, row["countersign"]["start_unix"], row["server_info"]
        )


def _host(server: Server, started: float, stopped: float) -> Json:
    samples = []
    for second in range(int(stopped - started) + 1):
        foreign = [{"pid": 4242, "name": "cc1plus", "cores": server.foreign_cores}] if server.foreign_cores else []
        samples.append(
            {
                "t_unix": started + second + 1, "load1": 1.0, "mhz": 2600.0, "busy_cores": 1.0, "own_cores": 1.0,
                "foreign_cores": server.foreign_cores, "steal_cores": server.steal_cores, "foreign": foreign,
            }
        )  # fmt: skip
    return {"schema": "countersign.host/1", "cores": 2, "cpu_model": "test", "samples": samples}


def write(root: Path, files: Files) -> None:
    """Write the files of a launch, unsealed."""
    folder = root / files.launch_id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "server.json").write_text(json.dumps(files.server, indent=2, sort_keys=True) + "\n")
    (folder / "host.json").write_text(json.dumps(files.host))
    (folder / "bench_runs.jsonl").write_bytes(b"".join(canonical(row) + b"\n" for row in files.rows))
    (folder / "requests.jsonl").write_bytes(b"".join(canonical(row) + b"\n" for row in files.requests))
    (folder / "warmup.jsonl").write_bytes(b"")
    (folder / "server.log").write_text("".join(line + "\n" for line in files.log))


def seal(folder: Path, launch_id: str) -> str:
    """Write seal.json over what lies in the folder; its sha256."""
    found = {
        path.name: {"sha256": sha(path.read_bytes()), "bytes": path.stat().st_size}
        for path in sorted(folder.iterdir())
        if path.name != "seal.json"
    }
    data = canonical({"schema": "countersign.seal/1", "launch_id": launch_id, "files": found})
    (folder / "seal.json").write_bytes(data)
    return sha(data)


def sglang_row(tok_s: float, info: Json | None = None, **keys: Any) -> Json:
    """One line as SGLang writes it: no key of ours. ``keys`` override."""
    completed = 200
    duration = completed * 256 / tok_s
    return {
        "tag": None, "backend": "sglang", "dataset_name": "random", "request_rate": float("inf"), "max_concurrency": 16,
        "random_input_len": 1024, "random_output_len": 256, "random_range_ratio": 1.0, "server_info": info, "duration": duration,
        "completed": completed, "total_input_tokens": completed * 1024, "total_output_tokens": completed * 256,
        "output_throughput": tok_s, "request_throughput": completed / duration,
        "median_ttft_ms": 1e5 / tok_s, "median_tpot_ms": 12e3 / tok_s, **keys,
    }  # fmt: skip


def foreign(folder: Path, rows: Sequence[Json], name: str = "bench_runs.jsonl") -> None:
    """A flat leg of foreign rows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
