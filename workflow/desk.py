"""What a campaign lays on its producers' desks: what they may read, and whether a proposal may be made."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents import Desk, Proposal
from workflow.errors import ConfigError
from workflow.serving import overlay
from workflow.tables import newest_table

if TYPE_CHECKING:
    from agents import Tool
    from workflow.context import Context
    from workflow.history import Tried
    from workflow.serving import Engine

TOP = 12
HIDDEN = ("seed", "prompt_seed", "order", "prev", "digest", "seal_sha256", "request_sha256", "verdict_sha256")
"""Keys of the ledger that no producer sees: seeds and orders are drawn so that nobody can play to them."""
SHOWN = ("profile", "route", "isolated", "proposal", "refusal", "verdict", "bank", "drop")
JUDGED = ("verdict", "action", "outcome", "lever_class", "effect", "reasons", "next_steps", "flags")
MOST_SOURCE = 4 * 1024 * 1024


def desk(ctx: Context, story: Sequence[Tried], check: Callable[[Proposal], None] | None = None) -> Desk:
    """Tools over this campaign, and its check as words; without a check nothing may be proposed."""

    def refuse(proposal: Proposal) -> str | None:
        if check is None:
            return "Nothing can be proposed here."
        try:
            check(proposal)
        except ConfigError as error:
            return f"{error} {error.next_step}"
        return None

    return Desk(tools(ctx, story), refuse)


def tools(ctx: Context, story: Sequence[Tried]) -> Mapping[str, Tool]:
    """What a producer may look at, by name: its own campaign, and the source of what it may replace."""
    judged = {item.short_name: item for item in story}

    def verdict(name: str) -> str:
        found = judged[name].judged or {}
        return json.dumps({key: found.get(key) for key in JUDGED}, indent=1)

    def ledger(_: str) -> str:
        shown = [item for item in reversed(ctx.ledger.entries) if item.kind in SHOWN]  # what is cut is the oldest
        return "\n".join(json.dumps({"kind": item.kind, **_plain(item.body)}) for item in shown)

    def profile(_: str) -> str:
        table = newest_table(ctx)
        if table is None:
            raise LookupError
        rows = [
            {"op": row.name, "share_pct": round(row.share_pct, 2), "calls": row.calls}
            for row in (*table.modules[:TOP], *table.ops[:TOP])
        ]
        return json.dumps({"steps": table.steps, "modules_then_operators": rows}, indent=1)

    def mine(name: str) -> str:
        found = judged[name]
        claim = json.loads((ctx.run_dir / "config" / found.short_name / "proposal.json").read_bytes())
        return json.dumps({key: claim.get(key) for key in ("lever", "what", "why", "authored")}, indent=1)

    return {
        "ledger": ledger,
        "mine": mine,
        "profile": profile,
        "target": lambda name: source(ctx.engine, name),
        "verdict": verdict,
    }


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in HIDDEN}


def source(engine: Engine, target: str) -> str:
    """Source of a function or class (``module:attr``) that an overlay may replace; nothing is imported.

    Raises LookupError for anything else.
    """
    if not overlay.TARGET.fullmatch(target) or not target.startswith(engine.overlay_roots):
        raise LookupError(target)
    module, _, path = target.partition(":")
    package, *below = module.split(".")
    home = importlib.util.find_spec(package)
    if home is None or home.origin is None:
        raise LookupError(target)
    file = Path(home.origin).parent.joinpath(*below).with_suffix(".py")
    if not file.is_file() or file.stat().st_size > MOST_SOURCE:
        raise LookupError(target)
    text = file.read_text(encoding="utf-8")
    node: ast.AST = ast.parse(text)
    for name in path.split("."):
        inside = (
            item for item in ast.iter_child_nodes(node) if isinstance(item, ast.ClassDef | ast.FunctionDef) and item.name == name
        )
        node = next(inside, ast.Pass())
    found = ast.get_source_segment(text, node)
    if found is None:
        raise LookupError(target)
    return found
