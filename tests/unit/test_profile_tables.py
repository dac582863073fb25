"""Tables of a trace: own time, modules, steps; and what is routed on their word."""

from __future__ import annotations

import gzip
import json
import sys
from typing import Any

import pytest

from workflow.errors import WorkerFailedError
from workflow.profiling import Table, route, table
from workflow.profiling.table import OUTSIDE
from workflow.serving import get_engine


def op(name: str, start: float, us: float, dims: Any = (), tid: int = 1) -> dict[str, Any]:
    """One operator of the CPU."""
    return {"ph": "X", "cat": "cpu_op", "name": name, "ts": start, "dur": us, "pid": 1, "tid": tid, "args": {"Input Dims": dims}}


def mark(name: str, start: float, us: float, tid: int = 1) -> dict[str, Any]:
    """One annotation."""
    return {"ph": "X", "cat": "user_annotation", "name": name, "ts": start, "dur": us, "pid": 1, "tid": tid}


EVENTS = [
    mark("decode[bs=1 tok=1]", 0, 100),
    mark("module:Layer", 0, 90),
    mark("module:Norm", 0, 30),
    op("aten::mul", 0, 10, [[1, 4]]),
    op("aten::pow", 15, 10),
    mark("module:MLP", 40, 40),
    op("aten::linear", 40, 30, [[1, 4], [4, 4]]),
    op("aten::addmm", 45, 20, [[4], [1, 4]]),
    op("aten::add", 82, 5),
    op("aten::argmax", 95, 5),
    op("aten::copy_", 0, 15, tid=2),
    {"ph": "i", "cat": "cpu_op", "name": "a mark", "ts": 1, "pid": 1, "tid": 1},
    {"ph": "X", "cat": "overhead", "name": "of the profiler", "ts": 1, "dur": 1e6, "pid": 1, "tid": 1},
]


def made(events: list[dict[str, Any]]) -> Table:
    """The table of a trace with these events."""
    return table(gzip.compress(json.dumps({"traceEvents": events}).encode()))


def test_own_time_is_what_is_not_inside_another_operation() -> None:
    """Every microsecond counts once among the operations, and in each module around it."""
    found = made(EVENTS)
    assert {row.name: row.us for row in found.ops} == {
        "aten::mul": 10, "aten::pow": 10, "aten::linear": 10, "aten::addmm": 20, "aten::add": 5, "aten::argmax": 5,
        "aten::copy_": 15,
    }  # fmt: skip
    assert {row.name: (row.us, row.calls) for row in found.modules} == {
        "Layer": (55, 1), "MLP": (30, 1), "Norm": (20, 1), OUTSIDE: (20, 0),
    }  # fmt: skip
    assert found.total_us == 75 and sum(row.share_pct for row in found.ops) == pytest.approx(100)
    assert found.ops[0].name == "aten::addmm" and found.ops[0].modules == ("MLP",) and found.ops[0].shapes == ("[[4], [1, 4]]",)
    assert found.steps == {"prefill": 0, "decode": 1}


def test_the_order_of_the_file_does_not_matter() -> None:
    """A trace is a set of events."""
    assert made(EVENTS[::-1]) == made(EVENTS)


def on_device(name: str, start: float, us: float, cat: str = "kernel", stream: int = 7) -> dict[str, Any]:
    """One event on a stream of the first device, as torch.profiler writes it."""
    return {"ph": "X", "cat": cat, "name": name, "ts": start, "dur": us, "pid": 0, "tid": stream, "args": {"stream": stream}}


def test_with_a_device_its_time_counts() -> None:
    """Kernels and copies under the annotations of their stream; the CPU only launches. Passes are counted once."""
    marks = [
        (name, at, us) for name, at, us in (("decode[bs=1 tok=1]", 100, 60), ("module:Layer", 100, 50), ("module:Norm", 100, 20))
    ]
    device = [on_device(name, at, us, "gpu_user_annotation", stream) for stream in (7, 20) for name, at, us in marks]
    kernels = [on_device("norm_kernel", 101, 15), on_device("gemm", 122, 20), on_device("Memcpy DtoD", 101, 5, "gpu_memcpy", 20)]
    found = made([*EVENTS, *device, *kernels, on_device("argmax", 200, 10)])
    assert {row.name: row.us for row in found.ops} == {"norm_kernel": 15, "gemm": 20, "Memcpy DtoD": 5, "argmax": 10}
    assert {row.name: row.us for row in found.modules} == {"Layer": 40, "Norm": 20, OUTSIDE: 10}
    assert found.steps == {"prefill": 0, "decode": 1} and found.total_us == 50


def test_a_ceiling_is_amdahls() -> None:
    """Half of the time gone doubles the speed."""
    half = made([op("aten::mm", 0, 10), op("aten::add", 10, 10)])
    assert half.ops[0].share_pct == pytest.approx(50) and half.ops[0].ceiling_pct == pytest.approx(100)


@pytest.mark.parametrize(
    "trace",
    [
        b"",
        b"{}",
        b"[1]",
        gzip.compress(b"{", mtime=0)[:-3],
        b'{"traceEvents": []}',
        json.dumps({"traceEvents": [mark("x", 0, 1)]}).encode(),
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        gzip.compress(b"[" * 200_000, mtime=0),
        b"\x1f\x8bnot packed",
        b'{"traceEvents": {"a": 1}}',
        b'{"traceEvents": [1]}',
        json.dumps({"traceEvents": [{**op("a", 0, 1), "ts": "0"}]}).encode(),
        json.dumps({"traceEvents": [{**op("a", 0, 1), "dur": float("nan")}]}).encode(),
        json.dumps({"traceEvents": [{**op("a", 0, 1), "dur": 1e999}]}).encode(),
        json.dumps({"traceEvents": [op("a", 0, -5)]}).encode(),
        json.dumps({"traceEvents": [{**op("a", 0, 1), "name": ["a"]}]}).encode(),
    ],
)
def test_what_is_no_trace_is_an_error_with_a_next_step(trace: bytes) -> None:
    """Cut off, empty, without an operation, of other types, with times that cannot be: never a traceback."""
    with pytest.raises(WorkerFailedError) as caught:
        table(trace)
    assert caught.value.next_step


def test_a_trace_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte can stand for a terabyte; nobody unpacks it to see."""
    monkeypatch.setattr(sys.modules["workflow.profiling.table"], "MOST_BYTES", 1000)
    with pytest.raises(WorkerFailedError, match="unpacks to more than 1000 bytes"):
        table(gzip.compress(b" " * 10_000))


def test_names_and_shapes_are_cut() -> None:
    """A name is somebody's text, as long as they like."""
    found = made([op("x" * 10_000, 0, 10, [["y" * 10_000]])])
    assert len(found.ops[0].name) == 400 and len(found.ops[0].shapes[0]) == 400


def test_routes_name_a_reason_for_everything() -> None:
    """The largest operation with an overlay first; small ones, ones without an overlay and the rest of the engine stay."""
    levers = get_engine("transformers").levers
    found = route(made(EVENTS), {}, ["Norm", "MLP", "Layer"], levers)
    assert [item["op"] for item in found.routed] == ["Layer", "MLP", "Norm"]
    assert found.routed[1]["share_pct"] == pytest.approx(40) and found.routed[1]["ceiling_pct"] == pytest.approx(
        100 * (1 / 0.6 - 1)
    )
    assert {item["op"]: item["reason"] for item in found.left}[OUTSIDE].startswith("no operation of the model")
    assert set(found.levers) == {item.name for item in levers} and all(found.levers.values())
    none = route(made(EVENTS), {"MLP": 1.0}, ["MLP"], levers)
    assert not none.routed and {item["op"]: item["reason"] for item in none.left} == {
        "MLP": "below 2 % of the time",
        "Norm": "the catalogue holds no overlay for it",
        "Layer": "the catalogue holds no overlay for it",
        OUTSIDE: "no operation of the model: scheduling, sampling and copies around it",
    }
