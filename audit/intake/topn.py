"""Top-N tables and workload models made from profiles, and the lists of what was routed on their word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from audit.contract import Source
from audit.errors import DamageError
from audit.policy import Profiling

Json = dict[str, Any]
ROWS = ("top_kernels", "hot_kernels", "kernels")
WORKLOAD = "workload-v1"
_PHASES = ("prefill", "decode")
_MOST_DECIMALS = 12


class PhaseCalls(NamedTuple):
    """What a table says of one kernel in one phase; time in ms a launch."""

    phase: str
    calls: float
    per_step: float | None
    ms: float


class Entry(NamedTuple):
    """One row of a table; None where the tool does not say. Times in ms and us, shares in percent."""

    name: str
    pct: float | None
    ms: float | None
    calls: float | None
    avg_us: float | None
    editable: bool | None
    shaped: bool
    phases: tuple[PhaseCalls, ...]
    routed: bool


class Serving(NamedTuple):
    """GEAK's ``serving`` block: steps seen, decode batch captured and steady, forward passes that the load needs."""

    steps: dict[str, float]
    captured: float | None
    steady: float | None
    analytic: dict[str, float]


class Halves(NamedTuple):
    """Half of the last digit that a column is written with."""

    pct: float
    ms: float
    avg_us: float
    per_step: float
    total: float


@dataclass(frozen=True, slots=True)
class Table:
    """One Top-N table."""

    source: Source
    total_ms: float | None
    entries: tuple[Entry, ...]
    serving: Serving
    config: Json
    """Settings that the table says it was profiled under."""
    world: int | None
    halves: Halves
    modules: tuple[Entry, ...] = ()
    """Rows about modules of the model, where the tool writes them."""

    def pct(self, entry: Entry) -> float | None:
        """A row's share, percent: as written, else from its time and the total."""
        if entry.pct is not None or entry.ms is None or not self.total_ms:
            return entry.pct
        return 100 * entry.ms / self.total_ms


class Case(NamedTuple):
    """One shape of one kernel in a workload model: launches, ms a launch, us in all, share of the kernel."""

    calls: float
    ms: float
    weight_us: float
    norm: float | None


class Weighed(NamedTuple):
    """One kernel of a workload model."""

    name: str
    calls: float | None
    ms: float | None
    cases: tuple[Case, ...]


class CaseHalves(NamedTuple):
    """Half of the last digit of the columns of a workload model."""

    ms: float
    weight_us: float
    norm: float
    total_ms: float


class Workload(NamedTuple):
    """GEAK's ``workload-v1``."""

    source: Source
    kernels: tuple[Weighed, ...]
    halves: CaseHalves


class Routed(NamedTuple):
    """One operation that somebody chose to work on, for which share, and what is promised of it."""

    source: Source
    op: str
    share_pct: float | None = None
    speedup: float | None = None
    gain_pct: float | None = None


def number(value: Any, what: str) -> float | None:  # noqa: ANN401 - any JSON value
    """A number >= 0 or None. Raises DamageError on anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise DamageError(f"{what} is {str(value)[:40]!r}, not a number that can be")
    return float(value)


def _rows(value: Any) -> list[Json]:  # noqa: ANN401 - any JSON value
    if not isinstance(value, dict):
        return []
    rows: list[Any] = next((value[key] for key in ROWS if isinstance(value.get(key), list)), [])
    return rows if rows and all(isinstance(row, dict) and _name(row) is not None for row in rows) else []


def _name(row: Json) -> str | None:
    found = row.get("name", row.get("kernel"))
    return found if isinstance(found, str) and found else None


def is_table(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """True for one of the field's table shapes: rows with a name and a time or a share."""
    rows = _rows(value)
    keys = {"pct_gpu_time", "pct", "gpu_pct", "total_ms", "ms", "us", "duration_us"}
    return bool(rows) and not is_workload(value) and all(keys & row.keys() for row in rows)


def is_workload(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """True for a workload model."""
    return isinstance(value, dict) and value.get("schema") == WORKLOAD and isinstance(value.get("kernels"), list)


def table(value: Json, source: Source, rules: Profiling) -> Table:
    """A table of any of the shapes. Raises DamageError naming what is no number."""
    total = number(value.get("total_gpu_time_ms", value.get("total_gpu_ms")), "total_gpu_time_ms")
    if total is None and (us := number(value.get("total_us"), "total_us")) is not None:
        total = us / 1000
    rows = _rows(value)
    config: Json = next((value[key] for key in rules.config_keys if isinstance(value.get(key), dict)), {})
    world = number(value.get("tp", config.get("tp_size", config.get("tensor_parallel_size"))), "tp")
    modules = value.get("modules")
    named = [row for row in modules if isinstance(row, dict) and _name(row) is not None] if isinstance(modules, list) else []
    return Table(
        modules=tuple(_entry(row, f"module row {at}") for at, row in enumerate(named, start=1)),
        source=source,
        total_ms=total,
        entries=tuple(_entry(row, f"row {at}") for at, row in enumerate(rows, start=1)),
        serving=_serving(value.get("serving")),
        config=config,
        world=None if world is None else int(world),
        halves=Halves(
            _half(rows, "pct_gpu_time", "pct", "gpu_pct"), _half(rows, "total_ms", "ms"), _half(rows, "avg_us", "us_per_call"),
            _half([row["calls_per_step"] for row in rows if isinstance(row.get("calls_per_step"), dict)], *_PHASES),
            _half([value], "total_gpu_time_ms", "total_gpu_ms"),
        ),
    )  # fmt: skip


def _half(rows: list[Json], *keys: str) -> float:
    """Half of the last decimal that any value under these keys is written with; whole numbers count as whole."""
    found = 0
    for row in rows:
        for key in keys:
            if isinstance(value := row.get(key), float):
                text = f"{value:.{_MOST_DECIMALS}f}".rstrip("0")
                found = max(found, len(text.partition(".")[2]))
    return 0.5 * 10.0**-found


def _entry(row: Json, where: str) -> Entry:
    ms = number(row.get("total_ms", row.get("ms")), f"{where}: total_ms")
    us = number(row.get("us", row.get("duration_us")), f"{where}: us")
    shapes, editable = row.get("shapes", row.get("dims")), row.get("editable")
    return Entry(
        name=_name(row) or "",
        pct=number(row.get("pct_gpu_time", row.get("pct", row.get("gpu_pct"))), f"{where}: pct"),
        ms=ms if ms is not None else (us / 1000 if us is not None else None),
        calls=number(row.get("calls", row.get("call_count")), f"{where}: calls"),
        avg_us=number(row.get("avg_us", row.get("us_per_call")), f"{where}: avg_us"),
        editable=editable if isinstance(editable, bool) else None,
        shaped=isinstance(shapes, list) and any(bool(item) for item in shapes),
        phases=_phases(row, where),
        routed=row.get("route") is True or row.get("routed") is True,
    )


def _phases(row: Json, where: str) -> tuple[PhaseCalls, ...]:
    calls, steps, times = (
        _by_phase(row.get(key), where) for key in ("phase_calls_measured", "calls_per_step", "base_latency_ms")
    )
    return tuple(
        PhaseCalls(name, calls[name], steps.get(name), times[name]) for name in _PHASES if name in calls and name in times
    )


def _by_phase(value: Any, where: str) -> dict[str, float]:  # noqa: ANN401 - any JSON value
    if not isinstance(value, dict):
        return {}
    found = {name: number(value.get(name), f"{where}: {name}") for name in _PHASES}
    return {name: item for name, item in found.items() if item is not None}


def _serving(value: Any) -> Serving:  # noqa: ANN401 - any JSON value
    block: Json = value if isinstance(value, dict) else {}
    counted = {name: number(block.get(f"n_{name}_steps"), f"serving: n_{name}_steps") for name in _PHASES}
    return Serving(
        steps={name: item for name, item in counted.items() if item is not None},
        captured=number(block.get("decode_batch_captured"), "serving: decode_batch_captured"),
        steady=number(block.get("decode_batch_steady"), "serving: decode_batch_steady"),
        analytic=_by_phase(block.get("analytic_calls"), "serving: analytic_calls"),
    )


def workload(value: Json, source: Source) -> Workload:
    """A workload model. Raises DamageError naming what is no number."""
    found = []
    written: list[Json] = []
    for at, item in enumerate(value["kernels"], start=1):
        if not isinstance(item, dict):
            raise DamageError(f"kernel {at} is no object")
        cases, where = item.get("cases"), f"kernel {at}"
        cases = [case for case in cases if isinstance(case, dict)] if isinstance(cases, list) else []
        written += cases
        found.append(
            Weighed(
                name=_name(item) or "",
                calls=number(item.get("calls"), f"{where}: calls"),
                ms=number(item.get("total_ms"), f"{where}: total_ms"),
                cases=tuple(_case(case, where) for case in cases),
            )
        )
    ms, weight, norm = (_half(written, key) for key in ("baseline_latency_ms", "weight", "weight_norm"))
    return Workload(source, tuple(found), CaseHalves(ms, weight, norm, _half(value["kernels"], "total_ms")))


def _case(case: Json, where: str) -> Case:
    calls, ms, weight = (number(case.get(key), f"{where}: {key}") for key in ("count", "baseline_latency_ms", "weight"))
    if calls is None or ms is None or weight is None:
        raise DamageError(f"{where}: a case without count, baseline_latency_ms or weight")
    return Case(calls, ms, weight, number(case.get("weight_norm"), f"{where}: weight_norm"))


def routed(value: Json, source: Source) -> tuple[Routed, ...]:
    """The items under ``routed`` (docs/profiles.md). Raises DamageError on an item without ``op``."""
    found = []
    for at, item in enumerate(value.get("routed") or [], start=1):
        if not isinstance(item, dict) or not isinstance(item.get("op"), str) or not item["op"]:
            raise DamageError(f"routed item {at} names no 'op'")
        told = [number(item.get(key), f"routed item {at}: {key}") for key in ("share_pct", "speedup", "gain_pct")]
        found.append(Routed(source, item["op"], *told))
    return tuple(found)
