"""Gate 4: the declared change was in force in the candidate leg and not in the reference."""

from __future__ import annotations

import json

from audit.contract import Finding, Source
from audit.evidence import Evidence
from audit.gates import overlay_proof
from audit.gates.changes import declared, same_value, taken_as_lever
from audit.intake.model import Launch
from audit.intake.rows import flatten

GATE, ENV = "engagement", "env."
PROOF = ("cmdline", "log")
"""Sources of an effective value that come from the live process."""


def check(ev: Evidence) -> list[Finding]:
    """One finding per declared key that is not proven; one ``ok`` when all are."""
    wanted = declared(ev)
    lever = taken_as_lever(ev)
    if overlay_proof.names(ev) or ev.overlays.missing:
        return overlay_proof.check(ev) + (_keys(ev, wanted.values) if wanted.values else [])
    if lever is not None:
        row = next(row for row in ev.tables.between if ev.policy.keys.root(row.key) == lever)
        reason = f"{lever} is {row.ref or 'absent'} in ref and {row.cand or 'absent'} in cand, by the servers' own report"
        return [Finding(gate=GATE, status="ok", ids=["E06"], reason=reason, evidence=[ev.source(row.cand_file, row.cand_line)])]
    if not wanted.values:
        return [
            _unknown("nothing was declared and no setting differs: there is no sign that anything was changed", required=False)
        ]
    return _keys(ev, wanted.values)


def _keys(ev: Evidence, values: dict[str, str]) -> list[Finding]:
    """Declared settings, in force in the candidate and not in the reference."""
    found = [item for key, value in sorted(values.items()) for item in _one(ev, key, value)]
    if found:
        return found
    reason = f"{', '.join(f'{key}={value}' for key, value in sorted(values.items()))} in force in cand only"
    return [Finding(gate=GATE, status="ok", ids=["E06", "C10"], reason=reason, sql=["config_between"])]


def _unknown(reason: str, *, required: bool) -> Finding:
    step = "Declare the change in the request, with the flags or environment that it sets."
    return Finding(gate=GATE, status="unknown", ids=["E01", "E05"], reason=reason, next_step=step, required=required)


def settings(launch: Launch) -> dict[str, str]:
    """Effective settings of a launch, JSON text by key."""
    if launch.server is not None:
        return flatten(json.dumps(launch.server.effective))
    return flatten(next((row.config for row in launch.rows if row.config), "{}"))


def _one(ev: Evidence, key: str, value: str) -> list[Finding]:
    for launch in ev.legs["cand"].launches:
        if launch in ev.legs["cand"].failed:
            continue
        found = settings(launch)
        name = "server.json" if launch.server else (launch.rows[0].source.file.rpartition("/")[2] if launch.rows else "")
        source = launch.source(name, launch.config_lines.get(key, 1))
        if launch.server is None and key.startswith(ENV) and not any(item.startswith(ENV) for item in found):
            logged = _in_log(ev, launch, key, value)
            if logged is None:
                words = f"{launch.id}: its environment is recorded nowhere, whether {key} was in force cannot be told"
                return [_unknown(words, required=True)]
            continue
        if not found:
            return [_unknown(f"{launch.id}: no settings recorded, whether {key} was in force cannot be told", required=True)]
        if not same_value(value, found.get(key)):
            return [
                Finding(
                    gate=GATE,
                    status="fail",
                    situation="not_comparable",
                    ids=["E06", "C10"],
                    reason=f"not engaged: {key} was declared as {value}, {source.file}:{source.line} has {found.get(key, '-')}",
                    next_step=f"Find out why the server did not take {key}, then measure again.",
                    evidence=[source],
                )
            ]
        if launch.server is not None and launch.server.effective_source.get(key) not in PROOF:
            origin = launch.server.effective_source.get(key, "no source")
            return [
                _unknown(f"{launch.id}: {key}={value} is known from {origin!r} only, not from the live process", required=True)
            ]
    for launch in ev.legs["ref"].launches:
        if _in_log(ev, launch, key, value) is not None:
            return [_in_reference(key, value, Source(launch.log.file if launch.log else launch.id))]
        if same_value(value, settings(launch).get(key)):
            source = launch.source("server.json" if launch.server else "bench_runs.jsonl", launch.config_lines.get(key))
            return [_in_reference(key, value, source)]
    return []


def _in_reference(key: str, value: str, source: Source) -> Finding:
    return Finding(
        gate=GATE,
        status="fail",
        situation="not_comparable",
        ids=["A11", "H01"],
        reason=f"the reference already has {key}={value} ({source.file}:{source.line or '?'}): nothing was compared",
        next_step="Measure the reference without the change.",
        evidence=[source],
    )


def _in_log(ev: Evidence, launch: Launch, key: str, value: str) -> Source | None:
    """Where a server's log states an environment setting with this value."""
    for item in launch.log.config if launch.log and key.startswith(ENV) else ():
        if item.key == key and same_value(value, item.value):
            return ev.source(launch.log.file if launch.log else None, item.line)
    return None
