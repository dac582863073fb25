"""Traces and names: what torch writes is read, what cannot have happened is damage, honest oddities are no fault."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import DamageError
from audit.intake import traces
from audit.intake.symbols import Namer, demangled, split_signature
from audit.intake.traces import Trace
from audit.policy import load
from tests.unit.audit.build import Json
from tests.unit.audit.planted.profile import ATTN, DECODE, GEMM, MIX, PREFILL, STEPS, Recorder, recorded

RULES = load().policy.profile
NAMES = Namer(RULES.symbols)


def parsed(events: list[Json], **top: Any) -> Trace:
    """The facts of these events."""
    return traces.parse(json.dumps({**top, "traceEvents": events}).encode(), "x", RULES)


def kernel(name: str, ts: float, dur: float | None, stream: int = 7, device: int = 0, **args: Any) -> Json:
    """A kernel by itself."""
    found: Json = {"ph": "X", "cat": "kernel", "name": name, "ts": ts, "pid": device, "tid": stream, "args": args}
    return found if dur is None else {**found, "dur": dur}


def test_time_by_name() -> None:
    """Every launch counts once, in whole nanoseconds, whatever the size of the time stamps."""
    facts = parsed(recorded())
    assert facts.device and facts.launches == STEPS * len(MIX)
    assert {item.name: (item.calls, item.ns) for item in facts.kernels} == {
        name: (STEPS, round(STEPS * us * 1000)) for name, us in MIX
    }
    assert facts.total_ns == STEPS * 100_000


def test_streams_overlap() -> None:
    """Two streams of one device are busy once, two devices twice; gaps are idle."""
    one = [kernel("a", 0, 100, 1), kernel("b", 50, 100, 2)]
    assert (parsed(one).busy_ns, parsed(one).span_ns, parsed(one).total_ns) == (150_000, 150_000, 200_000)
    two = [kernel("a", 0, 100), kernel("b", 0, 100, device=1), kernel("c", 300, 100)]
    assert (parsed(two).busy_ns, parsed(two).span_ns) == (300_000, 500_000)


def test_kernels_launched_dependently_overlap() -> None:
    """A successor that starts early is by design; one that ends before its predecessor is a broken clock."""
    assert parsed([kernel("a", 0, 100), kernel("b", 80, 100)]).overrun.events == 0
    broken = parsed([kernel("a", 0, 500), kernel("b", 80, 100), kernel("c", 600, 1)]).overrun
    assert (broken.events, broken.name, broken.worst_ns) == (1, "a", 320_000)


def test_a_kernel_without_a_duration_is_counted_apart() -> None:
    """No duration is not no time."""
    facts = parsed([kernel("a", 0, 10), kernel("a", 20, None)])
    assert (facts.launches, facts.timeless, facts.total_ns) == (1, 1, 10_000)


def test_own_time_of_nested_operators() -> None:
    """Without a device an operator counts without what runs inside it, by thread."""

    def op(name: str, ts: float, dur: float, tid: int = 1) -> Json:
        return {
            "ph": "X",
            "cat": "cpu_op",
            "name": name,
            "ts": ts,
            "dur": dur,
            "pid": 9,
            "tid": tid,
            "args": {"Input Dims": [[4, 4]]},
        }

    nested = [
        op("aten::linear", 0, 100),
        op("aten::addmm", 10, 80),
        op("aten::copy_", 20, 5),
        op("aten::t", 101, 4),
        op("aten::t", 0, 50, 2),
    ]
    facts = parsed(nested)
    assert not facts.device
    assert {item.name: item.ns for item in facts.kernels} == {
        "aten::linear": 20_000, "aten::addmm": 75_000, "aten::copy_": 5_000, "aten::t": 54_000
    }  # fmt: skip
    assert facts.busy_ns == 104_000


def test_steps_hold_the_kernels_that_were_launched_in_them() -> None:
    """Kernels run later than their step on the host; annotations on host and device count once."""
    recorder = Recorder()
    for label in (PREFILL, DECODE, DECODE):
        recorder.step(label=label)
    steps = parsed(recorder.events).steps
    assert [(step.phase, step.context, step.generated, step.kernels) for step in steps] == [
        ("prefill", 512, 0, 3), ("decode", 0, 8, 3), ("decode", 0, 8, 3)
    ]  # fmt: skip
    device_only = [event for event in recorder.events if event["cat"] in ("kernel", "gpu_user_annotation")]
    assert [step.kernels for step in parsed(device_only).steps] == [3, 3, 3]


@pytest.mark.parametrize(
    ("label", "wanted"),
    [
        ("step[EXTEND bs=2 toks=12 c_sqsq=80 c_sqsk=120 c_sk=20]", ("prefill", 12, 0)),
        ("step[DECODE bs=16]", ("decode", 0, 16)),
        ("execute_context_1(sq512sk512sqsq1sqsk1)_generation_3(sq3sk90sqsq3sqsk90)", ("prefill", 512, 3)),
        ("prefill[bs=2 tok=16384]", ("prefill", 16384, 0)),
        ("ProfilerStep#3", (None, 0, 0)),
    ],
)
def test_dialects_of_steps(label: str, wanted: tuple[str | None, int, int]) -> None:
    """SGLang, vLLM (plain and detailed), ATOM, torch's own."""
    mark = {"ph": "X", "cat": "gpu_user_annotation", "name": label, "ts": 0, "dur": 100, "pid": 0, "tid": 7}
    other = {**mark, "tid": 23, "ts": 5, "dur": 20}
    (step,) = parsed([kernel("a", 1, 10), mark, other]).steps
    assert (step.phase, step.context, step.generated) == wanted


def test_graph_replays() -> None:
    """Kernels carry the launch's correlation; those without any link to a call may be a replay's."""
    recorder = Recorder()
    recorder.step(graph=True)
    recorder.step(graph=True, hidden=True)
    seen = parsed(recorder.events).graphs
    assert (seen.launches, seen.silent, seen.unlinked) == (2, 1, 0)
    unlinked = [*recorder.events, kernel("hip", EPOCH_LATER, 5.0, correlation=777777)]
    assert parsed(unlinked).graphs.unlinked == 1


EPOCH_LATER = 4387832541000.5


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_events_means_nothing(rng: random.Random) -> None:
    """Kineto writes events in no promised order."""
    events = recorded(count=3)
    shuffled = list(events)
    rng.shuffle(shuffled)
    assert parsed(shuffled) == parsed(events)


EVENT = st.fixed_dictionaries(
    {},
    optional={
        "ph": st.sampled_from(["X", "M", "i"]),
        "cat": st.sampled_from(["kernel", "cpu_op", "cuda_runtime", "gpu_memcpy", "user_annotation"]),
        "name": st.sampled_from(["cudaGraphLaunch", "step[DECODE bs=1]", "void a<b(", ")>", "_ZN3abcE", "_ZN99", "\x1b[31m", ""]),
        "ts": st.one_of(st.none(), st.floats(-1e300, 1e300), st.integers(-5, 5)),
        "dur": st.one_of(st.none(), st.floats(-1, 1e300)),
        "pid": st.one_of(st.none(), st.integers(0, 2), st.just("Spans")), "tid": st.integers(0, 1),
        "args": st.fixed_dictionaries(
            {}, optional={"correlation": st.integers(0, 3), "Input Dims": st.sampled_from([[], [[1]], "[1]", None])}
        ),
    },
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENT, max_size=6))
def test_any_event_is_facts_or_damage(events: list[Json]) -> None:
    """Nothing else comes out, and no time is negative."""
    try:
        facts = parsed(events)
    except DamageError:
        return
    assert min((item.ns for item in facts.kernels), default=0) >= 0
    assert facts.busy_ns <= max(facts.span_ns, 0)
    for item in facts.kernels:
        assert NAMES(item.name).op == NAMES(item.name).op


GOOD = json.dumps({"traceEvents": recorded()}).encode()
BAD = {
    "a bomb": (gzip.compress(b"[" + b" " * 60_000_000 + b"]"), "unpack to more than"),
    "packed twice over": (gzip.compress(GOOD) + b"more", "after the end of the gzip stream"),
    "cut gzip": (gzip.compress(GOOD)[:-30], "cut off"),
    "no gzip": (b"\x1f\x8bnonsense", "not a whole gzip file"),
    "cut JSON": (GOOD[:-40], "not a whole torch trace"),
    "trailing": (GOOD + b"{}", "not a whole torch trace"),
    "not UTF-8": (GOOD.replace(b"triton_red", b"\xff\xfered"), "not a whole torch trace"),
    "NaN": (b'{"traceEvents": [{"ph": "X", "cat": "kernel", "ts": NaN}]}', "not a whole torch trace"),
    "another object": (b'{"a": 1}', "not a whole torch trace"),
    "quoted": (b'[{"ph": "X", "cat": "kernel", "ts": "1", "dur": 2}]', "not a whole torch trace"),
    "negative": (json.dumps([kernel("k", 1, -5)]).encode(), "an event of -5 us"),
    "timeless": (json.dumps([{**kernel("k", 1, 5), "ts": None}]).encode(), "an event without a time"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_damage(name: str) -> None:
    """Bombs, cut files, values that are no times: refused by name."""
    data, says = BAD[name]
    with pytest.raises(DamageError, match=says):
        traces.parse(traces.unpack(data, RULES), "x", RULES)


def test_packed_traces() -> None:
    """A list, a byte-order mark, several gzip members; a small trace may pack as tightly as it likes."""
    tight = gzip.compress(json.dumps([kernel("same", 0.0, 1.0, n) for n in range(20_000)]).encode(), 9)
    assert traces.parse(traces.unpack(tight, RULES), "x", RULES).launches == 20_000
    parts = gzip.compress(GOOD[:1000]) + gzip.compress(GOOD[1000:])
    wanted = traces.parse(GOOD, "x", RULES)
    assert traces.parse(traces.unpack(parts, RULES), "x", RULES) == wanted
    assert traces.parse(b"\xef\xbb\xbf" + GOOD, "x", RULES) == wanted
    assert traces.parse(json.dumps(recorded()).encode(), "x", RULES).total_ns == wanted.total_ns


def test_a_real_trace(tmp_path: Path) -> None:
    """What torch.profiler writes: our own time of every operator is torch's, within one percent; its steps are counted."""
    torch = pytest.importorskip("torch")
    from torch.profiler import ProfilerActivity, record_function
    from torch.profiler import profile as profiled

    torch.set_num_threads(1)
    left, right = torch.rand(192, 192), torch.rand(192, 192)
    layer = torch.nn.Sequential(torch.nn.Linear(192, 192), torch.nn.LayerNorm(192))

    def work() -> None:
        torch.softmax(layer(left @ right), -1).sum().item()

    work()
    with profiled(activities=[ProfilerActivity.CPU], record_shapes=True) as prof:
        for number in range(12):
            with record_function(f"ProfilerStep#{number}"):
                work()
    path = tmp_path / "cpu.pt.trace.json"
    prof.export_chrome_trace(str(path))
    facts = traces.parse(path.read_bytes(), path.name, RULES)
    wanted = {item.key: item.self_cpu_time_total for item in prof.key_averages() if item.key.startswith("aten::")}
    ours = {item.name: item.ns / 1000 for item in facts.kernels}
    assert ours.keys() == wanted.keys() and len(ours) > 8
    for name, us in wanted.items():
        assert ours[name] == pytest.approx(us, rel=0.01, abs=0.01), name
    assert len(facts.steps) == 12 and len({step.kernels for step in facts.steps}) == 1
    shaped = {item.name: item.blank_ns for item in facts.kernels}
    assert shaped["aten::mm"] == 0
    packed = gzip.compress(path.read_bytes())
    assert traces.parse(traces.unpack(packed, RULES), path.name, RULES) == facts


@pytest.mark.parametrize(
    ("raw", "op", "family", "origin"),
    [
        ("_paged_attn_kernel_0d1d2d3de", "paged_attn_kernel", "attention", "open"),
        (f"{ATTN}_BLOCK_M_64_BLOCK_N_128_num_warps_4", "paged_attention_2d_kernel", "attention", "open"),
        ("fused_moe_kernel_BLOCK_SIZE_M_64_BLOCK_SIZE_N_128", "fused_moe_kernel", "moe", "open"),
        ("matmul_kernel_a1b2c3d4e5f6", "matmul_kernel", "gemm", "open"),
        ("triton_poi_fused_add_mul_silu_12", "triton_poi_fused_add_mul_silu", "elementwise", "open"),
        (GEMM, "library gemm", "gemm", "closed"),
        ("ampere_fp16_s16816gemm_fp16_128x64_ldg8_f2f_stages_32x6_tn", "library gemm", "gemm", "closed"),
        ("nvjet_tst_64x8_64x16_4x1_v_bz_TNN", "library gemm", "gemm", "closed"),
        ("void cutlass::Kernel2<cutlass_80_wmma_tensorop_bf16_s161616gemm_bf16_16x16_128x2_tn_align8>(Params)",
         "library gemm", "gemm", "closed"),
        ("ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)", "all-reduce", "collective", "closed"),
        ("void vllm::cross_device_reduce_1stage<__nv_bfloat16, 8>(vllm::RankData*", "all-reduce", "collective", "unknown"),
        ("Memcpy HtoD (Pinned -> Device)", "memcpy HtoD", "copy", "closed"),
        ("aten::mm", "aten::mm", "gemm", "unknown"),
        ("quantized::mm", "quantized::mm", "other", "unknown"),
        (
            "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<c10::BFloat16>, Array >(int)",
            "vectorized_elementwise_kernel<CUDAFunctor_add>", "elementwise", "closed",
        ),
        ("void at::native::(anonymous namespace)::multi_row_norm<float>(int, float const*)", "multi_row_norm", "norm", "closed"),
        ("_ZN4vllm15rms_norm_kernelIN3c108BFloat16EEEvPT_", "rms_norm_kernel", "norm", "unknown"),
        ("void flash::flash_fwd_splitkv_kernel<Flash_fwd_kernel_traits<128, 64, 128, 4>, false>(flash::Flash_fwd_params)",
         "flash_fwd_splitkv_kernel", "attention", "unknown"),
    ],
)  # fmt: skip
def test_canonical_names(raw: str, op: str, family: str, origin: str) -> None:
    """Variants of one operation share one name; a name that says where it lives is believed, no other."""
    assert NAMES(raw) == (op, family, origin)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_any_name_has_an_operation(name: str) -> None:
    """Whatever a symbol holds: no crash, and an operation for what is not blank."""
    assert NAMES(name).op or not name.strip().strip(" _")
    assert demangled(name) is not None and split_signature(name) is not None
