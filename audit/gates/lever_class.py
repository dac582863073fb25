"""Lever class from the measured difference: A selects an implementation, B is serving. A producer's label is no evidence."""

from __future__ import annotations

from typing import Literal, NamedTuple

from audit.contract import Finding
from audit.evidence import BetweenRow, Evidence
from audit.gates.same_conditions import declared, taken_as_lever

GATE = "lever_class"
Class = Literal["A", "B", "mixed", "indeterminate", "n/a"]


class Levers(NamedTuple):
    """Class of the whole change, and each setting with its own."""

    kind: Class
    evidence: list[str]
    parts: list[str]


def classify(ev: Evidence) -> Levers:
    """Class by the settings that differ between the legs and are covered by the declaration (or taken as the lever)."""
    wanted, only = set(declared(ev).values), taken_as_lever(ev)
    rows: dict[str, BetweenRow] = {}
    for row in ev.tables.between:
        root = ev.policy.keys.root(row.key)
        if root in wanted or root == only:
            rows.setdefault(root, row)
    classes = {root: ev.policy.levers.class_of(root) for root in sorted(rows)}
    evidence = [
        f"{classes[root]}: {root} {rows[root].ref or 'absent'} -> {rows[root].cand or 'absent'} "
        f"({rows[root].cand_file or rows[root].ref_file}:{rows[root].cand_line or rows[root].ref_line or '?'})"
        for root in sorted(rows)
    ]
    kinds = set(classes.values())
    kind: Class = "indeterminate" if not kinds else "mixed" if len(kinds) > 1 else next(iter(kinds))
    parts = [f"{classes[root]}: {root}" for root in sorted(rows)] if kind == "mixed" else []
    return Levers(kind, evidence, parts)


def check(ev: Evidence) -> list[Finding]:
    """Flag a serving lever that is sold as a kernel; unknown where no difference tells a class."""
    levers = classify(ev)
    words = " ".join(filter(None, [ev.request.what, ev.request.change.lever if ev.request.change else None])).lower()
    called_kernel = any(word in words for word in ev.policy.levers.kernel_words)
    if levers.kind == "indeterminate":
        reason = "no class: no setting that differs between the legs tells what was changed"
        step = "Declare the change in the request, with the settings or files that it touches."
        return [Finding(gate=GATE, status="unknown", ids=["A01", "A11"], reason=reason, next_step=step)]
    shown = "; ".join(levers.evidence)
    if called_kernel and levers.kind != "A":
        reason = f"claimed as a kernel gain, but the legs differ in serving settings ({shown})"
        return [
            Finding(
                gate=GATE,
                status="flag",
                situation="downgrade",
                ids=["A01"],
                reason=reason,
                next_step="Quote it as a serving gain.",
                sql=["config_between"],
            )
        ]
    tail = "; the parts cannot be separated without legs of their own" if levers.kind == "mixed" else ""
    return [Finding(gate=GATE, status="ok", ids=["A01"], reason=f"class {shown}{tail}", sql=["config_between"])]
