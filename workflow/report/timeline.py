"""The ledger as a story: one sentence for each line that a reader cares about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from workflow.ledger import Entry, Ledger
from workflow.report.evidence import finite

LEFT_OUT = ("pair", "request", "finished")
"""Prompt seeds and commissions say nothing to a reader; the last line comes after the report."""


def timeline(ledger: Ledger) -> list[dict[str, Any]]:
    """``{at_unix, kind, words}`` of every line but those left out, oldest first."""
    return [
        {"at_unix": finite(entry.at_unix), "kind": entry.kind, "words": _words(entry)}
        for entry in ledger.entries
        if entry.kind not in LEFT_OUT
    ]


def _words(entry: Entry) -> str:
    body = {key: "n/a" if value is None else value for key, value in entry.body.items()}
    name = body.get("short_name", body.get("launch_id", body.get("dir", entry.key)))
    match entry.kind:
        case "campaign_created":
            return f"created {'with an auditor' if body.get('use_auditor') is True else 'without an auditor'}"
        case "plan":
            order = body.get("order")
            count = len(order) if isinstance(order, list) else 0
            return f"{name}: {count} launches planned ({_order(order)}), {body.get('repeats', 'n/a')} timed repeats each"
        case "profile":
            return f"{name} profiled" if body.get("error") == "n/a" else f"{name} not profiled: {body.get('error', 'n/a')}"
        case "route":
            return f"routed after {body.get('profile', 'n/a')}: {_routed(entry.body)}"
        case "isolated":
            return f"{name} by itself: {_alone(entry.body)}"
        case "proposal":
            return f"{name} proposed: {body.get('why', '')}"
        case "sealed":
            return f"{name} sealed ({body.get('status', 'n/a')})"
        case "set_aside":
            return f"{name} set aside: other processes used {body.get('foreign_cores', 'n/a')} cores"
        case "verdict":
            return (
                f"{name} judged: {body.get('verdict', 'n/a')} ({body.get('outcome', 'n/a')}), action {body.get('action', 'n/a')}"
            )
        case "bank":
            return f"{name} banked" + (
                ", UNAUDITED" if body.get("audited") is not True else ", UNSIGNED" if body.get("unsigned") else ""
            )
        case "drop":
            return f"{name} dropped: {body.get('reason', 'n/a')}"
        case _:
            return f"{entry.kind}: {body.get('said', name)}"


def _routed(body: Mapping[str, Any]) -> str:
    items = body.get("routed")
    said = [
        f"{item.get('op')} ({finite(item.get('share_pct')) or 0.0:.1f} %)"
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict)
    ]
    return ", ".join(said) or f"nothing to the kernel track{': ' + str(body['because']) if body.get('because') else ''}"


def _alone(body: Mapping[str, Any]) -> str:
    speedup = finite(body.get("speedup"))
    return f"no benchmark ({body['error']})" if body.get("error") else "n/a" if speedup is None else f"{speedup:.2f}x"


def _order(order: object) -> str:
    """``ref cand cand ref``, or ``4 x aa`` where all are alike."""
    names = [str(item) for item in order] if isinstance(order, list) else []
    alike = Counter(names)
    return f"{len(names)} x {names[0]}" if len(alike) == 1 else " ".join(names)
