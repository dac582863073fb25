"""``countersign verdicts diff``: what changed between two sets of verdicts, and whether anything got worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from workflow.commands.audit import refused
from workflow.commands.verdicts import stored
from workflow.errors import UsageError
from workflow.startup import check_packages, require

SCHEMA = "countersign.verdict_diff/1"  # 1: first form
SAME, WORSE, DIFFERS = 0, 3, 4
RANK = {"PASS": 0, "FLAG": 1, "FAIL": 2}
PLAIN = (
    *("audit_scope", "verdict", "action", "outcome", "lever_class", "signed_off", "correctness_status"),
    *("policy", "policy_digest", "input_digest", "auditor_version"),
)
"""Keys of a verdict that are compared as they are."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not the same; null where a side lacks it."""

    what: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Compared:
    """One request on both sides."""

    short_name: str
    worse: bool
    changes: list[Change] = field(default_factory=list)


def diff_command(before: Path, after: Path | None, form: str) -> int:
    """Print what changed. Returns 0 when nothing did, 3 when a verdict is worse or gone, 4 for any other difference."""
    check_packages(audit=True)
    require("audit")
    from audit import canonical_json

    if after is None:
        if not before.is_dir():
            raise UsageError(f"{before}: not a run directory, and nothing to compare it with", "Give two runs, or two files.")
        first, second = stored(before / "verdicts.json"), _verdicts(before)
    else:
        first, second = _verdicts(before), _verdicts(after)
    found = compare(first, second)
    if form == "json":
        click.echo(canonical_json({"schema": SCHEMA, "requests": [asdict(item) for item in found]}))
    else:
        click.echo("\n".join(_lines(found)))
    return WORSE if any(item.worse for item in found) else DIFFERS if any(item.changes for item in found) else SAME


def _verdicts(path: Path) -> list[dict[str, Any]]:
    """Verdicts of a directory, audited now, or of a file, as they stand."""
    from audit import AuditError, as_plain, audit_path

    if not path.is_dir():
        return stored(path)
    try:
        return [as_plain(verdict) for verdict in audit_path(path)]
    except AuditError as error:
        raise refused(path, error) from error


def compare(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> list[Compared]:
    """Requests by name, in the order of ``before``; a single verdict a side is compared whatever its name."""
    if len(before) == len(after) == 1:
        return [_compare(before[0], after[0])]
    first, second = ({str(item["short_name"]): item for item in side} for side in (before, after))
    found = []
    for name in dict.fromkeys([*first, *second]):
        if name in first and name in second:
            found.append(_compare(first[name], second[name]))
        else:
            words = [side[name]["verdict"] if name in side else None for side in (first, second)]
            found.append(Compared(name, name not in second, [Change("request", *words)]))
    return found


def _compare(before: dict[str, Any], after: dict[str, Any]) -> Compared:
    changes = [Change(key, before.get(key), after.get(key)) for key in ("short_name", *PLAIN)]
    changes += [
        Change(f"{metric} {leg} median", _median(before, metric, leg), _median(after, metric, leg))
        for metric in dict.fromkeys([*(before.get("metrics") or {}), *(after.get("metrics") or {})])
        for leg in ("ref", "cand")
    ]
    first, second = _statuses(before), _statuses(after)
    changes += [Change(f"finding {name}", first.get(name), second.get(name)) for name in dict.fromkeys([*first, *second])]
    worse = RANK.get(after["verdict"], 2) > RANK.get(before["verdict"], 2)
    return Compared(str(after["short_name"]), worse, [item for item in changes if item.before != item.after])


def _median(verdict: dict[str, Any], metric: str, leg: str) -> Any:  # noqa: ANN401 - whatever the file holds
    side = ((verdict.get("metrics") or {}).get(metric) or {}).get(leg)
    return side.get("median") if isinstance(side, dict) else None


def _statuses(verdict: dict[str, Any]) -> dict[str, str]:
    """Each gate -> what it found: statuses and ids, sorted."""
    found: dict[str, list[str]] = {}
    for finding in verdict.get("findings") or []:
        ids = " ".join(str(name) for name in finding.get("ids") or [])
        found.setdefault(str(finding.get("gate")), []).append(f"{finding.get('status')}{f' [{ids}]' if ids else ''}")
    return {gate: ", ".join(sorted(statuses)) for gate, statuses in found.items()}


def _lines(found: Sequence[Compared]) -> list[str]:
    from audit import clean, table

    lines: list[str] = []
    for item in found:
        head = "the same" if not item.changes else "worse" if item.worse else "differs"
        lines.append(clean(f"{item.short_name}: {head}"))
        rows = [("", "before", "after"), *((each.what, _shown(each.before), _shown(each.after)) for each in item.changes)]
        lines += table(rows) if item.changes else []
    return lines or ["no verdicts on either side"]


def _shown(value: Any) -> str:  # noqa: ANN401 - whatever the file holds
    if value is None:
        return "-"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text[:12] if len(text) == 64 else text
