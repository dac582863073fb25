"""What a profile sends where: operations to the kernel track, levers to the sweep, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from workflow.profiling.table import OUTSIDE, Row, Table
from workflow.serving import Lever

MIN_SHARE_PCT = 2.0
"""An operation below this share is not worth a look of the error budget: it could bring 2 % if it took no time at all."""


class Route(NamedTuple):
    """Operations that are worked on and those that are not, and why; reasons for levers by name."""

    routed: tuple[dict[str, Any], ...]
    left: tuple[dict[str, Any], ...]
    levers: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """For the ledger."""
        return {"routed": list(self.routed), "left": list(self.left), "levers": self.levers}


def route(table: Table, shares: Mapping[str, float], catalogue: Iterable[str] | None, levers: Sequence[Lever]) -> Route:
    """Send every operation of a profile somewhere.

    ``shares``: corrected shares by operation, percent, where somebody corrected them. ``catalogue``: operations that have
    an overlay; None where somebody writes overlays for any.
    """
    known = None if catalogue is None else set(catalogue)
    routed: list[dict[str, Any]] = []
    left: list[dict[str, Any]] = []
    for row in table.modules:
        share = shares.get(row.name, row.share_pct)
        item = {"op": row.name, "share_pct": share, "ceiling_pct": row._replace(share_pct=share).ceiling_pct}
        if row.name == OUTSIDE:
            left.append({**item, "reason": "no operation of the model: scheduling, sampling and copies around it"})
        elif share < MIN_SHARE_PCT:
            left.append({**item, "reason": f"below {MIN_SHARE_PCT:g} % of the time"})
        elif known is not None and row.name not in known:
            left.append({**item, "reason": "the catalogue holds no overlay for it"})
        else:
            routed.append({**item, "reason": f"{row.calls} calls, most time in {', '.join(row.modules[:2])}"})
    largest = sorted(routed, key=lambda item: (-item["share_pct"], item["op"]))
    return Route(tuple(largest), tuple(left), {item.name: _why(item, table) for item in levers})


def _why(lever: Lever, table: Table) -> str:
    """What the profile says for or against a lever."""
    prefill, decode = table.steps["prefill"], table.steps["decode"]
    total = sum(row.us for row in table.ops) or 1.0
    attention = 100 * sum(row.us for row in table.ops if "attention" in row.name or "softmax" in row.name) / total
    products = 100 * sum(row.us for row in table.ops if _product(row)) / total
    said = {
        "batching": f"{decode} decode and {prefill} prefill passes for the profiled prompts",
        "attention": f"attention operators take {attention:.1f} % of the time in operations",
        "weights": f"matrix products take {products:.1f} % of the time in operations",
        "whole": f"{sum(row.calls for row in table.ops) / max(prefill + decode, 1):.0f} operators a pass to be fused",
    }
    return said[lever.aims]


def _product(row: Row) -> bool:
    return row.name in ("aten::addmm", "aten::mm", "aten::bmm", "aten::linear", "aten::matmul", "aten::baddbmm")
