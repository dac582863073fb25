"""Overlays that our stopwatch itself put into the servers: which leg had which, switched on or off."""

from __future__ import annotations

from collections.abc import Iterator

from audit.contract import Finding
from audit.evidence import Evidence
from audit.gates.third_leg import finding
from audit.intake.model import Launch

AGAIN = "Measure again with the overlay in the candidate alone, and switched off in the third leg."


def check(ev: Evidence) -> list[Finding]:
    """Faults of what server.json records; none where no server of ours recorded overlays, or the request declares none."""
    wanted = dict(ev.overlays.folders)
    if not wanted or not any(launch.server and launch.server.overlays is not None for launch in ev.legs["cand"].launches):
        return []
    return list(_faults(ev, wanted))[: ev.policy.limits.shown]


def _faults(ev: Evidence, wanted: dict[str, str]) -> Iterator[Finding]:
    for launch, held in _held(ev, "cand"):
        for folder, sha256 in sorted(wanted.items()):
            if held.get(sha256) is not True:
                why = "left switched off" if sha256 in held else "not installed"
                yield _fault(launch, f"overlay {folder} was {why} in the candidate", ["E01"])
        others = {sha: on for sha, on in held.items() if sha not in wanted.values()}
        for other, also in _held(ev, "ref"):
            if {sha: on for sha, on in also.items() if sha not in wanted.values()} != others and ev.request.scope == "patch":
                yield _fault(other, f"the legs differ in other overlays than the declared one ({launch.id})", ["C15", "A02"])
    for launch, held in _held(ev, "ref"):
        if any(held.get(sha256) for sha256 in wanted.values()):
            yield _fault(launch, "the overlay is in the reference too", ["H01", "C16"])
    for launch, held in _held(ev, "off"):
        if any(held.get(sha256) is not False for sha256 in wanted.values()):
            yield _fault(launch, "in the third leg the overlay is not the candidate's, switched off", ["E01"])


def _held(ev: Evidence, role: str) -> Iterator[tuple[Launch, dict[str, bool]]]:
    """Launches of a leg, and the overlays they had: digest of the folder -> switched on."""
    leg = ev.off if role == "off" else ev.legs[role]
    for launch in leg.launches if leg else ():
        if launch.server is not None:
            yield launch, {item.sha256: item.rebind for item in launch.server.overlays or []}


def _fault(launch: Launch, words: str, ids: list[str]) -> Finding:
    source = launch.source("server.json")
    return finding("fail", ids, f"{words} ({source.file})", AGAIN, [source])
