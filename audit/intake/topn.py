"""Top-N tables made from profiles, and the lists of what was routed on their word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from audit.errors import DamageError

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a table; None where the tool does not say. Times in ms and us, shares in percent."""

    name: str
    pct: float | None
    ms: float | None
    calls: float | None
    avg_us: float | None
    editable: bool | None
    shaped: bool
    phase: str | None
    kind: str | None
    """The tool's own classification."""


@dataclass(frozen=True, slots=True)
class Table:
    """One Top-N table."""

    file: str
    total_ms: float | None
    entries: tuple[Entry, ...]
    serving: tuple[tuple[str, float], ...]
    """Numbers of the ``serving`` block."""
    config: tuple[tuple[str, str], ...]
    """Settings that the table says it was profiled under."""
    world: int
    """Tensor-parallel size that the table states, else 1."""


@dataclass(frozen=True, slots=True)
class Routed:
    """One operation that somebody chose to work on; ``share_pct`` is the share it was chosen for."""

    file: str
    op: str
    share_pct: float | None


def number(value: Any, what: str) -> float | None:  # noqa: ANN401 - any JSON value
    """A number >= 0 or None. Raises DamageError on anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise DamageError(f"{what} is {str(value)[:40]!r}, not a number that can be", ids=("P06",))
    return float(value)


def is_table(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """True for one of the field's table shapes."""
    if not isinstance(value, dict):
        return False
    rows = value.get("top_kernels") or value.get("hot_kernels") or value.get("kernels")
    return isinstance(rows, list) and bool(rows) and isinstance(rows[0], dict) and "name" in {_renamed(key) for key in rows[0]}


def _renamed(key: str) -> str:
    return {"kernel": "name"}.get(key, key)


def table(value: Json, file: str) -> Table:
    """A table of any of the shapes. Raises DamageError naming what is no number."""
    rows = value.get("top_kernels") or value.get("hot_kernels") or value.get("kernels") or []
    total = number(value.get("total_gpu_time_ms", value.get("total_gpu_ms")), "total_gpu_time_ms")
    if total is None and value.get("total_us") is not None:
        total = (number(value["total_us"], "total_us") or 0.0) / 1000
    serving: Json = _object(value.get("serving"))
    config: Json = next((value[key] for key in ("config", "server_info", "flags") if isinstance(value.get(key), dict)), {})
    return Table(
        file=file,
        total_ms=total,
        entries=tuple(_entry(row, index) for index, row in enumerate(rows) if isinstance(row, dict)),
        serving=tuple(
            sorted((k, float(v)) for k, v in serving.items() if isinstance(v, int | float) and not isinstance(v, bool))
        ),
        config=tuple(sorted((k, str(v)) for k, v in config.items() if isinstance(v, str | int | float | bool))),
        world=int(number(value.get("tp", config.get("tp_size")), "tp") or 1),
    )


def _object(value: Any) -> Json:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, dict) else {}


def _entry(row: Json, index: int) -> Entry:
    where = f"row {index}"
    ms = number(row.get("total_ms", row.get("ms")), f"{where}: total_ms")
    us = number(row.get("us", row.get("duration_us")), f"{where}: us")
    shapes = row.get("shapes", row.get("dims"))
    editable, phase, kind = row.get("editable"), row.get("phase"), row.get("classification", row.get("cat"))
    return Entry(
        name=str(row.get("name", row.get("kernel", ""))),
        pct=number(row.get("pct_gpu_time", row.get("pct", row.get("gpu_pct"))), f"{where}: pct"),
        ms=ms if ms is not None else (us / 1000 if us is not None else None),
        calls=number(row.get("calls", row.get("call_count")), f"{where}: calls"),
        avg_us=number(row.get("avg_us", row.get("us_per_call")), f"{where}: avg_us"),
        editable=editable if isinstance(editable, bool) else None,
        shaped=isinstance(shapes, list) and any(bool(item) for item in shapes),
        phase=phase if isinstance(phase, str) else None,
        kind=kind if isinstance(kind, str) else None,
    )


def routed(value: Json, file: str) -> tuple[Routed, ...]:
    """The routed list ``{"routed": [{"op", "share_pct"}]}``."""
    items = value.get("routed")
    if not isinstance(items, list):
        return ()
    return tuple(
        Routed(file, str(item["op"]), number(item.get("share_pct"), "share_pct"))
        for item in items
        if isinstance(item, dict) and "op" in item
    )
