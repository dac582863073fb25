"""Gate 1, warm caches: prompt tokens that were served from a prefix cache must have the same share in both legs."""

from __future__ import annotations

from typing import NamedTuple

from audit.contract import Figure, Finding, Source
from audit.evidence import Evidence
from audit.intake import settings
from audit.intake.model import Launch

GATE = "warm_cache"


class _Hit(NamedTuple):
    """Share of prompt tokens from the cache, percent, and where it is on record."""

    pct: float
    source: Source


def check(ev: Evidence) -> list[Finding]:
    """Recorded hit shares compared; nothing recorded is unknown, unless the prompts are known to be fresh."""
    found = {role: [hit for launch in leg.launches for hit in _recorded(launch)] for role, leg in ev.legs.items()}
    if not found.get("ref") or not found.get("cand"):
        return [_unrecorded(ev)]
    means = {role: sum(hit.pct for hit in hits) / len(hits) for role, hits in found.items()}
    ref, cand, limit = means["ref"], means["cand"], ev.policy.tolerance.cache_points
    figures = {"ref_hits": Figure(ref, "%"), "cand_hits": Figure(cand, "%"), "limit": Figure(limit, "points")}
    sources = [hits[0].source for hits in (found["ref"], found["cand"])]
    words = f"{ref:.3g} % of prompt tokens came from the prefix cache in ref, {cand:.3g} % in cand"
    if abs(ref - cand) > limit:
        where = ", ".join(f"{source.file}:{source.line or '?'}" for source in sources)
        return [
            Finding(
                gate=GATE,
                status="fail",
                situation="not_comparable",
                ids=["W01"],
                reason=f"unequal caches: {words} ({where})",
                next_step="Give each leg prompts that its server has not seen, or switch the prefix cache off in both.",
                figures=figures,
                evidence=sources,
            )
        ]
    return [Finding(gate=GATE, status="ok", ids=["W01"], reason=words, figures=figures, evidence=sources)]


def _unrecorded(ev: Evidence) -> Finding:
    if ev.own:
        reason = "prompts are fresh for every pair of launches and every server starts empty"
        return Finding(gate=GATE, status="n/a", ids=["W01"], reason=reason)
    if all(_off(ev, launch) for leg in ev.legs.values() for launch in leg.launches):
        return Finding(gate=GATE, status="ok", ids=["W01"], reason="the prefix cache is switched off in both legs")
    return Finding(
        gate=GATE,
        status="unknown",
        ids=["W04", "W01"],
        reason="prefix-cache hits are not recorded for both legs: whether the caches were equally warm is open",
        next_step="Record them (SGLang: --cache-report, or the server's log beside the rows), or use fresh prompts for each leg.",
    )


def _off(ev: Evidence, launch: Launch) -> bool:
    """True where the settings on record say that there was no prefix cache."""
    found = settings.held(launch, ev.policy)
    said = {key: found[key].value for key in ("disable_radix_cache", "enable_prefix_caching") if key in found}
    return said.get("disable_radix_cache") == "true" or said.get("enable_prefix_caching") == "false"


def _recorded(launch: Launch) -> list[_Hit]:
    """Hit shares of one launch: from its rows where they carry one, else from its log."""
    rows = [_Hit(row.cache_hit_pct, row.source) for row in launch.rows if row.cache_hit_pct is not None]
    if rows or launch.log is None:
        return rows
    log = launch.log
    place = Source(log.file, launch.files.get(log.file))
    if log.cached_tokens is not None and log.prefill_tokens is not None and log.cached_tokens + log.prefill_tokens > 0:
        share = 100 * log.cached_tokens / (log.cached_tokens + log.prefill_tokens)
        return [_Hit(share, Source(place.file, place.sha256, log.prefill_line))]
    if log.cache_hit_pct is not None:
        return [_Hit(log.cache_hit_pct.value, Source(place.file, place.sha256, log.cache_hit_pct.line))]
    return []
