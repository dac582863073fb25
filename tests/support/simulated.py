"""A driver that simulates servers: a seeded queue with launch noise on an injected clock. It reports what a real one does.

Plain servers answer one request at a time; with ``continuous_batching`` all clients are served together, each token
waiting for the batch. Nothing sleeps: the clock is moved.
"""

from __future__ import annotations

import gzip
import heapq
import json
import math
import os
import random
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tests.support.isolated import SimulatedIsolator
from workflow.config import CampaignConfig
from workflow.measure.execute import UNCONFINED, Bench
from workflow.measure.types import LaunchSpec, Observation, Progress, Prompt, RepeatRecord, RequestRecord, Settings, Workload
from workflow.profiling import Table
from workflow.profiling.run import Latency, Told, write_profile
from workflow.sandbox import Sandbox
from workflow.serving.overlay import install

WORDS = ("add", "list", "sum", "call", "sort", "mean", "find", "join")
START_S = 6.0


class FakeClock:
    """Unix seconds that move only when told to; ``tick`` seconds pass at every look."""

    def __init__(self, now: float = 1_800_000_000.0, tick: float = 0.0) -> None:
        self.now = now
        self.tick = tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


class WordPrompts:
    """Distinct prompts with a known answer of ``output_len`` words."""

    def draw(self, seed: int, count: int, output_len: int) -> list[Prompt]:
        """See ``PromptSource.draw``."""
        rng = random.Random(f"prompts:{seed}")
        found = []
        for index in range(count):
            text = f"{rng.choice(WORDS)} {rng.randrange(10**9)} and {index}"
            found.append(Prompt(text, "words", " ".join(rng.choices(WORDS, k=output_len))))
        return found


@dataclass
class World:
    """How the simulated machine behaves."""

    seed: int = 7
    tok_s: float = 350.0
    """Output tokens per second of the plain server."""
    launch_noise: float = 0.02
    """Standard deviation of a launch's speed, on the log scale."""
    repeat_noise: float = 0.004
    speed: Mapping[str, float] = field(
        default_factory=lambda: {
            "continuous_batching=True": 3.5,
            "dtype=bfloat16": 0.7,
            "attn_implementation=eager": 0.85,
            "compile=True": 0.95,
        }
    )
    """Throughput factor per ``flag=value``, per ``overlay:name`` while it is rebound, and per ``import:name`` always."""
    usage: Mapping[str, float] = field(default_factory=dict)
    """Overlay -> factor on the tokens that the server says it made, while it is rebound."""
    wrong: Mapping[str, int] = field(default_factory=dict)
    """Overlay -> every how manieth answer is wrong, while it is rebound."""
    haunted: Mapping[str, float] = field(default_factory=dict)
    """Launch id -> cores that strangers use whenever it runs; a trailing ``*`` matches a prefix."""
    fail: Mapping[str, Literal["start", "load"]] = field(default_factory=dict)
    """Launch id -> phase in which its server dies; a trailing ``*`` matches a prefix."""
    foreign: Mapping[str, float] = field(default_factory=dict)
    """Launch id -> cores that strangers use while it runs for the first time."""
    profile: Mapping[str, float] | None = None
    """Module -> microseconds of its operations in a profile; None: nothing can be profiled."""
    kill_before: int = -1
    """SIGKILL this process before the launch with this number (pilots count)."""
    kill_after: int = -1
    """The same, after the launch was observed."""
    on_launch: Callable[[int, str], None] = lambda *_: None
    """Called with number and id before each launch."""


class SimulatedDriver:
    """See ``Driver``. ``launched`` keeps the ids in the order they ran."""

    def __init__(self, world: World, clock: FakeClock) -> None:
        self._world = world
        self._clock = clock
        self.launched: list[str] = []

    def observe(self, spec: LaunchSpec, progress: Progress) -> Observation:
        """Simulate one launch from start to stop."""
        number = len(self.launched)
        self.launched.append(spec.launch_id)
        self._world.on_launch(number, spec.launch_id)
        if number == self._world.kill_before:
            os.kill(os.getpid(), signal.SIGKILL)
        progress("starting the server", 0.0)
        install(spec.settings.overlays, sandboxed=True)
        begun = self._clock.now
        rng = random.Random(f"{self._world.seed}:{spec.launch_id}")
        phase = self._failure(spec.launch_id)
        self._clock.now += START_S
        warmup: list[RequestRecord] = []
        repeats: list[RepeatRecord] = []
        if phase != "start":
            rate = self._rate(spec) * math.exp(rng.gauss(0.0, self._world.launch_noise))
            batched = spec.settings.flags.get("continuous_batching") is True
            warmup = self._serve(spec, spec.warmup, rate, batched).requests
            for prompts in () if phase == "load" else spec.repeats:
                repeats.append(self._serve(spec, prompts, rate * math.exp(rng.gauss(0.0, self._world.repeat_noise)), batched))
                progress("timed repeat", 0.9)
        if number == self._world.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        failure = None if phase is None else {"phase": phase, "reason": "died", "detail": "the simulated server died"}
        server = self._server(spec, begun, failed=phase is not None)
        again = self.launched.count(spec.launch_id) > 1
        haunted = next((cores for name, cores in self._world.haunted.items() if _fits(spec.launch_id, name)), 0.0)
        host = self._host(begun, haunted or (0.0 if again else self._world.foreign.get(spec.launch_id, 0.0)))
        return Observation("failed" if failure else "complete", failure, server, warmup, repeats, host, b"simulated server\n")

    def _failure(self, launch_id: str) -> Literal["start", "load"] | None:
        for name, phase in self._world.fail.items():
            if _fits(launch_id, name):
                return phase
        return None

    def _rate(self, spec: LaunchSpec) -> float:
        rate = self._world.tok_s
        for key, value in spec.settings.flags.items():
            rate *= self._world.speed.get(f"{key}={value}", 1.0)
        for item in spec.settings.overlays:
            rate *= self._world.speed.get(f"overlay:{item.name}", 1.0) if item.rebind else 1.0
            rate *= self._world.speed.get(f"import:{item.name}", 1.0)
        return rate

    def _bent(self, spec: LaunchSpec, record: RequestRecord) -> RequestRecord:
        """A request as overlays that cheat show it."""
        for item in spec.settings.overlays:
            factor, nth = self._world.usage.get(item.name, 1.0), self._world.wrong.get(item.name, 0)
            if item.rebind and factor != 1.0:
                record = replace(record, usage_out=round((record.usage_out or 0) * factor))
            if item.rebind and nth and record.index % nth == 0:
                record = replace(record, answer=" ".join(reversed((record.answer or "").split())))
        return record

    def _serve(self, spec: LaunchSpec, prompts: Sequence[Prompt], rate: float, batched: bool) -> RepeatRecord:
        """A closed loop of clients against one queue (plain) or one batch (batched)."""
        clients, tokens = min(spec.workload.concurrency, max(len(prompts), 1)), spec.workload.output_len
        each = tokens / rate * (clients if batched else 1)
        free = [0.0] * clients
        queue_until, records = 0.0, []
        for index, prompt in enumerate(prompts):
            sent = heapq.heappop(free)
            begin = sent if batched else max(sent, queue_until)
            end = queue_until = begin + each
            records.append(self._bent(spec, _request(index, prompt, sent, begin, end, tokens)))
            heapq.heappush(free, end)
        start = self._clock.now
        duration = max((record.end_s or 0.0 for record in records), default=0.0)
        self._clock.now += duration
        return RepeatRecord(start, start + duration, duration, records)

    def _server(self, spec: LaunchSpec, begun: float, *, failed: bool) -> dict[str, Any]:
        defaults = {"continuous_batching": False, "compile": False, "attn_implementation": "sdpa", "dtype": "float32"}
        effective = {**defaults, "device": "cpu", "model": "/models/tiny", **spec.settings.flags}
        effective |= {f"env.{key}": value for key, value in spec.settings.env.items()}
        effective |= {"engine": "transformers", "engine_version": "simulated", "model_sha256": "0" * 64, "threads_omp": "1"}
        return {
            "engine": {"name": "transformers", "version": "simulated"},
            "requested": {"flags": dict(spec.settings.flags), "env": dict(spec.settings.env)},
            "overlays": [item.as_dict() for item in spec.settings.overlays],
            "effective": effective,
            "effective_source": {key: "cmdline" if key in spec.settings.flags else "default" for key in effective},
            "argv": ["simulated", *(f"{key}={value}" for key, value in sorted(spec.settings.flags.items()))],
            "env": {**spec.settings.env, **install(spec.settings.overlays, sandboxed=False).env},
            "versions": {"simulated": "1"},
            "threads": {"omp": "1", "peak": 3},
            "started_unix": begun,
            "ready_unix": None if failed else begun + START_S,
            "stopped_unix": self._clock.now,
            "sandbox": {"kind": "none", "detail": "simulated"},
            "stop": {
                "exit_code": 0,
                "signal": None,
                "seconds": 0.5,
                "survivors": [],
                "port_closed": True,
            },
        }

    def _host(self, begun: float, foreign: float) -> dict[str, Any]:
        quiet = {"load1": 1.0, "mhz": 2000.0, "busy_cores": 1.0, "own_cores": 1.0, "steal_cores": 0.0, "foreign_cores": foreign}
        seconds = range(1, max(2, int(self._clock.now - begun) + 1))
        times = [*(begun + second for second in seconds), self._clock.now]  # as the real sampler: one last sample at its stop
        samples = [{"t_unix": at, **quiet, "foreign": []} for at in times]
        return {"schema": "countersign.host/1", "cores": 2, "cpu_model": "simulated", "samples": samples}


def _fits(launch_id: str, name: str) -> bool:
    return launch_id == name or (name.endswith("*") and launch_id.startswith(name[:-1]))


def _request(index: int, prompt: Prompt, sent: float, begin: float, end: float, tokens: int) -> RequestRecord:
    step = (end - begin) / (tokens + 1)
    return RequestRecord(
        index=index,
        prompt=prompt,
        scheduled_s=sent,
        sent_s=sent,
        first_token_s=begin + step,
        end_s=end,
        chunk_s=[begin + step * (n + 1) for n in range(tokens)],
        tokens_in=8,
        tokens_out=tokens,
        usage_in=8,
        usage_out=tokens,
        stop_reason="length",
        answer=prompt.expected,
    )


class SimulatedProfiler:
    """See ``Profiler``: a trace with one operation in each module."""

    def __init__(self, modules: Mapping[str, float]) -> None:
        self._modules = modules

    def __call__(self, settings: Settings, prompts: Sequence[Prompt], load: Workload, folder: Path) -> Table:
        """Write the trace and its tables."""
        at, events = 0.0, list[dict[str, Any]]()
        for name, us in self._modules.items():
            place = {"ph": "X", "ts": at, "dur": us, "pid": 1, "tid": 1}
            events.append({**place, "cat": "user_annotation", "name": f"module:{name}"})
            events.append({**place, "cat": "cpu_op", "name": f"aten::{name.lower()}", "args": {"Input Dims": [[8, 192]]}})
            at += us
        told = Told(Latency([0.02], [0.004], 0.2), {"torch": "simulated"}, 1)
        return write_profile(folder, gzip.compress(json.dumps({"traceEvents": events}).encode(), mtime=0), told, settings.flags)


def bench_factory(
    world: World, clock: FakeClock, drivers: list[SimulatedDriver] | None = None, sandbox: Sandbox = UNCONFINED
) -> Callable[[CampaignConfig, Path, Callable[[], float], Callable[[str, float], None]], Bench]:
    """A ``Services.build_bench`` over a simulated world; the drivers it makes are added to ``drivers``."""

    def build(_config: CampaignConfig, _run_dir: Path, now: Callable[[], float], progress: Callable[[str, float], None]) -> Bench:
        driver = SimulatedDriver(world, clock)
        if drivers is not None:
            drivers.append(driver)
        drawn = random.Random(f"entropy:{world.seed}:{now()}")  # a later session draws other seeds, as a real one does
        profiler = None if world.profile is None else SimulatedProfiler(world.profile)
        isolator = None if world.profile is None else SimulatedIsolator()
        prompts = WordPrompts()
        return Bench(driver, prompts, now, lambda: drawn.getrandbits(48), progress, sandbox, profiler, isolator)

    return build
