"""The campaign's profiles for its report: what each was of, where the time went, what was routed and why."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from workflow.ledger import Entry, Ledger
from workflow.profiling.run import TABLE

SHOWN = 12


def profiles(run_dir: Path, ledger: Ledger) -> list[dict[str, Any]]:
    """Every profile, oldest first; one that failed has no operations and says so in its notes."""
    found, banked = [], None
    for entry in ledger.entries:
        if entry.kind == "bank":
            banked = str(entry.body["short_name"])
        elif entry.kind == "profile":
            found.append(_one(run_dir, ledger, entry, banked))
    return found


def _one(run_dir: Path, ledger: Ledger, entry: Entry, after: str | None) -> dict[str, Any]:
    name, number = str(entry.body["dir"]), entry.key.rpartition("/")[2]
    if entry.body["error"] is not None:
        return {"dir": name, "after": after, "ops": [], "notes": [f"There is no profile: {entry.body['error']}"]}
    try:
        table = json.loads((run_dir / name / TABLE).read_bytes())
        route = ledger.get(f"route/{number}")
        reasons = {item["op"]: (kind == "routed", item["reason"]) for kind in ("routed", "left") for item in _list(route, kind)}
        ops = [_op(row, *reasons.get(row["name"], (False, ""))) for row in table["modules"][:SHOWN]]
        return {"dir": name, "after": after, "ops": ops, "notes": _notes(table, route)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        return {"dir": name, "after": after, "ops": [], "notes": [f"Its table cannot be read ({type(error).__name__})."]}


def _list(route: Entry | None, kind: str) -> list[dict[str, Any]]:
    return list(route.body[kind]) if route is not None else []


def _op(row: dict[str, Any], routed: bool, reason: str) -> dict[str, Any]:
    return {
        "op": str(row["name"]),
        "share_pct": float(row["pct"]),
        "ceiling_pct": float(row["ceiling_pct"]),
        "calls": int(row["calls"]),
        "shapes": [str(shape) for shape in row["shapes"]],
        "module": ", ".join(str(item) for item in row["modules"]),
        "routed": routed,
        "reason": reason,
    }


def _notes(table: dict[str, Any], route: Entry | None) -> list[str]:
    """Latencies without the profiler, forward passes, and whose shares the route went by."""
    notes = []
    for phase in ("prefill", "decode"):
        values = table["unprofiled_ms"][phase]
        if values:
            notes.append(
                f"{phase}: {len(values)} forward passes, median {statistics.median(values):.2f} ms without the profiler."
            )
    if route is not None and route.body["because"]:
        notes.append(f"Nothing was routed: {route.body['because']}.")
    elif route is not None:
        notes.append(f"Routed by {'the auditor' if route.body.get('corrected') else 'the profile'}'s shares.")
    return notes
