"""Profiles as torch and GEAK write them: each way to misread one, beside the same profile read rightly."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.audit.build import Json, foreign, sglang_row
from tests.unit.audit.planted.case import Planted

ATTN, NORM = "_paged_attention_2d_kernel", "triton_red_fused_rms_norm_3"
GEMM = "Cijk_Alik_Bljk_HHS_BH_MT128x128x64_MI16x16x1"
REDUCE = "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)"
COPY = "Memcpy DtoD (Device -> Device)"
CLOSED = ("Cijk_", "nccl", "Memcpy")
MIX = ((ATTN, 60.0), (GEMM, 30.0), (NORM, 10.0))
"""Kernels of one step and their microseconds."""
DECODE, PREFILL = "execute_context_0(0)_generation_8(8)", "execute_context_1(512)_generation_0(0)"
STEPS = 6
EPOCH = 4387832540067.991
"""Microseconds at which a trace begins: large, as torch's are."""
Mix = tuple[tuple[str, float], ...]


class Recorder:
    """Writes events as Kineto does: an operator, its launch, and the kernel that runs later on a stream."""

    def __init__(self) -> None:
        self.events: list[Json] = []
        self.host, self.device, self.link = EPOCH, EPOCH + 50.0, 0

    def _add(self, cat: str, name: str, ts: float, dur: float, place: tuple[int, int], **args: Any) -> Json:
        pid, tid = place
        event: Json = {
            "ph": "X",
            "cat": cat,
            "name": name,
            "pid": pid,
            "tid": tid,
            "ts": round(ts, 3),
            "dur": round(dur, 3),
            "args": args,
        }
        self.events.append(event)
        return event

    def kernel(self, name: str, dur: float, *, dims: bool = True, gap: float = 1.0, stream: int = 7) -> Json:
        """One launch from an operator of its own."""
        self.link += 1
        cat = "gpu_memcpy" if name.startswith("Memcpy") else "kernel"
        shapes = [[8, 4096], [4096, 4096]] if dims else [[], []]
        self._add(
            "cpu_op", f"aten::op_{name[:12]}", self.host, 4.0, (900, 901), **{"External id": self.link, "Input Dims": shapes}
        )
        self._add(
            "cuda_runtime",
            "cudaLaunchKernel",
            self.host + 1,
            2.0,
            (900, 901),
            correlation=self.link,
            **{"External id": self.link},
        )
        event = self._add(
            cat, name, self.device, dur, (0, stream), correlation=self.link, device=0, stream=stream, **{"External id": self.link}
        )
        self.host += 5.0
        self.device += dur + gap
        return event

    def graph(self, mix: Mix, *, hidden: bool = False) -> None:
        """One replay: kernels with the launch's correlation, no operator and no shapes."""
        self.link += 1
        self._add("cuda_runtime", "cudaGraphLaunch", self.host, 6.0, (900, 901), correlation=self.link)
        self.host += 8.0
        for name, dur in mix:
            if not hidden:
                self._add("kernel", name, self.device, dur, (0, 7), correlation=self.link, device=0, stream=7)
            self.device += dur + 1.0

    def step(self, mix: Mix = MIX, label: str = DECODE, *, graph: bool = False, hidden: bool = False, **how: Any) -> None:
        """One annotated step, on the host and on the device."""
        host, device = self.host, self.device
        if graph:
            self.graph(mix, hidden=hidden)
        else:
            for name, dur in mix:
                self.kernel(name, dur, **how)
        self._add("user_annotation", label, host, self.host - host, (900, 901))
        self._add("gpu_user_annotation", label, device, self.device - device - 1.0, (0, 7))


def recorded(mix: Mix = MIX, count: int = STEPS, **how: Any) -> list[Json]:
    """Several steps alike."""
    recorder = Recorder()
    for _ in range(count):
        recorder.step(mix, **how)
    return recorder.events


def trace(root: Path, events: list[Json], name: str = "run-TP-0.trace.json.gz", **top: Any) -> None:
    """Write a trace, packed."""
    root.mkdir(parents=True, exist_ok=True)
    value = {"schemaVersion": 1, "record_shapes": 1, **top, "traceEvents": events}
    (root / name).write_bytes(gzip.compress(json.dumps(value).encode(), mtime=0))


def rows_of(mixes: list[Mix], **edits: Json) -> tuple[Json, list[Json]]:
    """GEAK's table of launches, made as GEAK makes it: by raw name, largest first; ``edits`` by raw name."""
    times: dict[str, list[float]] = {}
    for mix in mixes:
        for name, dur in mix:
            times.setdefault(name, []).append(dur)
    total = sum(sum(items) for items in times.values())
    rows = []
    for rank, name in enumerate(sorted(times, key=lambda key: (-sum(times[key]), key)), start=1):
        us, calls = sum(times[name]), len(times[name])
        rows.append(
            {"rank": rank, "name": name, "calls": calls, "total_ms": round(us / 1000, 4), "avg_us": round(us / calls, 3),
             "pct_gpu_time": round(100 * us / total, 2), "shapes": [[[8, 4096]]], "editable": not name.startswith(CLOSED), **edits.get(name, {})}
        )  # fmt: skip
    return {"source": "torch-trace", "total_gpu_time_ms": round(total / 1000, 4)}, rows


def table(root: Path, mixes: list[Mix], rows: dict[str, Json] | None = None, **keys: Any) -> None:
    """Write profile_topN.json."""
    head, found = rows_of(mixes, **(rows or {}))
    root.mkdir(parents=True, exist_ok=True)
    (root / "profile_topN.json").write_text(json.dumps({**head, "top_kernels": found, **keys}, indent=1))


def routed(root: Path, *items: Json) -> None:
    """Write routing.json."""
    (root / "routing.json").write_text(json.dumps({"routed": list(items)}))


Make = Callable[[Path], Path]


def profile(
    events: list[Json] | None = None, mixes: list[Mix] | None = None, route: tuple[Json, ...] = (), rows: dict[str, Json] | None = None,
    **keys: Any,
) -> Make:  # fmt: skip
    """A folder with a trace, the table made of it (``mixes``: of what), and a routed list."""

    def make(root: Path) -> Path:
        trace(root, recorded() if events is None else events)
        table(root, [MIX] * STEPS if mixes is None else mixes, rows, **keys)
        if route:
            routed(root, *route)
        return root

    return make


def _tuned(number: int) -> Mix:
    """Attention under a name of its own tuning in every step."""
    return ((f"{ATTN}_BLOCK_M_{16 << number}_BLOCK_N_64", 60.0), (GEMM, 30.0), (NORM, 10.0))


def fragmented(route: tuple[Json, ...] = ()) -> Make:
    """Steps of which each picked another tuning; the table is by raw name."""
    recorder = Recorder()
    for number in range(STEPS):
        recorder.step(_tuned(number))
    return profile(recorder.events, [_tuned(number) for number in range(STEPS)], route)


def _tuned_but_first(root: Path) -> Path:
    """Half of the steps share one tuning: its row stands first."""
    recorder = Recorder()
    mixes = [_tuned(max(number, 3)) for number in range(STEPS)]
    for mix in mixes:
        recorder.step(mix)
    return profile(recorder.events, mixes)(root)


def _replayed(*, hidden: int) -> Make:
    """Graph replays, some without kernels; the first steps run eagerly and carry shapes."""
    recorder = Recorder()
    for _ in range(STEPS):
        recorder.step()
    for number in range(STEPS):
        recorder.step(graph=True, hidden=number < hidden)
    return profile(recorder.events, [MIX] * (2 * STEPS - hidden))


def _partly(lost: int) -> Make:
    """The fourth of eight steps lacks its last kernels."""
    recorder = Recorder()
    mixes = [MIX if number != 3 else MIX[: len(MIX) - lost] for number in range(8)]
    for mix in mixes:
        recorder.step(mix)
    return profile(recorder.events, mixes)


def _overrun(over: float) -> Make:
    events = recorded()
    kernel = next(event for event in events if event["cat"] == "kernel")
    kernel["dur"] += over
    first = ((ATTN, kernel["dur"]), *MIX[1:])
    return profile(events, [first, *[MIX] * (STEPS - 1)])


def _phased(analytic: Json) -> Make:
    """A window of two prefill and four decode steps; the load needs other numbers of passes."""
    recorder = Recorder()
    prefill: Mix = ((ATTN, 300.0), (GEMM, 150.0), (NORM, 50.0))
    for label, mix, count in ((PREFILL, prefill, 2), (DECODE, MIX, 4)):
        for _ in range(count):
            recorder.step(mix, label)
    rows = {
        name: {"phase": "both", "phase_calls_measured": {"prefill": 2, "decode": 4}, "calls_per_step": {"prefill": 1.0, "decode": 1.0},
               "base_latency_ms": {"prefill": round(5 * us / 1000, 6), "decode": round(us / 1000, 6)}}
        for name, us in MIX
    }  # fmt: skip
    serving = {"n_prefill_steps": 2, "n_decode_steps": 4, "decode_batch_captured": 8, "decode_batch_steady": 8, "steady": True,
               "analytic_calls": analytic}  # fmt: skip
    return profile(recorder.events, [prefill] * 2 + [MIX] * 4, rows=rows, serving=serving)


def _batch(captured: int) -> Make:
    serving = {"n_prefill_steps": 0, "n_decode_steps": STEPS, "decode_batch_captured": captured, "decode_batch_steady": 64}
    return profile(serving=serving)


def _copies(*, counted: bool) -> Make:
    """A fifth of the time are copies; the table counts them, or divides by kernels alone."""
    mix = (*MIX, (COPY, 25.0))
    return profile(recorded(mix), [mix if counted else MIX] * STEPS)


def _ranks(world: int, mix: Mix = MIX) -> Make:
    def make(root: Path) -> Path:
        trace(root, recorded(mix), distributedInfo={"backend": "nccl", "rank": 0, "world_size": world})
        return root

    return make


def _benched(profiled: Json, benched: Json) -> Make:
    """SGLang's profiler leaves server_args.json beside the trace; the benchmark's rows lie above."""

    def make(root: Path) -> Path:
        base: Json = {
            "model_path": "m",
            "attention_backend": "triton",
            "tp_size": 1,
            "disable_cuda_graph": True,
            "version": "0.5.5",
        }
        foreign(root / "baseline", [sglang_row(value, {**base, **benched}) for value in (1000.0, 1001.5, 999.25)])
        profile()(root / "baseline/profile")
        (root / "baseline/profile/server_args.json").write_text(json.dumps({**base, **profiled}))
        (root / "audit_request.json").write_text(json.dumps({"scope": "profile", "eval_dir": "baseline/profile"}))
        return root

    return make


def workload(weight: float = 1.0) -> Make:
    """GEAK's workload model of the attention kernel: a prefill and a decode shape; ``weight`` multiplies the first weight."""
    cases = [(2, 0.3, "prefill"), (4, 0.06, "decode")]
    weights = [round(1000 * count * ms * (weight if at == 0 else 1.0), 3) for at, (count, ms, _) in enumerate(cases)]
    found = [
        {"dims": [[8, 4096]], "count": count, "baseline_latency_ms": ms, "weight": weights[at], "weight_norm": round(weights[at] / sum(weights), 6),
         "regime": regime}
        for at, (count, ms, regime) in enumerate(cases)
    ]  # fmt: skip
    kernel = {"name": ATTN, "calls": 6, "total_ms": 0.84, "num_cases": 2, "cases": found}

    def make(root: Path) -> Path:
        (root / "profile_workload.json").write_text(json.dumps({"schema": "workload-v1", "kernels": [kernel]}))
        return root

    return make


def _dead(share: float) -> Make:
    """A kernel of this many percent was routed beside the largest."""
    rope = ("rope_kernel", round(share, 4))
    mix = (*MIX, rope)
    return profile(recorded(mix), [mix] * STEPS, ({"op": ATTN}, {"op": "rope_kernel", "reason": "easy"}))


SAYS, TRACE, LIST = "GEAK profile_topN.json", "torch trace", "routing.json"
ROUTED: Json = {"op": ATTN, "share_pct": 60.0}
PLANTED = (
    Planted("P01", "attention split over its tuned names", f"{SAYS}: top_kernels[].name", fragmented(), _tuned_but_first, ("FAIL", "FLAG")),
    Planted("P02", "a table of shapes that the trace does not have", f"{TRACE}: Input Dims", profile(recorded(dims=False)), profile(), ("FLAG",)),
    Planted("P03", "graph replays without their kernels", f"{TRACE}: cudaGraphLaunch correlation", _replayed(hidden=2), _replayed(hidden=0), ("FLAG",)),
    Planted("P03", "all graph replays without their kernels", f"{TRACE}: cudaGraphLaunch correlation", _replayed(hidden=STEPS), _replayed(hidden=0)),
    Planted("P04", "kernels lost inside a step", f"{TRACE}: kernels launched inside user_annotation", _partly(2), _partly(0), ("FLAG",)),
    Planted("P05", "a window of prefill for a load of decode", f"{SAYS}: serving.analytic_calls", _phased({"prefill": 8, "decode": 1024}),
            _phased({"prefill": 8, "decode": 16}), ("FLAG",)),
    Planted("P05", "decode caught in the ramp", f"{SAYS}: serving.decode_batch_captured", _batch(8), _batch(64), ("FLAG",)),
    Planted("P06", "an event that outlasts its successors", f"{TRACE}: ts, dur", _overrun(500.0), _overrun(0.9)),
    Planted("P07", "a library's gemm called editable", f"{SAYS}: editable", profile(rows={GEMM: {"editable": True}}), profile(), ("FLAG",)),
    Planted("P08", "copies left out of the total", f"{SAYS}: total_gpu_time_ms", _copies(counted=False), _copies(counted=True), ("FLAG",)),
    Planted("P08", "eight ranks and no collective", f"{TRACE}: distributedInfo.world_size", _ranks(8), _ranks(8, (*MIX, (REDUCE, 20.0))), ("FLAG",)),
    Planted("P09", "an operation of no weight was routed", f"{LIST}: routed[].op", _dead(0.4), _dead(4.0)),
    Planted("P10", "profiled under another backend", "sglang server_args.json: attention_backend", _benched({"attention_backend": "fa3"}, {}),
            _benched({"attention_backend": "fa3"}, {"attention_backend": "fa3"})),
    Planted("P10", "profiled without graphs", "sglang server_args.json: disable_cuda_graph", _benched({}, {"disable_cuda_graph": False}),
            _benched({}, {}), ("FLAG",)),
    Planted("P11", "shares of a device that idles", f"{TRACE}: ts, dur of kernels", profile(recorded(gap=60.0)), profile(recorded(gap=2.0)), ("FLAG",)),
    Planted("P12", "divided by steps that were not run", f"{SAYS}: serving.n_decode_steps", profile(serving={"n_decode_steps": 2 * STEPS}),
            profile(serving={"n_decode_steps": STEPS}), ("FLAG",)),
    Planted("A04", "more promised than the share can bring", f"{LIST}: routed[].gain_pct", profile(route=({**ROUTED, "speedup": 2.0, "gain_pct": 60.0},)),
            profile(route=({**ROUTED, "speedup": 2.0, "gain_pct": 40.0},)), ("FLAG",)),
    Planted("A15", "a prefill case divided twice", "GEAK profile_workload.json: cases[].weight", workload(0.5), workload()),
    Planted("A15", "a share that does not follow from its time", f"{SAYS}: pct_gpu_time", profile(rows={ATTN: {"pct_gpu_time": 45.0}}), profile()),
    Planted("A16", "the dominant operation was skipped", f"{LIST}: routed[].op", profile(route=({"op": NORM, "share_pct": 10.0},)),
            profile(route=(ROUTED,))),
    Planted("R18", "a table of another trace", f"{SAYS}: top_kernels[].pct_gpu_time", profile(recorded(((ATTN, 30.0), (GEMM, 60.0), (NORM, 10.0)))),
            profile()),
)  # fmt: skip
