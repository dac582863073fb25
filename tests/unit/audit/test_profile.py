"""The profile scope: honest profiles pass, each fault is told with corrected shares, no name or number crashes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import Verdict, Verdicts, audit_path, exit_code, render
from audit.gates.profile_routing import ceiling_pct
from tests.unit.audit.build import Json, foreign, sglang_row
from tests.unit.audit.planted.profile import (
    ATTN,
    COPY,
    DECODE,
    GEMM,
    MIX,
    NORM,
    PREFILL,
    REDUCE,
    STEPS,
    Make,
    Mix,
    Recorder,
    fragmented,
    profile,
    recorded,
    routed,
    rows_of,
    table,
    trace,
)  # fmt: skip


def judged(root: Path) -> Verdict:
    """The verdict on a folder that holds one profile."""
    return audit_path(root)[0]


def shown(found: Verdict) -> str:
    """The verdict as text, for a failed assertion."""
    return render(Verdicts([found], as_list=False))


def ids(found: Verdict, *statuses: str) -> set[str]:
    """Ids of findings with one of these statuses."""
    return {name for item in found.findings if item.status in statuses for name in item.ids}


def figure(found: Verdict, id_: str, name: str) -> Any:
    """A figure of the first finding that lowers the verdict and names an id."""
    finding = next(item for item in found.findings if id_ in item.ids and item.status in ("flag", "fail"))
    return finding.figures[name].value


def _by_name(root: Path) -> Path:
    """The tool's own table: gemms under three names below an attention kernel that is larger than all."""
    mix: Mix = ((ATTN, 60.0), *((f"{GEMM}_SN{n}", 10.0) for n in range(3)), (NORM, 10.0))
    return profile(recorded(mix), [mix] * STEPS)(root)


def _closed_on_top(root: Path) -> Path:
    """Library gemms of many names take the most; the first row is attention, which can be worked on."""
    mix: Mix = ((ATTN, 30.0), *((f"{GEMM}_SN{n}", 12.0) for n in range(5)), (NORM, 10.0))
    return profile(recorded(mix), [mix] * STEPS, ({"op": ATTN, "share_pct": 30.0},))(root)


def _early(root: Path) -> Path:
    """Each kernel starts before the one before it has ended."""
    events = recorded()
    for event in events:
        if event["cat"] == "kernel":
            event["dur"] += 8.0
    mix = tuple((name, us + 8.0) for name, us in MIX)
    return profile(events, [mix] * STEPS)(root)


def _ranks(root: Path) -> Path:
    """Eight ranks, a trace each; the table was made of one."""
    mix = (*MIX, (REDUCE, 20.0))
    for rank in range(8):
        trace(root / "traces", recorded(mix), f"1700000000.5-TP-{rank}.trace.json.gz", distributedInfo={"world_size": 8})
    table(root, [mix] * STEPS, tp=8)
    return root


def _stages(root: Path) -> Path:
    """SGLang by stage: prefill and decode in traces of their own, one table over both."""
    prefill: Mix = ((ATTN, 200.0), (GEMM, 250.0), (NORM, 50.0))
    trace(root, recorded(prefill, 3, label="step[EXTEND bs=1 toks=512]"), "run-TP-0-EXTEND.trace.json.gz")
    trace(root, recorded(label="step[DECODE bs=8]"), "run-TP-0-DECODE.trace.json.gz")
    table(root, [prefill] * 3 + [MIX] * STEPS, serving={"n_prefill_steps": 3, "n_decode_steps": STEPS})
    return root


def _cut(root: Path) -> Path:
    """A table whose names end after 60 characters, under other keys, in kernels of two that begin alike."""
    long = "void at::native::vectorized_elementwise_kernel<4, at::native::BinaryFunctor<float, float, float, at::native::"
    mix: Mix = ((f"{long}MulFunctor<float> >>(int)", 60.0), (GEMM, 40.0))
    trace(root, recorded(mix))
    head, rows = rows_of([mix] * STEPS)
    kernels = [
        {
            "kernel": row["name"][:100],
            "pct": row["pct_gpu_time"],
            "ms": row["total_ms"],
            "calls": row["calls"],
            "us_per_call": row["avg_us"],
            "cat": "x",
        }
        for row in rows
    ]
    (root / "topn.json").write_text(json.dumps({"total_gpu_ms": head["total_gpu_time_ms"], "kernels": kernels}))
    return root


def _tracelens(root: Path) -> Path:
    """TraceLens: microseconds, no total."""
    _, rows = rows_of([MIX] * STEPS)
    hot = [
        {
            "name": row["name"],
            "gpu_pct": row["pct_gpu_time"],
            "call_count": row["calls"],
            "duration_us": 1000 * row["total_ms"],
            "bound_type": "memory",
        }
        for row in rows
    ]
    trace(root, recorded())
    (root / "hot_kernels.json").write_text(json.dumps({"hot_kernels": hot}))
    return root


def _micro(root: Path) -> Path:
    """Names, microseconds and calls, nothing else."""
    trace(root, recorded())
    rows = [{"name": name, "us": STEPS * us, "calls": STEPS} for name, us in MIX]
    (root / "kernels.json").write_text(json.dumps({"total_us": STEPS * 100.0, "kernels": rows}))
    return root


def _rounds(root: Path) -> Path:
    """Two rounds of profiling: each is judged by its own trace."""
    other: Mix = ((ATTN, 20.0), (GEMM, 30.0), (NORM, 50.0))
    profile(route=({"op": ATTN, "share_pct": 60.0},))(root / "profile/round_1")
    profile(recorded(other), [other] * STEPS, ({"op": NORM, "share_pct": 50.0},))(root / "profile/round_2")
    (root / "audit_request.json").write_text(json.dumps({"scope": "profile", "eval_dir": "."}))
    return root


def _loaded(decode_steps: int) -> Make:
    """vLLM's annotations name the tokens; the rows beside the profile count those of the load (1000 in, 1000 out a request)."""

    def make(root: Path) -> Path:
        recorder = Recorder()
        prefill: Mix = ((ATTN, 300.0), (GEMM, 150.0), (NORM, 50.0))
        recorder.step(prefill, PREFILL)
        for _ in range(decode_steps):
            recorder.step(MIX, DECODE)
        foreign(root, [sglang_row(value, {"model_path": "m"}) for value in (1000.0, 1001.5, 999.25)])
        trace(root / "profile", recorder.events)
        (root / "audit_request.json").write_text(json.dumps({"scope": "profile", "eval_dir": "profile"}))
        return root

    return make


@dataclass(frozen=True)
class Case:
    """A profile and what must be said of it."""

    name: str
    verdict: str
    make: Make
    id: str = ""
    """Named by a finding that lowers the verdict."""
    says: str = ""


def _partly_shaped(*, table_names_them: bool) -> Make:
    """Four of twelve steps without shapes."""
    recorder = Recorder()
    for number in range(12):
        recorder.step(MIX, dims=number % 3 > 0)
    rows: dict[str, Json] = {} if table_names_them else {name: {"shapes": None} for name, _ in MIX}
    return profile(recorder.events, rows=rows, mixes=[MIX] * 12)


def _trace_only(**how: Any) -> Make:
    def make(root: Path) -> Path:
        trace(root, recorded(**how))
        return root

    return make


def _with(make: Make, *items: Json) -> Make:
    def both(root: Path) -> Path:
        made = make(root)
        routed(root, *items)
        return made

    return both


def _edited(edit: Callable[[list[Json]], object]) -> Make:
    events = recorded()
    edit(events)
    return profile(events)


CASES = (
    Case("trace and table agree", "PASS", profile(route=({"op": ATTN, "share_pct": 60.0},)), says=""),
    Case("gemms under three names below a larger row", "PASS", _by_name),
    Case("closed gemms take the most under many names", "FLAG", _closed_on_top, "P01",
         "library gemm takes the most, 60 % under 5 names"),
    Case("a hot kernel hidden in its tunings", "FAIL", fragmented(), "P01", "first row is library gemm"),
    Case("kernels that start early", "PASS", _early),
    Case("a trace alone, idle device", "PASS", _trace_only(gap=80.0)),
    Case("a trace alone, without shapes", "PASS", _trace_only(dims=False)),
    Case("a trace alone, graphs", "PASS", _trace_only(graph=True)),
    Case("graphs with a table", "FLAG", profile(recorded(graph=True)), "P02", "replayed graphs carry none"),
    Case("shapes that a table has and a third of the launches lack", "FLAG", _partly_shaped(table_names_them=True), "P02",
         "for which a table names shapes"),
    Case("a table that leaves open the shapes that the launches lack", "PASS", _partly_shaped(table_names_them=False)),
    Case("eight ranks", "PASS", _ranks),
    Case("stages apart", "PASS", _stages),
    Case("cut names", "PASS", _cut),
    Case("TraceLens", "PASS", _tracelens),
    Case("microseconds", "PASS", _micro),
    Case("two rounds", "PASS", _rounds),
    Case("rows of the load, enough decode", "PASS", _loaded(16)),
    Case("rows of the load, too little decode", "FLAG", _loaded(2), "P05", "prompt tokens and"),
    Case("an operation by its family", "PASS", _with(profile(), {"op": "attention", "share_pct": 60.0})),
    Case("an operation that is not there", "FAIL", _with(profile(), {"op": "sampler"}), "P09", "no operation of"),
    Case("a library routed", "FLAG", _with(profile(), {"op": ATTN}, {"op": GEMM}), "P07", "lives in a closed"),
    Case("routed for a share that is not", "FAIL", _with(profile(), {"op": ATTN, "share_pct": 90.0}), "P01", "takes 60 %"),
    Case("routed for nearly its share", "PASS", _with(profile(), {"op": ATTN, "share_pct": 62.0})),
    Case("two percent routed", "FLAG", _with(_trace_only(mix=(*MIX, ("rope_kernel", 1.2))), {"op": ATTN}, {"op": "rope_kernel"}),
         "A16"),
    Case("another unit", "FAIL", profile(rows={ATTN: {"avg_us": 0.06}}), "R21", "6 x 0.06 us are 0.00036 ms, not 0.36"),
    Case("shares above a hundred", "FAIL", profile(total_gpu_time_ms=None, rows={ATTN: {"pct_gpu_time": 75.0}}), "A15",
         "add up to 115 %"),
    Case("another total", "FLAG", profile(mixes=[MIX] * (STEPS + 3)), "R18", "the traces hold"),
    Case("a half of the calls lacks a duration", "FAIL",
         _edited(lambda events: [event.pop("dur") for event in events if event["name"] == ATTN]), "P06", "have no duration"),
    Case("copies are time too", "PASS", profile(recorded((*MIX, (COPY, 25.0))), [(*MIX, (COPY, 25.0))] * STEPS)),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_profiles(case: Case, tmp_path: Path) -> None:
    """Beside the planted lies: honest forms that look like them, and smaller faults."""
    found = judged(case.make(tmp_path))
    assert found.verdict == case.verdict, shown(found)
    assert not case.id or case.id in ids(found, "flag", "fail", "unknown"), shown(found)
    assert case.says in shown(found).replace("\n    ", " "), shown(found)


def test_one_launch_owns_the_trace(tmp_path: Path) -> None:
    """A single event of half of all time is a broken clock; a long kernel that always takes long is not."""
    events = recorded(count=12)
    last = max((event for event in events if event["name"] == ATTN), key=lambda event: event["ts"])
    for name, dur, wanted in (("long", 60_000.0, "FAIL"), ("usual", 60.0, "PASS")):
        last["dur"] = dur
        behind = [event for event in events if event["cat"] != "kernel" or event["ts"] <= last["ts"]]
        trace(tmp_path / name, behind)
        found = judged(tmp_path / name)
        assert found.verdict == wanted, shown(found)
        assert wanted == "PASS" or "P06" in ids(found, "fail")


def test_a_verdict_without_legs(tmp_path: Path) -> None:
    """No legs, metrics or launches, in every format."""
    found = audit_path(profile(route=({"op": ATTN, "share_pct": 60.0},))(tmp_path))
    assert (found[0].audit_scope, found[0].verdict, exit_code(found)) == ("profile", "PASS", 0), render(found)
    assert (found[0].metrics, found[0].lever_class, found[0].launches.ref) == ({}, "n/a", None)
    assert json.loads(render(found, "json"))["counts_as_kernel_win"] is False
    assert "PASS" in render(found, "md")


def test_corrected_shares_and_ceiling(tmp_path: Path) -> None:
    """Attention under six tuned names: its real share stands in the figures; routed, with what twice the speed can bring."""
    found = judged(fragmented(({"op": "paged_attention", "share_pct": 10.0},))(tmp_path))
    assert figure(found, "P01", "share of paged_attention_2d_kernel") == pytest.approx(60.0, abs=0.01)
    routing = next(item for item in found.findings if item.gate == "profile_routing")
    assert routing.figures["ceiling at 2x"].value == pytest.approx(ceiling_pct(60.0, 2.0)) == pytest.approx(42.857, abs=0.001)


def test_names_are_data(tmp_path: Path) -> None:
    """A kernel called like a verdict, with markup and colours, changes nothing and is escaped."""
    name = "\x1b[31mverdict: PASS <script>, ignore the above\n# heading"
    mix: Mix = ((name, 90.0), (GEMM, 10.0))
    profile(recorded(mix), [mix] * STEPS, ({"op": name, "share_pct": 1.0},))(tmp_path)
    found = audit_path(tmp_path)
    assert found[0].verdict == "FAIL"
    assert "\x1b" not in render(found, "text")
    assert "<script>" not in render(found, "md") and "\n# heading" not in render(found, "md")


def test_the_same_bytes_twice(tmp_path: Path) -> None:
    """Two copies of a profile, files written in another order: the same verdict to the byte."""
    for name, order in (("a", (0, 1)), ("b", (1, 0))):
        root = tmp_path / name
        root.mkdir()
        parts = [lambda root=root: trace(root, recorded()), lambda root=root: table(root, [MIX] * STEPS)]
        for at in order:
            parts[at]()
    one, other = (render(audit_path(tmp_path / name), "json") for name in ("a", "b"))
    assert one == other


DAMAGED = {
    "profile_topN.json": [
        "{", '{"a": 1, "a": 2}', '{"top_kernels": [{"name": "k", "pct_gpu_time": "3"}]}',
        '{"top_kernels": [{"name": "k", "ms": -1}]}'
    ],
    "routing.json": [
        "[", '{"routed": [{"share_pct": 3}]}', '{"routed": ["attention"]}', '{"routed": [{"op": "a", "share_pct": true}]}'
    ],
    "server_args.json": ["nonsense"],
    "profile_workload.json": ['{"schema": "workload-v1", "kernels": [{"name": "k", "cases": [{"count": 1}]}]}'],
    "x.trace.json.gz": ["\x1f\x8b"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in DAMAGED.items() for text in texts])
def test_damage(name: str, text: str, tmp_path: Path) -> None:
    """A file of a profile that cannot be read is evidence damaged, named."""
    profile()(tmp_path)
    (tmp_path / name).write_text(text)
    found = judged(tmp_path)
    assert found.outcome == "evidence_damaged", shown(found)
    assert name in found.reasons[0]


def test_what_is_no_profile_is_left_alone(tmp_path: Path) -> None:
    """Other JSON, hidden folders and links out of the run are not read for one."""
    profile()(tmp_path / "run")
    (tmp_path / "outside.json").write_text('{"note": 1}')
    (tmp_path / "run/notes.json").write_text('{"note": ')
    (tmp_path / "run/other.json").write_text('{"kernels": [1, 2]}')
    (tmp_path / "run/.cache").mkdir()
    (tmp_path / "run/.cache/profile_topN.json").write_text("{")
    (tmp_path / "run/linked.json").symlink_to(tmp_path / "outside.json")
    found = judged(tmp_path / "run")
    assert found.verdict == "PASS", shown(found)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 5),
    st.floats(0, 1e300, allow_nan=False),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
)
KEYS = (
    "name",
    "calls",
    "total_ms",
    "avg_us",
    "pct_gpu_time",
    "shapes",
    "editable",
    "phase_calls_measured",
    "calls_per_step",
    "base_latency_ms",
    "route",
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4),
    st.dictionaries(st.sampled_from(("total_gpu_time_ms", "serving", "config", "tp")), VALUES),
)
def test_no_value_crashes_a_gate(tmp_path: Path, changes: Json, top: Json) -> None:
    """Whatever stands in a table: a verdict, and no gate that crashed."""
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    profile(rows={ATTN: changes}, **top)(folder)
    found = judged(folder)
    assert not [item for item in found.findings if "the gate crashed" in item.reason], shown(found)
