"""Is a side effect inert? Only if the raw shows that the resource behind it never bound, in either leg."""

from __future__ import annotations

from typing import NamedTuple

from audit.contract import Source
from audit.evidence import BetweenRow, Evidence
from audit.intake.logs import Peak
from audit.intake.model import Launch


class Proof(NamedTuple):
    """Whether a difference is shown to be without effect, in words, and by which lines."""

    holds: bool
    words: str
    evidence: list[Source]


class _Used(NamedTuple):
    """The most of a resource that one launch used; ``why_not`` says what its log does not tell."""

    amount: float
    source: Source | None
    why_not: str


def proof(ev: Evidence, row: BetweenRow) -> Proof:
    """The smaller of the two capacities against the most that any launch of either leg used, from the servers' logs.

    For the KV pool the peak of running requests must be on record too, and must reach what the rows say was in
    flight: a log that covers only a quiet part of the run proves nothing.
    """
    resource = ev.policy.keys.resource(row.key)
    budget = _budget(row)
    if resource is None or budget is None:
        return Proof(False, f"nothing in the raw shows that {row.key!r} had no effect", [])
    used: list[_Used] = []
    for role in ("ref", "cand"):
        for launch in ev.legs[role].launches:
            if launch in ev.legs[role].failed:
                continue
            pool = float(row.ref if role == "ref" else row.cand)  # type: ignore[arg-type]
            used.append(_running(launch) if resource == "running" else _kv(ev, launch, pool))
    bad = next((item for item in used if item.why_not), None)
    if bad is not None or not used:
        words = bad.why_not if bad else "no launch is left to ask"
        return Proof(False, words, [bad.source] if bad and bad.source else [])
    worst = max(used, key=lambda item: item.amount)
    sources = [item.source for item in used if item.source is not None]
    what = "running requests" if resource == "running" else "tokens in the KV pool"
    running = max((launch.log.running.value for launch in _launches(ev) if launch.log and launch.log.running), default=0.0)
    words = f"at most {worst.amount:.0f} {what} in any launch, the smaller budget is {budget:.0f}"
    if resource != "running":
        words += f"; running requests peak at {running:.0f}"
    return Proof(worst.amount < budget, words, sources)


def _launches(ev: Evidence) -> list[Launch]:
    return [launch for role in ("ref", "cand") for launch in ev.legs[role].launches]


def _budget(row: BetweenRow) -> float | None:
    try:
        found = min(float(row.ref or ""), float(row.cand or ""))
    except ValueError:
        return None
    return found if found > 0 else None


def _in_flight(launch: Launch) -> float:
    """Mean requests in flight that the rows report; 0 where they do not."""
    return max((row.metrics.get("concurrency", 0.0) for row in launch.rows), default=0.0)


def _at(launch: Launch, peak: Peak) -> Source:
    log = launch.log
    return Source(log.file, launch.files.get(log.file), peak.line) if log else Source("(none)")


def _running(launch: Launch) -> _Used:
    log = launch.log
    if log is None or log.running is None:
        return _Used(0.0, None, f"{launch.id}: no server log tells how many requests ran at once")
    waited = log.queued.value if log.queued else 0.0
    if log.running.value + waited < 0.9 * _in_flight(launch):
        words = f"{launch.id}: the log's peak of {log.running.value:.0f} running requests is below what the rows had in flight"
        return _Used(0.0, _at(launch, log.running), f"{words}: it does not cover the run")
    return _Used(log.running.value, _at(launch, log.running), "")


def _kv(ev: Evidence, launch: Launch, pool: float) -> _Used:
    seen = _running(launch)
    log = launch.log
    if seen.why_not or log is None:
        return seen
    if log.kv_tokens is not None:
        return _Used(log.kv_tokens.value, _at(launch, log.kv_tokens), "")
    if log.kv_used is not None:
        share = log.kv_used.value + ev.policy.keys.usage_rounding
        return _Used(share * pool, _at(launch, log.kv_used), "")
    return _Used(0.0, None, f"{launch.id}: no server log tells how full the KV pool was")
