"""KV pressure and device memory: what one leg paid in recomputed requests, or in memory, and the other did not."""

from __future__ import annotations

from audit.contract import Figure, Finding, Source
from audit.evidence import Evidence
from audit.gates import changes
from audit.intake.model import Launch

GATE = "pressure"
EXPLAINED = ("C03", "C04", "C07")
"""Differences that move the weights on a device by themselves: parallel sizes, a draft model, quantisation."""


def check(ev: Evidence) -> list[Finding]:
    """Preemptions and weights that the logs tell of, leg against leg; logs that tell of none are no news."""
    if not all(any(launch.log for launch in leg.launches) for leg in ev.legs.values()):
        reason = "no server log of both legs: whether requests were preempted cannot be told"
        return [Finding(gate=GATE, status="unknown", required=False, ids=["C14"], reason=reason)]
    return [*_preempted(ev), *_weights(ev)]


def _preempted(ev: Evidence) -> list[Finding]:
    lines = {role: sum(launch.log.preempted for launch in leg.launches if launch.log) for role, leg in ev.legs.items()}
    ref, cand = lines.get("ref", 0), lines.get("cand", 0)
    figures = {"ref_lines": Figure(ref, "lines"), "cand_lines": Figure(cand, "lines")}
    low, high = sorted((ref, cand))
    if not high or (low and high < ev.policy.logs.preempted_ratio * low):
        words = f"preemptions in both legs ({ref} and {cand} lines)" if high else "no preemption in either leg's log"
        return [Finding(gate=GATE, status="ok", ids=["C14"], reason=words, figures=figures)]
    role = "ref" if ref > cand else "cand"
    places = _places(ev, role)
    where = f"{places[0].file}:{places[0].line}" if places else ev.legs[role].dir
    alone = "alone" if not low else f"above all ({high} lines against {low})"
    return [
        Finding(
            gate=GATE,
            status="flag",
            situation="flagged",
            ids=["C14"],
            reason=f"KV pressure in leg {role} {alone}: {high} lines of its log tell of preempted requests ({where})",
            next_step="Give both legs room for their requests, or say in the headline that the gain is one of memory.",
            figures=figures,
            evidence=places[: ev.policy.limits.shown],
        )
    ]


def _places(ev: Evidence, role: str) -> list[Source]:
    return [
        Source(launch.log.file, launch.files.get(launch.log.file), event.line)
        for launch in ev.legs[role].launches
        if launch.log is not None
        for event in launch.log.events
        if event.kind == "preempted"
    ]


def _weights(ev: Evidence) -> list[Finding]:
    """Weights on one device, as the engines report them after loading: every candidate launch above every reference launch."""
    held = {role: [item for launch in leg.launches if (item := _held(launch))] for role, leg in ev.legs.items()}
    engines = {launch.log.engine for leg in ev.legs.values() for launch in leg.launches if launch.log}
    if not held.get("ref") or not held.get("cand") or len(engines) > 1:
        return []
    (ref, _), (cand, place) = max(held["ref"], key=lambda item: item[0]), min(held["cand"], key=lambda item: item[0])
    rules = ev.policy.logs
    moved = {name for item in changes.differences(ev) for name in ev.policy.keys.taxonomy(item.row.key)}
    if cand - ref <= max(rules.weights_gb, rules.weights_pct / 100 * ref) or moved & set(EXPLAINED):
        return []
    words = f"the candidate's model takes {cand - ref:.4g} GB more of each device"
    return [
        Finding(
            gate=GATE,
            status="flag",
            situation="flagged",
            ids=["C17"],
            reason=f"{words} ({place.file}:{place.line}: {cand:.4g}, ref {ref:.4g})",
            next_step="Say so beside the gain: the memory is lost to the KV cache when the load grows.",
            figures={"ref_weights": Figure(ref, "GB"), "cand_weights": Figure(cand, "GB")},
            evidence=[place],
        )
    ]


def _held(launch: Launch) -> tuple[float, Source] | None:
    peak = launch.log.figures.get("weights") if launch.log else None
    if peak is None or launch.log is None:
        return None
    return peak.value, Source(launch.log.file, launch.files.get(launch.log.file), peak.line)
