"""The gain as launches show it: from evidence to ``Effect``, by the rules of design.md, "Noise, launches, odds"."""

from __future__ import annotations

from audit import rules, stats
from audit.contract import Effect
from audit.evidence import Evidence

HEADLINE = "output_throughput"


def call(ev: Evidence) -> rules.Call:
    """What the rules say of the gain that this evidence shows."""
    request = ev.request
    terms = rules.Terms(request.alpha, request.noise_band_pct, ev.policy.delta.min_launches)
    return rules.gain(leg(ev, "ref"), leg(ev, "cand"), sets(ev), terms, known=launches_known(ev))


def leg(ev: Evidence, role: str) -> rules.Leg:
    """Launch medians and repeats of a leg, tok/s."""
    return rules.Leg([row.median for row in ev.tables.medians(role)], repeats(ev, role))


def sets(ev: Evidence) -> list[list[float]]:
    """Launch medians of each A/A set, tok/s."""
    return [[row.median for row in ev.tables.medians(item.role)] for item in ev.noise]


def measure(ev: Evidence) -> Effect:
    """Launch-level inference with launches enough on both sides, else the figures of the range rule, else none."""
    settings, known, said = ev.policy.delta, launches_known(ev), call(ev)
    pooled = said.pooled if known else _pooled(ev)
    sd = None if pooled is None else stats.significant(stats.pct(pooled.sd))
    if said.rule == "none" and not (repeats(ev, "ref") and repeats(ev, "cand")):
        return Effect(rule="none", alpha=ev.request.alpha, launch_sd_pct=sd, df=pooled.df if pooled else None)
    if said.interval is not None and pooled is not None:
        return _by_launches(ev, said.interval, pooled)
    by_order = stats.permutation_p(repeats(ev, "ref"), repeats(ev, "cand"), settings.permutations)
    return Effect(
        rule="ranges",
        alpha=ev.request.alpha,
        launch_sd_pct=sd,
        permutation_p=stats.significant(by_order),
        odds_pct=_odds(ev, known),
    )


def launches_known(ev: Evidence) -> bool:
    """True when it is on record which rows of both legs stand on which server launch."""
    return set(ev.legs) == {"ref", "cand"} and all(side.launches_known for side in ev.legs.values())


def by_launches(ev: Evidence) -> bool:
    """True when launches are enough on both sides to decide; else ranges do."""
    return call(ev).rule == "launches"


def _pooled(ev: Evidence) -> stats.Pooled | None:
    """Launch scatter of A/A sets, and of a reference whose launches are known beside a candidate whose are not: shown only."""
    known = "ref" in ev.legs and ev.legs["ref"].launches_known
    return stats.pool([*sets(ev), *([leg(ev, "ref").medians] if known else [])])


def _by_launches(ev: Evidence, found: stats.Interval, pooled: stats.Pooled) -> Effect:
    settings, request = ev.policy.delta, ev.request
    ref, cand = leg(ev, "ref").medians, leg(ev, "cand").medians
    rule = stats.Rule(request.alpha, request.noise_band_pct, settings.power, settings.max_launches)
    outside = pooled.df - (len(ref) - 1) - (len(cand) - 1)
    least = stats.detectable(pooled.sd, stats.Design(len(ref), len(cand), outside), rule)
    pair = _paired(ev)
    return Effect(
        rule="launches",
        estimate_pct=stats.significant(stats.pct(found.estimate)),
        lower_pct=stats.significant(stats.pct(found.lower)),
        upper_pct=stats.significant(stats.pct(found.upper)),
        alpha=request.alpha,
        p=stats.significant(found.p),
        df=found.df,
        launch_sd_pct=stats.significant(stats.pct(pooled.sd)),
        min_detectable_gain_pct=stats.significant(least),
        launches_needed=stats.launches_needed(found.estimate, pooled, outside, rule),
        paired_p=stats.significant(pair.p) if pair else None,
        paired_lower_pct=stats.significant(stats.pct(pair.lower)) if pair else None,
        permutation_p=stats.significant(stats.permutation_p(ref, cand, settings.permutations)),
    )


def _paired(ev: Evidence) -> stats.Interval | None:
    ref = {row.pair: row.median for row in ev.tables.medians("ref") if row.pair is not None}
    cand = {row.pair: row.median for row in ev.tables.medians("cand") if row.pair is not None}
    common = sorted(set(ref) & set(cand))
    return stats.paired([ref[pair] for pair in common], [cand[pair] for pair in common], ev.request.alpha)


def _odds(ev: Evidence, known: bool) -> dict[str, float]:
    """Chance (percent) that the range rule accepts nothing at all, per launch noise; unknown launches count as one a side."""
    settings = ev.policy.delta
    ref, cand = (repeats(ev, role) for role in ("ref", "cand"))
    if min(len(ref), len(cand)) < 2:
        return {}
    within = stats.pool([ref, cand])
    launches = [max(1, len(ev.tables.medians(role))) if known else 1 for role in ("ref", "cand")]
    design = stats.RangeDesign(launches[0], launches[1], len(ref), len(cand), within.sd if within else 0.0)
    chances = {
        noise: 100 * stats.range_odds(design, noise, ev.request.noise_band_pct, settings.odds_points)
        for noise in settings.odds_launch_noise_pct
    }
    return {f"{noise:g}": stats.significant(chance, 3) or 0.0 for noise, chance in chances.items()}


def repeats(ev: Evidence, role: str) -> list[float]:
    """Output throughput of every timed repeat of a leg, tok/s, in the order of launches and repeats."""
    return [row.value for row in ev.tables.leg_rows if row.leg == role]


def same_band(ev: Evidence) -> float | None:
    """A/A band, percent: what two groups of launches of the same thing, as many as the legs have, differ by through luck.

    From the launches of the A/A sets alone; where no set holds two launches, the spread of its repeats, which launches exceed.
    None without an A/A set.
    """
    sizes = [max(1, len(ev.tables.medians(role))) for role in ("ref", "cand")]
    pooled = stats.pool(sets(ev))
    if pooled is not None:
        return stats.same_band(pooled, sizes[0], sizes[1], ev.policy.delta.same_level)
    rows = [ev.tables.metric(leg.role, HEADLINE) for leg in ev.noise]
    return max((row.spread_pct for row in rows if row is not None and row.spread_pct is not None), default=None)
