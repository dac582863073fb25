"""Gate 4: the declared change was in force in the candidate leg and not in the reference."""

from __future__ import annotations

from audit.contract import Finding, Source
from audit.evidence import Evidence
from audit.gates import overlay_proof
from audit.gates.changes import declared, same_value, taken_as_lever
from audit.intake import settings
from audit.intake.model import Launch

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


def _one(ev: Evidence, key: str, value: str) -> list[Finding]:
    """Candidate launches first: each must report the value; then the reference, which must not."""
    for launch in ev.legs["cand"].launches:
        if launch in ev.legs["cand"].failed:
            continue
        found = settings.held(launch, ev.policy)
        item = found.get(key) or _resolved(ev, found, key)
        if item is None and _left_out(ev, launch, key):
            return [_not_listed(ev, launch, key, value)]
        if item is None:
            return [_unrecorded(ev, launch, key, recorded=bool(found))]
        if not same_value(value, item.value):
            return [_not_engaged(ev, key, value, item)]
        if launch.server is not None and launch.server.effective_source.get(key) not in PROOF:
            origin = launch.server.effective_source.get(key, "no source")
            return [
                _unknown(f"{launch.id}: {key}={value} is known from {origin!r} only, not from the live process", required=True)
            ]
    for launch in ev.legs["ref"].launches:
        found = settings.held(launch, ev.policy)
        item = found.get(key) or _resolved(ev, found, key)
        if item is not None and same_value(value, item.value):
            return [_in_reference(key, value, ev.source(item.file, item.line))]
    return []


def _left_out(ev: Evidence, launch: Launch, key: str) -> bool:
    """True where a server's whole list of arguments lacks the key, and so does every record of the reference."""
    if launch.server is not None or launch.log is None or launch.log.arguments is None:
        return False
    records = [settings.held(other, ev.policy) for other in ev.legs["ref"].launches]
    return not any(key in found or _resolved(ev, found, key) for found in records)


def _not_listed(ev: Evidence, launch: Launch, key: str, value: str) -> Finding:
    """Neither leg's arguments name the declared setting: both may have run with the same one."""
    log = launch.log
    place = None if log is None else ev.source(log.file, log.arguments)
    return Finding(
        gate=GATE,
        status="unknown",
        required=True,
        ids=["E06", "C10"],
        reason=f"{launch.id}: {key} was declared as {value}, and the arguments of neither leg's servers name it",
        next_step=f"Name {key} in the request as the server's own list of arguments does, or find out why it was not given.",
        evidence=[] if place is None else [place],
    )


def _resolved(ev: Evidence, found: dict[str, settings.Setting], key: str) -> settings.Setting | None:
    """A resolved copy of the key, or the scheduler's own, where the key itself is not on record."""
    return next((found[name] for name in sorted(found) if ev.policy.keys.root(name) == key), None)


def _unrecorded(ev: Evidence, launch: Launch, key: str, *, recorded: bool) -> Finding:
    """Silence: for our own servers a refusal, for an environment a required unknown, for a foreign flag an open question."""
    if launch.server is not None:
        item = settings.Setting("-", launch.source("server.json").file, None)
        return _not_engaged(ev, key, "the declared value", item)
    what = "its record does not name the setting" if recorded else "no settings recorded"
    if key.startswith(ENV):
        what = "its environment is recorded nowhere"
    return _unknown(f"{launch.id}: {what}, whether {key} was in force cannot be told", required=key.startswith(ENV) or ev.own)


def _not_engaged(ev: Evidence, key: str, value: str, item: settings.Setting) -> Finding:
    return Finding(
        gate=GATE,
        status="fail",
        situation="not_comparable",
        ids=["E06", "C10"],
        reason=f"not engaged: {key} was declared as {value}, {item.file}:{item.line or '?'} has {item.value}",
        next_step=f"Find out why the server did not take {key}, then measure again.",
        evidence=[ev.source(item.file, item.line)],
    )


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
