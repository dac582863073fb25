"""Sealed launches read back for a report. What cannot be read is said to be unreadable: a report never stops at damage."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from workflow.figures import LegFigures
from workflow.ledger import Ledger

UNREADABLE = "unreadable"
NO_SETTINGS = ("port", "*_port", "pid", "*_pid")
"""Keys of ``effective`` that are new with every start of a server, and no setting of it."""
FIRST = ("aa", "ref", "cand", "off")
"""Legs in the order in which they are shown; ``only_<part>`` and ``without_<part>`` follow by name."""


class Launch(NamedTuple):
    """One sealed launch: output tokens per second of each timed repeat, none where its rows cannot be read."""

    launch_id: str
    status: str
    tok_s: tuple[float, ...]


def launches(run_dir: Path, ledger: Ledger, folder: str) -> list[Launch]:
    """Every sealed launch that lies directly in ``folder`` (relative to the run), by name."""
    ids = sorted(str(entry.body.get("launch_id", "")) for entry in ledger.of_kind("sealed"))
    return [_launch(run_dir, name) for name in ids if name.rpartition("/")[0] == folder]


def figures(run_dir: Path, ledger: Ledger, folder: str) -> LegFigures:
    """As ``workflow.figures.leg_figures``, with an unreadable launch counted as one that has no rows."""
    found = launches(run_dir, ledger, folder)
    return LegFigures(
        values=tuple(value for item in found for value in item.tok_s),
        launch_medians=tuple(statistics.median(item.tok_s) for item in found if item.tok_s),
        launches=len(found),
        failed=sum(item.status == "failed" for item in found),
    )


def legs(run_dir: Path, ledger: Ledger, folder: str) -> list[dict[str, Any]]:
    """The legs below ``folder`` that hold sealed launches, in a fixed order; an A/A set is one leg named ``aa``."""
    inside = f"{folder}/"
    below = {name for name in _parents(ledger) if name == folder or name.startswith(inside)}
    names = {"" if name == folder else name.removeprefix(inside) for name in below}
    return [
        {"name": name or "aa", "launches": [_plain(item) for item in launches(run_dir, ledger, f"{folder}/{name}".rstrip("/"))]}
        for name in sorted(names, key=_place)
        if "/" not in name
    ]


def config_diff(run_dir: Path, ledger: Ledger, folder: str) -> list[dict[str, Any]] | None:
    """Settings in force that differ between ref and cand, by key; null stands for a key that is not there.

    Read from the first complete launch of each leg; None where a leg has no such launch.
    """
    ref, cand = (_settings(server(run_dir, ledger, f"{folder}/{leg}")) for leg in ("ref", "cand"))
    if ref is None or cand is None:
        return None
    keys = [key for key in sorted({*ref, *cand}) if not any(fnmatchcase(key.lower(), mark) for mark in NO_SETTINGS)]
    return [{"key": key, "ref": ref.get(key), "cand": cand.get(key)} for key in keys if _differ(ref.get(key), cand.get(key))]


def server(run_dir: Path, ledger: Ledger, folder: str) -> dict[str, Any] | None:
    """server.json of the first complete launch in ``folder``; None where there is none that can be read."""
    for item in launches(run_dir, ledger, folder):
        found = _json(run_dir / item.launch_id / "server.json")
        if found is not None and found.get("status") == "complete":
            return found
    return None


def sandboxes(run_dir: Path, ledger: Ledger) -> dict[str, int]:
    """How many sealed launches ran in which kind of sandbox; ``unknown`` where a launch does not say."""
    kinds = []
    for entry in ledger.of_kind("sealed"):
        said = (_json(run_dir / str(entry.body.get("launch_id", "")) / "server.json") or {}).get("sandbox")
        kind = said.get("kind") if isinstance(said, dict) else None
        kinds.append(kind if isinstance(kind, str) else "unknown")
    return dict(sorted(Counter(kinds).items()))


def finite(value: object) -> float | None:
    """A number that is one; None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None


def _launch(run_dir: Path, name: str) -> Launch:
    found = _json(run_dir / name / "server.json")
    rates = _rates(run_dir / name / "bench_runs.jsonl")
    if found is None or rates is None:
        return Launch(name, UNREADABLE, ())
    return Launch(name, str(found.get("status", UNREADABLE)), rates)


def _rates(path: Path) -> tuple[float, ...] | None:
    try:
        rows = [finite(json.loads(line)["output_throughput"]) for line in path.read_bytes().splitlines()]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    rates = tuple(value for value in rows if value is not None and value >= 0)
    return rates if len(rates) == len(rows) else None


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _settings(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    values = (found or {}).get("effective")
    if not isinstance(values, dict):
        return None
    return {str(key): value if _is_scalar(value) else json.dumps(value, sort_keys=True) for key, value in values.items()}


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | bool | int) or finite(value) is not None


def _differ(one: object, other: object) -> bool:
    """1 and true are two settings, 1 and 1.0 are one."""
    return isinstance(one, bool) != isinstance(other, bool) or one != other


def _parents(ledger: Ledger) -> set[str]:
    return {str(entry.body.get("launch_id", "")).rpartition("/")[0] for entry in ledger.of_kind("sealed")}


def _place(name: str) -> tuple[int, str]:
    return (FIRST.index(name) if name in FIRST else len(FIRST), name)


def _plain(item: Launch) -> dict[str, Any]:
    return {"launch_id": item.launch_id, "status": item.status, "tok_s": list(item.tok_s)}
