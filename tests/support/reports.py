"""Reports of campaigns for tests: of a run directory, with nothing in them, with hostile text wherever text stands."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, cast

from proof.report import words as proof_words
from tests.support.pages import HOSTILE
from workflow.campaign import read_campaign, stored_config
from workflow.ledger import Ledger
from workflow.report import Run, stopped_because

Json = dict[str, Any]


def run_of(run_dir: Path) -> Run:
    """A run directory as its report takes it."""
    record = read_campaign(run_dir)
    config = stored_config(run_dir, record)
    ledger = Ledger(run_dir / "ledger.jsonl", lambda: 0.0, read_only=True)
    return Run(run_dir, str(record["campaign_id"]), config, ledger, stopped_because(config, ledger))


def profiles() -> list[Json]:
    """Two profiles; an operation that only one of them has, one without a share, one without calls."""

    def op(name: str, share: float | None, calls: int | None = 12) -> Json:
        return {
            "op": name, "share_pct": share, "ceiling_pct": None if share is None else share / 2, "calls": calls,
            "shapes": "[8, 64] x [64, 64]", "module": "layers.mlp", "routed": bool(calls), "reason": "largest of all",
        }  # fmt: skip

    before = [op("aten::mm", 40.0), op("aten::softmax", 12.5), op("aten::copy_", None, None)]
    after = [op("aten::mm", 21.0), op("fused::mm", 9.0), op("aten::softmax", 14.0)]
    return [
        {"dir": "profile/first", "after": "", "ops": before, "notes": ["one thread"]},
        {"dir": "profile/second", "after": "c01-continuous-batching", "ops": after, "notes": []},
    ]


def hostile(facts: Json) -> Json:
    """The facts with foreign text in every text and in every key that is not ours, cleaned as ``build`` cleans."""

    def soil(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: soil(item) for name, item in value.items()}
        if isinstance(value, list):
            return [soil(item) for item in value]
        return value + HOSTILE if isinstance(value, str) else value

    found = soil(facts)
    for item in found["candidates"]:
        item["flags"][HOSTILE] = HOSTILE
    found["sandboxes"][HOSTILE] = 2
    return cast("Json", proof_words.clean(found))


def nothing(facts: Json) -> Json:
    """The facts of a campaign without an auditor that was stopped before it measured anything."""
    empty: Json = {
        "candidates": [], "banked": [], "baseline": [], "set_aside": [], "timeline": [], "profiles": [], "audited": False,
        "stopped": "", "stopped_because": "it is still under way", "partial": False, "sandboxes": {},
        "final": {"measured": False, "skipped_because": "it is still under way"},
    }  # fmt: skip
    return copy.deepcopy(facts) | empty


def without_figures(facts: Json) -> Json:
    """The facts with null for every figure that may be missing, and no row of any launch."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: strip(item) for name, item in value.items()}
        if isinstance(value, list):
            return [] if value and isinstance(value[0], float) else [strip(item) for item in value]
        return None if isinstance(value, float) else value

    kept = ("error_budget", "workload", "noise_band_pct")
    return {**strip(facts), **{name: facts[name] for name in kept}}
