"""KV pressure: requests that were thrown out and computed again cost one leg what the other did not pay."""

from __future__ import annotations

from audit.contract import Figure, Finding, Source
from audit.evidence import Evidence

GATE = "pressure"


def check(ev: Evidence) -> list[Finding]:
    """Preemptions that the logs tell of, leg against leg; logs that tell of none are no news."""
    told: dict[str, list[Source]] = {}
    for role, leg in ev.legs.items():
        told[role] = [
            Source(launch.log.file, launch.files.get(launch.log.file), event.line)
            for launch in leg.launches
            if launch.log is not None
            for event in launch.log.events
            if event.kind == "preempted"
        ]
    ref, cand = (len(told.get(role, [])) for role in ("ref", "cand"))
    logged = all(any(launch.log for launch in leg.launches) for leg in ev.legs.values())
    if not logged:
        reason = "no server log of both legs: whether requests were preempted cannot be told"
        return [Finding(gate=GATE, status="unknown", required=False, ids=["C14"], reason=reason)]
    if bool(ref) == bool(cand):
        words = f"preemptions in both legs ({ref} and {cand} lines)" if ref else "no preemption in either leg's log"
        return [Finding(gate=GATE, status="ok", ids=["C14"], reason=words)]
    role, count = ("ref", ref) if ref else ("cand", cand)
    first = told[role][0]
    return [
        Finding(
            gate=GATE,
            status="flag",
            situation="flagged",
            ids=["C14"],
            reason=f"KV pressure in leg {role} alone: {count} lines of its log tell of preempted requests ({first.file}:{first.line})",
            next_step="Give both legs room for their requests, or say in the headline that the gain is one of memory.",
            figures={"lines": Figure(count, "lines")},
            evidence=told[role][:5],
        )
    ]
