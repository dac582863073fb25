"""Gate 1: the legs differ in what was declared and in nothing else; all launches of a leg agree."""

from __future__ import annotations

import json
from typing import NamedTuple

from audit.contract import Change, Finding, Scalar
from audit.evidence import BetweenRow, Evidence

GATE = "same_conditions"
SQL = ["config_within", "config_between"]


class Declared(NamedTuple):
    """Settings that may differ: effective key -> JSON text in the candidate. ``known`` is False when nothing was declared."""

    values: dict[str, str]
    known: bool


def text(value: Scalar) -> str:
    """A scalar as the config table holds it."""
    return json.dumps(value, ensure_ascii=False)


def same_value(declared: str, found: str | None) -> bool:
    """Equal as JSON, or equal once quotes are dropped: a flag's ``"0.9"`` is the setting's ``0.9``."""
    return found is not None and (declared == found or declared.strip('"').lower() == found.strip('"').lower())


def declared(ev: Evidence) -> Declared:
    """What the request says may differ: its change, or all accepted parts of a bundle."""
    changes: list[Change] = list(ev.request.accepted)
    if ev.request.change is not None:
        changes.append(ev.request.change)
    values: dict[str, str] = {}
    for change in changes:
        values |= {key.removeprefix("--").replace("-", "_"): text(value) for key, value in change.flags.items()}
        values |= {f"env.{key}": text(value) for key, value in change.env.items()}
    return Declared(values, bool(changes) or ev.request.scope == "bundle")


def undeclared(ev: Evidence) -> list[BetweenRow]:
    """Differences between the legs that no declaration covers."""
    keys, wanted = ev.policy.keys, declared(ev).values
    found = []
    for row in ev.tables.between:
        root = keys.root(row.key)
        covered = root in wanted and (same_value(wanted[root], row.cand) or keys.bare(row.key) != root)
        if not covered:
            found.append(row)
    return found


def taken_as_lever(ev: Evidence) -> str | None:
    """With nothing declared, the one setting in which the legs differ; None when there is none, or more than one."""
    if declared(ev).known:
        return None
    roots = {ev.policy.keys.root(row.key) for row in ev.tables.between}
    only = roots.pop() if len(roots) == 1 else None
    return None if only is None or only.startswith("workload.") else only


def _recorded(ev: Evidence) -> list[str]:
    """Legs without any record of server settings."""
    return [
        role
        for role, leg in ev.legs.items()
        if not any(launch.server or any(row.config for row in launch.rows) for launch in leg.launches if launch not in leg.failed)
    ]


def within(ev: Evidence, gate: str) -> list[Finding]:
    """Findings on launches of one leg that disagree."""
    return [
        Finding(
            gate=gate,
            status="fail",
            situation="not_comparable",
            ids=ev.policy.keys.taxonomy(row.key) or ["M03"],
            reason=(
                f"launches of leg {row.leg} disagree on {row.key!r}: {row.low_value} at {row.low_file}:{row.low_line or '?'}, "
                + (
                    f"{row.top_value} at {row.top_file}:{row.top_line or '?'}"
                    if row.top_value != row.low_value
                    else "absent elsewhere"
                )
            ),
            next_step=f"Measure the {row.leg} leg again with one setting of {row.key!r} for every launch.",
            sql=["config_within"],
            evidence=[ev.source(row.low_file, row.low_line), ev.source(row.top_file, row.top_line)],
        )
        for row in ev.tables.within
        if row.leg in ev.legs
    ]


def check(ev: Evidence) -> list[Finding]:
    """Agreement within legs, then the difference between them against the declaration."""
    crashed = [role for role, leg in ev.legs.items() if leg.launches and len(leg.failed) == len(leg.launches)]
    if crashed:
        words = f"every server of leg {' and '.join(crashed)} failed: there are no conditions to compare"
        return [Finding(gate=GATE, status="n/a", reason=words)]
    found = within(ev, GATE)
    disagreeing = {row.key for row in ev.tables.within}
    extra = [row for row in undeclared(ev) if row.key not in disagreeing]
    lever = taken_as_lever(ev)
    blind = _recorded(ev)
    if blind:
        missing = Finding(
            gate=GATE,
            status="unknown",
            ids=["C12"],
            reason=f"no server settings are recorded in leg {' and '.join(blind)}: what else differed cannot be told",
            next_step="Record the server's settings with the rows (SGLang: --output-file with a reachable /server_info).",
        )
        workload = [_confound(ev, row) for row in extra if row.key.startswith("workload.")]
        return [*found, *workload, missing]
    if lever is None:
        found += [_confound(ev, row) for row in extra]
    if found:
        return found
    keys = sorted({ev.policy.keys.root(row.key) for row in ev.tables.between})
    words = f"the legs differ in {', '.join(keys)} and nothing else" if keys else "the legs have the same settings"
    if lever is not None:
        words += "; nothing was declared, so this one difference is taken as the change under audit"
    return [
        Finding(
            gate=GATE,
            status="ok",
            ids=["C12"],
            reason=words,
            sql=SQL,
            evidence=[ev.source(row.cand_file or row.ref_file, row.cand_line or row.ref_line) for row in ev.tables.between[:3]],
        )
    ]


def _confound(ev: Evidence, row: BetweenRow) -> Finding:
    wanted = declared(ev)
    root = ev.policy.keys.root(row.key)
    if root in wanted.values:
        why = f"declared as {wanted.values[root]}"
    else:
        why = "which no declaration covers" if wanted.known else "and more than one setting differs"
    ref = f"{row.ref if row.ref is not None else 'absent'} in ref ({row.ref_file or '-'}:{row.ref_line or '-'})"
    cand = f"{row.cand if row.cand is not None else 'absent'} in cand ({row.cand_file or '-'}:{row.cand_line or '-'})"
    return Finding(
        gate=GATE,
        status="fail",
        situation="not_comparable",
        ids=ev.policy.keys.taxonomy(row.key),
        reason=f"confound: {row.key!r} is {ref} and {cand}, {why}",
        next_step=f"Measure both legs with the same {row.key!r}, or declare it and audit it as a change of its own.",
        sql=["config_between"],
        evidence=[ev.source(f, line) for f, line in ((row.ref_file, row.ref_line), (row.cand_file, row.cand_line)) if f],
    )
