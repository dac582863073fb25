"""Whether the probes of correctness were run, and run on the servers that were timed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from audit.contract import Finding, Scalar, Source
from audit.evidence import Evidence
from audit.intake.dumps import Accuracy, Dump, Side

GATE = "correctness"
STEP = "Probe the very servers that are timed, while they are up, and keep what answered beside the rows."


def missing(ev: Evidence) -> list[Finding]:
    """A probe that is named and was not run, or whose leg nobody can tell."""
    return [
        _open(["K18", "K05"], f"{item.source.file} {item.why}: a probe that was not run is a missing probe", [item.source])
        for item in ev.probes.missing
        if ev.request.scope != "baseline" or item.side != "cand"
    ]


def strangers(ev: Evidence) -> list[Finding]:
    """Probes whose recorded server is not the leg's, and pairs of probes that one server answered."""
    found: list[Finding] = []
    probes: list[Dump | Accuracy] = [*ev.probes.dumps, *ev.probes.accuracies]
    for probe in probes:
        if probe.side in ev.legs and (why := _away(ev, probe)):
            ids = ["K19", "K05"] if isinstance(probe, Accuracy) else ["K05", "K19"]
            found.append(_open(ids, f"{probe.source.file} was answered by {why}", [probe.source]))
    for kind in (Dump, Accuracy):
        mine = [probe for probe in probes if isinstance(probe, kind)]
        found += _shared(ev, [p for p in mine if p.side == "ref"], [p for p in mine if p.side == "cand"])
    return found


def _away(ev: Evidence, probe: Dump | Accuracy) -> str:
    """In words, a server other than the leg's that answered the probe or a part of it; empty when nothing contradicts."""
    if isinstance(probe, Accuracy) or len(probe.answerers) < 2:
        return _elsewhere(ev, probe.side, probe.identity)
    told = [(_elsewhere(ev, probe.side, item.identity), item.items) for item in probe.answerers]
    away = sum(items for why, items in told if why)
    first = next((why for why, _ in told if why), "")
    return f"{first} ({away} of {len(probe.answers)} items)" if first else ""


def _elsewhere(ev: Evidence, side: Side, said: Mapping[str, Scalar]) -> str:
    """In words, another server than the leg's; empty when nothing that is recorded contradicts."""
    names, leg = ev.policy.correctness.probes, ev.legs[side]
    recorded = _recorded(ev, side)
    launches = {launch.id for launch in leg.launches} | {PurePosixPath(launch.id).name for launch in leg.launches}
    for key in names.launch_keys:
        if key in said and str(said[key]) not in launches:
            return f"launch {said[key]!r}, which is none of leg {side}"
    host, port = _address(said, names.url_keys)
    ports = {str(value) for key in names.port_keys for value in recorded.get(key, ())}
    port = port or next((str(said[key]) for key in names.port_keys if key in said), "")
    if ports and port and port not in ports:
        return f"a server on port {port}; leg {side} was timed on port {', '.join(sorted(ports))}"
    hosts = {str(value) for value in recorded.get("host", ())}
    if host and host not in names.local_hosts and hosts and hosts <= set(names.loopback):
        return f"host {host!r}; leg {side} was timed on this machine"
    models = {_last(value) for key in names.model_keys for value in recorded.get(key, ())}
    model = next((_last(said[key]) for key in names.model_keys if key in said), "")
    if models and model and model not in models:
        return f"model {model!r}; leg {side} was timed on {', '.join(sorted(models))!r}"
    return ""


def _recorded(ev: Evidence, side: str) -> dict[str, set[Scalar]]:
    """Key -> values that the rows and server records of a leg give it."""
    found: dict[str, set[Scalar]] = {}
    for launch in ev.legs[side].launches:
        known: list[Mapping[str, object]] = [
            json.loads(text) for text in sorted({row.config for row in launch.rows if row.config})
        ]
        if launch.server is not None:
            known.append(launch.server.effective)
        for config in known:
            for key, value in config.items():
                if isinstance(value, str | int | float) and not isinstance(value, bool):
                    found.setdefault(key, set()).add(value)
    return found


def _address(said: Mapping[str, Scalar], keys: list[str]) -> tuple[str, str]:
    """Host and port of the first recorded address; empty where there is none or it is no address."""
    for key in keys:
        value = said.get(key)
        if isinstance(value, str) and "//" in value:
            try:
                parts = urlsplit(value)
                return parts.hostname or "", str(parts.port or "")
            except ValueError:
                return "", ""
    return "", ""


def _last(value: Scalar) -> str:
    return str(value).rstrip("/").rpartition("/")[2].lower()


def _shared(ev: Evidence, refs: list[Dump | Accuracy], cands: list[Dump | Accuracy]) -> list[Finding]:
    for key in ev.policy.correctness.probes.same_server:
        for ref in refs:
            for cand in cands:
                shared = sorted(_named(ref, key) & _named(cand, key), key=str)
                if shared:
                    same = f"{key} is {shared[0]!r} in {ref.source.file} and {cand.source.file}"
                    why = f"both legs were probed on one server: {same}"
                    return [_open(["K05"], why, [ref.source, cand.source])]
    return []


def _named(probe: Dump | Accuracy, key: str) -> set[Scalar]:
    """Every value that a probe, or an item of it, gives a key."""
    told = [probe.identity, *(item.identity for item in (probe.answerers if isinstance(probe, Dump) else ()))]
    return {said[key] for said in told if key in said}


def _open(ids: list[str], reason: str, sources: list[Source]) -> Finding:
    return Finding(gate=GATE, status="unknown", ids=ids, reason=reason, next_step=STEP, evidence=sources)
