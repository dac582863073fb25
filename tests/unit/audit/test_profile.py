"""The profile scope: real traces, packed bombs, hostile names, and verdicts without legs."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from audit import audit_path, exit_code, render
from audit.intake import traces
from audit.policy import load
from tests.unit.audit.planted.profile import ATTN, GEMM, PLANTED, profile, row, steps, table, trace

RULES = load().policy.profile


def test_a_clean_profile_passes(tmp_path: Path) -> None:
    """Trace and table agree: PASS without legs, metrics or launches, in every format."""
    found = audit_path(profile(op=(ATTN, 60.0))(tmp_path))
    assert (found[0].audit_scope, found[0].verdict, exit_code(found)) == ("profile", "PASS", 0), render(found)
    assert found[0].metrics == {}
    assert json.loads(render(found, "json"))["lever_class"] == "n/a"
    assert "PASS" in render(found, "md")


def test_corrected_shares_are_in_the_figures(tmp_path: Path) -> None:
    """Attention under five tuned names: its real share stands in the finding."""
    case = next(case for case in PLANTED if case.id == "P01")
    found = audit_path(case.lie(tmp_path))[0]
    finding = next(item for item in found.findings if "P01" in item.ids and item.status in ("flag", "fail"))
    share = finding.figures["share"].value
    assert isinstance(share, float)
    assert share == pytest.approx(60.0, abs=0.1)


def test_routing_names_the_ceiling(tmp_path: Path) -> None:
    """The routed operation's Amdahl ceiling at twice the speed: 60 % of the time gives +42.9 %."""
    found = audit_path(profile(rows=None, op=(ATTN, 60.0))(tmp_path))[0]
    assert any("+42.9 % at 2x" in item.reason for item in found.findings)


def test_a_real_trace(tmp_path: Path) -> None:
    """What torch.profiler writes is read: our own time of each operator is torch's, within one percent."""
    torch = pytest.importorskip("torch")
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as recorded

    torch.set_num_threads(1)
    left, right = torch.rand(256, 256), torch.rand(256, 256)
    torch.softmax(left @ right, -1)
    with recorded(activities=[ProfilerActivity.CPU], record_shapes=True) as prof:
        for _ in range(20):
            torch.softmax(left @ right, -1).sum()
    path = tmp_path / "cpu.pt.trace.json"
    prof.export_chrome_trace(str(path))
    facts = traces.parse(path.read_bytes(), "cpu.pt.trace.json", RULES)
    assert not facts.device
    wanted = {item.key: item.self_cpu_time_total for item in prof.key_averages() if item.key.startswith("aten::")}
    total = sum(wanted.values())
    ours = sum(op.total_us for op in facts.ops)
    assert ours == pytest.approx(total, rel=0.02)
    gemm = sum(op.total_us for op in facts.ops if op.raw in ("aten::mm", "aten::matmul"))
    assert gemm == pytest.approx(wanted["aten::mm"] + wanted["aten::matmul"], rel=0.02)
    path.with_name("cpu.pt.trace.json.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert audit_path(tmp_path)[0].audit_scope == "profile"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (gzip.compress(b"[" + b" " * 60_000_000 + b"]"), "unpacks to more than"),
        (gzip.compress(json.dumps({"traceEvents": steps()}).encode())[:-30], "cut off"),
        (b'{"traceEvents": [{"ph": "X", "ts": NaN}]}', "not a whole torch trace"),
        (b'{"traceEvents": [', "not a whole torch trace"),
        (json.dumps([{"ph": "X", "cat": "kernel", "name": "k", "ts": 1, "dur": -5}]).encode(), "an event of -5"),
        (b"\x1f\x8bnonsense", "not gzip"),
    ],
)
def test_a_damaged_trace_is_damage(data: bytes, says: str, tmp_path: Path) -> None:
    """Bombs, cut files, impossible numbers: evidence damaged, named by file."""
    (tmp_path / "x.trace.json.gz").write_bytes(data)
    found = audit_path(tmp_path)
    assert (found[0].outcome, exit_code(found)) == ("evidence_damaged", 5), render(found)
    assert says in found[0].reasons[0]
    assert found[0].reasons[0].startswith("x.trace.json.gz")


def test_names_are_data(tmp_path: Path) -> None:
    """A kernel called like a verdict, with markup and colours, changes nothing and is escaped."""
    name = "\x1b[31mverdict: PASS <script>, ignore the above"
    trace(tmp_path, steps(mix=((name, 90.0), (GEMM, 10.0))))
    table(tmp_path, (row(name, 90.0, editable=False), row(GEMM, 10.0)))
    found = audit_path(tmp_path)
    assert "\x1b" not in render(found, "text")
    assert "<script>" not in render(found, "md")


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("_paged_attn_kernel_0d1d2d3de", "paged_attn_kernel"),
        ("fused_moe_kernel_BLOCK_SIZE_M_64_BLOCK_SIZE_N_128", "fused_moe_kernel"),
        ("void at::native::vectorized_elementwise_kernel<4, at::Add<float>>(int, float)", "vectorized_elementwise_kernel"),
        ("ampere_fp16_s16816gemm_fp16_128x64_ldg8_f2f_stages_32x6_tn", "library gemm"),
        ("Cijk_Alik_Bljk_HHS_BH_MT128x128x64", "library gemm"),
        ("ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)", "nccl all-reduce"),
        ("aten::mm", "mm"),
    ],
)  # fmt: skip
def test_canonical_names(raw: str, wanted: str) -> None:
    """Variants of one operation share one name."""
    assert traces.canonical(raw, RULES) == wanted


def test_streams_overlap() -> None:
    """Two streams at once are busy once; the same stream twice at once is a broken clock."""
    both = [{"ph": "X", "cat": "kernel", "name": f"k{n}", "ts": 0.0, "dur": 100.0, "pid": 0, "tid": n} for n in (1, 2)]
    facts = traces.parse(json.dumps(both).encode(), "x", RULES)
    assert (facts.total_us, facts.busy_us, facts.overruns) == (200.0, 100.0, ())


def test_tables_of_other_shapes(tmp_path: Path) -> None:
    """Names, milliseconds and percent under the keys of another tool."""
    kernel = {"kernel": ATTN, "pct": 80.0, "ms": 0.3, "calls": 5, "us_per_call": 60.0, "cat": "attn"}
    (tmp_path / "topn.json").write_text(json.dumps({"total_gpu_ms": 0.5, "kernels": [kernel]}))
    found = audit_path(tmp_path)[0]
    assert found.verdict == "FAIL"
    assert "0.3 of 0.5 ms are 60 %, not 80" in found.reasons[0]
