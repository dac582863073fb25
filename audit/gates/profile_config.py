"""Profile scope: was the profiled server the one that was benched?"""

from __future__ import annotations

from audit.contract import Finding
from audit.evidence import Evidence
from audit.gates.changes import same_value

GATE = "profile_config"


def check(ev: Evidence) -> list[Finding]:
    """Settings that the profile states against those of the benched server, where both are on record."""
    benched = dict(ev.profiles.benched)
    stated = [(table.file, key, value) for table in ev.profiles.tables for key, value in table.config]
    if not benched or not stated:
        reason = "the profile and the benched server are not both described: whether they are the same configuration is open"
        return [
            Finding(
                gate=GATE, status="unknown", ids=["P10"], reason=reason, next_step="Keep server_info.json beside the profile."
            )
        ]
    keys = ev.policy.keys
    wrong = [
        (file, key, value, benched[key])
        for file, key, value in stated
        if key in benched and not keys.is_volatile(key) and not same_value(value, benched[key])
    ]
    if not wrong:
        return [Finding(gate=GATE, status="ok", ids=["P10"], reason="the profile was taken under the benched server's settings")]
    file, key, value, other = wrong[0]
    return [
        Finding(
            gate=GATE,
            status="fail",
            situation="not_comparable",
            ids=["P10"],
            reason=f"{file}: profiled with {key}={value}, benched with {other} (server_info.json)",
            next_step="Profile the configuration that is benched.",
            evidence=[ev.source(file)],
        )
    ]
