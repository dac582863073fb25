"""Baseline scope: every launch ran with the same settings, and with those that were meant."""

from __future__ import annotations

from audit.contract import Finding
from audit.evidence import Evidence
from audit.gates import changes, same_conditions
from audit.intake import settings
from audit.intake.model import Launch

GATE = "baseline_conditions"


def check(ev: Evidence) -> list[Finding]:
    """Agreement between launches, then the intended invariant (the request's ``change.flags``) against the effective settings."""
    failing = same_conditions.within(ev, GATE)
    if failing:
        return failing
    if same_conditions.unrecorded(ev):
        step = "Record the server's settings with the rows, or keep the server's log as server.log beside them."
        return [Finding(gate=GATE, status="unknown", ids=["C12"], reason="no server settings are recorded", next_step=step)]
    if same_conditions.hidden(ev):
        return [same_conditions.not_told(ev, GATE, required=False)]
    found = [item for launch in ev.legs["ref"].launches if launch not in ev.legs["ref"].failed for item in _intended(ev, launch)]
    if found:
        return found
    words = "every launch ran with the same settings"
    wanted = changes.declared(ev).values
    if wanted:
        words += f", and with {', '.join(f'{key}={value}' for key, value in sorted(wanted.items()))} as intended"
    return [Finding(gate=GATE, status="ok", ids=["C12"], reason=words, sql=["config_within"])]


def _intended(ev: Evidence, launch: Launch) -> list[Finding]:
    found, keys = settings.held(launch, ev.policy), ev.policy.keys
    wrong = []
    for key, value in sorted(changes.declared(ev).values.items()):
        copies = {name: item for name, item in found.items() if keys.root(name) == key}
        if any(changes.same_value(value, item.value) for item in copies.values()):
            continue
        item = next(iter(copies.values()), None)
        place = (
            ev.source(item.file, item.line) if item else next((row.source for row in launch.rows), launch.source("server.json"))
        )
        held = item.value if item else "not recorded"
        wrong.append(
            Finding(
                gate=GATE,
                status="fail" if copies else "unknown",
                situation="not_comparable" if copies else None,
                ids=["R11", "C11"],
                reason=f"wrong invariant: {key} was meant to be {value}, {place.file}:{place.line or '?'} has {held}",
                next_step=f"Start the baseline with {key}={value}, or correct what is written about it.",
                evidence=[place],
            )
        )
    return wrong
