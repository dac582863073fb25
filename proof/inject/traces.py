"""Clean profiles: what a window of steps ran, the torch trace of it, and GEAK's table and routed list made of that trace."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from proof.inject import foreign
from proof.inject.bases import Base
from proof.inject.draft import Draft, Launch
from proof.making import Json

ATTN, NORM = "_paged_attention_2d_kernel", "triton_red_fused_rms_norm_3"
GEMM = "Cijk_Alik_Bljk_HHS_BH_MT128x128x64_MI16x16x1"
REDUCE = "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)"
COPY = "Memcpy DtoD (Device -> Device)"
CLOSED = ("Cijk_", "nccl", "Memcpy")
DECODE, PREFILL = "execute_context_0(0)_generation_8(8)", "execute_context_1(512)_generation_0(0)"
FOLDER = "baseline/profile"
Mix = tuple[tuple[str, float], ...]
"""Kernels of one step and their microseconds."""


class Step(NamedTuple):
    """One annotated step of the served model."""

    mix: Mix
    label: str = DECODE
    graph: bool = False
    """Replayed from a captured graph: no operators, no shapes."""
    hidden: bool = False
    """The kernels of the replay are not in the trace."""
    lost: int = 0
    """So many of its last kernels are not in the trace."""


@dataclass
class Window:
    """What the profiler saw, and what was written of it."""

    steps: list[Step]
    counted: list[Step] | None = None
    """What the table was made of; None: the same steps."""
    gap_us: float = 1.0
    """Idle time of the device between two kernels."""
    blank: float = 0.0
    """Share of the operators whose shapes were not recorded."""
    overrun_us: float = 0.0
    """The first kernel is recorded as so much longer."""
    top: Json = field(default_factory=dict)
    """Further keys of the trace."""
    edits: dict[str, Json] = field(default_factory=dict)
    """Raw name -> keys of its row in the table."""
    keys: Json = field(default_factory=dict)
    """Further keys of the table."""
    routed: list[Json] = field(default_factory=list)
    settings: Json = field(default_factory=dict)
    """Of the profiled server, over those of the benchmark's rows."""
    workload: Json | None = None


@dataclass
class Profiled(Draft):
    """A draft with a profile; its files are made when it is written."""

    window: Window = field(default_factory=lambda: Window([]))

    def write(self, root: Path) -> Path:
        """Write the rows and, below them, trace, table, list and the profiled server's settings."""
        self.beside |= rendered(self.window, self.rows("ref")[0]["server_info"])
        return super().write(root)


def window(draft: Draft) -> Window:
    """The window of a profile, to be edited."""
    if not isinstance(draft, Profiled):
        raise TypeError(f"the clean run {draft.base!r} has no profile")
    return draft.window


class Recorder:
    """Writes events as Kineto does: an operator, its launch, and the kernel that runs later on a stream."""

    def __init__(self, rng: random.Random) -> None:
        self.events: list[Json] = []
        self._host = 4387832540067.991
        """Microseconds; a trace begins at a large number, as torch's do."""
        self._device, self._link, self._rng = self._host + 50.0, 0, rng

    def _add(self, cat: str, name: str, span: tuple[float, float], place: tuple[int, int], **args: Any) -> Json:
        begin, us = span
        event: Json = {
            "ph": "X",
            "cat": cat,
            "name": name,
            "pid": place[0],
            "tid": place[1],
            "ts": round(begin, 3),
            "dur": round(us, 3),
            "args": args,
        }
        self.events.append(event)
        return event

    def step(self, step: Step, seen: Window) -> None:
        """One step, annotated on the host and on the device."""
        host, device = self._host, self._device
        if step.graph:
            self._link += 1
            self._add("cuda_runtime", "cudaGraphLaunch", (self._host, 6.0), (900, 901), correlation=self._link)
            self._host += 8.0
        kept = len(step.mix) - step.lost
        for number, (name, us) in enumerate(step.mix):
            if step.graph:
                self._replayed(name, us, hidden=step.hidden or number >= kept)
            elif number < kept:
                self._launched(name, us, shaped=self._rng.random() >= seen.blank)
            self._device += us + seen.gap_us
        self._host = max(self._host, self._device - 50.0)
        self._add("user_annotation", step.label, (host, self._host - host), (900, 901))
        self._add("gpu_user_annotation", step.label, (device, self._device - device - seen.gap_us), (0, 7))

    def _replayed(self, name: str, us: float, *, hidden: bool) -> None:
        if not hidden:
            self._add("kernel", name, (self._device, us), (0, 7), correlation=self._link, device=0, stream=7)

    def _launched(self, name: str, us: float, *, shaped: bool) -> None:
        self._link += 1
        link: Json = {"External id": self._link}
        dims = [[8, 4096], [4096, 4096]] if shaped else [[], []]
        self._add("cpu_op", f"aten::op_{name[:12]}", (self._host, 4.0), (900, 901), **link, **{"Input Dims": dims})
        self._add("cuda_runtime", "cudaLaunchKernel", (self._host + 1, 2.0), (900, 901), correlation=self._link, **link)
        cat = "gpu_memcpy" if name.startswith("Memcpy") else "kernel"
        self._add(cat, name, (self._device, us), (0, 7), correlation=self._link, device=0, stream=7, **link)
        self._host += 5.0


def rendered(seen: Window, info: Json) -> dict[str, Any]:
    """The files of a profile."""
    recorder = Recorder(random.Random(len(seen.steps)))
    for step in seen.steps:
        recorder.step(step, seen)
    first = next(event for event in recorder.events if event["cat"] == "kernel")
    first["dur"] += seen.overrun_us
    trace = {"schemaVersion": 1, "record_shapes": 1, **seen.top, "traceEvents": recorder.events}
    files: dict[str, Any] = {
        f"{FOLDER}/run-TP-0.trace.json.gz": gzip.compress(json.dumps(trace).encode(), mtime=0),
        f"{FOLDER}/profile_topN.json": table(seen),
        f"{FOLDER}/server_args.json": {**info, **seen.settings},
    }
    if seen.routed:
        files[f"{FOLDER}/routing.json"] = {"routed": seen.routed}
    if seen.workload is not None:
        files[f"{FOLDER}/profile_workload.json"] = seen.workload
    return files


def times(steps: Sequence[Step]) -> dict[str, list[float]]:
    """Microseconds of each launch that a trace of these steps holds, by raw name."""
    found: dict[str, list[float]] = {}
    for step in steps:
        for name, us in () if step.hidden else step.mix[: len(step.mix) - step.lost]:
            found.setdefault(name, []).append(us)
    return found


def shares(steps: Sequence[Step]) -> dict[str, float]:
    """Percent of the device's busy time by raw name."""
    found = {name: sum(us) for name, us in times(steps).items()}
    return {name: 100 * us / sum(found.values()) for name, us in found.items()}


def table(seen: Window) -> Json:
    """profile_topN.json as GEAK makes it: by raw name, largest first."""
    steps = seen.steps if seen.counted is None else seen.counted
    found = times(steps)
    if seen.overrun_us and seen.counted is None:
        first = steps[0].mix[0][0]
        found[first][0] += seen.overrun_us
    total = sum(sum(us) for us in found.values())
    rows = [
        {"rank": rank, "name": name, "calls": len(found[name]), "total_ms": round(sum(found[name]) / 1000, 4),
         "avg_us": round(sum(found[name]) / len(found[name]), 3), "pct_gpu_time": round(100 * sum(found[name]) / total, 2), "shapes": [[[8, 4096]]],
         "editable": not name.startswith(CLOSED), **seen.edits.get(name, {})}
        for rank, name in enumerate(sorted(found, key=lambda key: (-sum(found[key]), key)), start=1)
    ]  # fmt: skip
    return {"source": "torch-trace", "total_gpu_time_ms": round(total / 1000, 4), "top_kernels": rows, **seen.keys}


def mix(rng: random.Random) -> Mix:
    """A step: attention about 60 %, a library's GEMM about 30 %, the norm about 10 %."""
    return tuple((name, round(us * rng.uniform(0.95, 1.05), 3)) for name, us in ((ATTN, 60.0), (GEMM, 30.0), (NORM, 10.0)))


def _eager(seed: int) -> Draft:
    """SGLang's baseline and its profile: decode steps launched one kernel at a time, GEAK's table, attention routed."""
    rng = random.Random(f"profile-eager:{seed}")
    return _profiled("profile-eager", [Step(mix(rng)) for _ in range(rng.choice((6, 8, 9)))], rng)


def _graphs(seed: int) -> Draft:
    """SGLang's baseline and its profile: ten eager steps with shapes, then eight replays of captured graphs."""
    rng = random.Random(f"profile-graph:{seed}")
    steps = [Step(mix(rng)) for _ in range(10)] + [Step(mix(rng), graph=True) for _ in range(8)]
    return _profiled("profile-graph", steps, rng)


def _profiled(name: str, steps: list[Step], rng: random.Random) -> Draft:
    info = {**foreign.SGLANG_INFO, "disable_cuda_graph": not any(step.graph for step in steps)}
    rows = [foreign.sglang(1000.0 * foreign.jitter(rng, 0.002), rng, info) for _ in range(3)]
    request: Json = {"schema": "countersign.request/1", "scope": "profile", "eval_dir": FOLDER, "short_name": "profile"}
    routed = [{"op": ATTN, "share_pct": round(shares(steps)[ATTN], 2)}]
    return Profiled("sglang", name, [Launch("baseline", "ref", rows)], request, {}, window=Window(steps, routed=routed))


EAGER, GRAPHS = "profile-eager", "profile-graph"
EXTRA_BASES = {
    base.name: base
    for base in (
        Base(EAGER, "sglang", _eager.__doc__ or "", _eager),
        Base(GRAPHS, "sglang", _graphs.__doc__ or "", _graphs),
    )
}


def renamed(step: Step, old: str, new: str, factor: float = 1.0) -> Step:
    """A step whose kernel of this name has another, and takes this many times as long."""
    return step._replace(mix=tuple((new if name == old else name, us * factor if name == old else us) for name, us in step.mix))


def beside(step: Step, name: str, percent: float) -> Step:
    """A step with one more kernel, of this share of the whole."""
    total = sum(us for _, us in step.mix)
    return step._replace(mix=(*step.mix, (name, round(total * percent / (100 - percent), 4))))


def copy(seen: Window) -> Window:
    """The same window, to be edited apart."""
    return replace(seen, steps=list(seen.steps))
