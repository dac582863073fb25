"""The gain as launches show it: from evidence to ``Effect``, by the rules of design.md, "Noise, launches, odds"."""

from __future__ import annotations

from audit import stats
from audit.contract import Effect
from audit.evidence import Evidence

HEADLINE = "output_throughput"


def measure(ev: Evidence) -> Effect:
    """Launch-level inference with launches enough on both sides, else the figures of the range rule, else none."""
    rules = ev.policy.delta
    groups = {role: [row.median for row in ev.tables.medians(role)] for role in ("ref", "cand")}
    known = all(leg.launches_known for leg in ev.legs.values()) and set(ev.legs) == {"ref", "cand"}
    sets = [[row.median for row in ev.tables.medians(leg.role)] for leg in ev.noise]
    pooled = stats.pool([*sets, *(groups.values() if known else [groups["ref"]] if _known(ev, "ref") else [])])
    sd = None if pooled is None else stats.significant(stats.pct(pooled.sd))
    if min(len(values) for values in groups.values()) == 0:
        return Effect(rule="none", alpha=ev.request.alpha, launch_sd_pct=sd, df=pooled.df if pooled else None)
    if known and min(len(values) for values in groups.values()) >= rules.min_launches and pooled is not None and pooled.sd > 0:
        return _by_launches(ev, groups["ref"], groups["cand"], pooled)
    return Effect(rule="ranges", alpha=ev.request.alpha, launch_sd_pct=sd, odds_pct=_odds(ev, known))


def _known(ev: Evidence, role: str) -> bool:
    return role in ev.legs and ev.legs[role].launches_known


def _by_launches(ev: Evidence, ref: list[float], cand: list[float], pooled: stats.Pooled) -> Effect:
    rules, request = ev.policy.delta, ev.request
    found = stats.gain(ref, cand, pooled, request.alpha)
    rule = stats.Rule(request.alpha, request.noise_band_pct, rules.power, rules.max_launches, rules.simulations, rules.seed)
    n = min(len(ref), len(cand))
    outside = pooled.df - (len(ref) - 1) - (len(cand) - 1)
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
        min_detectable_gain_pct=stats.significant(
            stats.detectable(pooled, n, request.alpha, rules.power, request.noise_band_pct)
        ),
        launches_needed=stats.launches_needed(found.estimate, pooled, outside, rule),
        paired_p=stats.significant(pair.p) if pair else None,
        paired_lower_pct=stats.significant(stats.pct(pair.lower)) if pair else None,
        permutation_p=stats.significant(stats.permutation_p(ref, cand, rules.permutations)),
    )


def _paired(ev: Evidence) -> stats.Interval | None:
    ref = {row.pair: row.median for row in ev.tables.medians("ref") if row.pair is not None}
    cand = {row.pair: row.median for row in ev.tables.medians("cand") if row.pair is not None}
    common = sorted(set(ref) & set(cand))
    return stats.paired([ref[pair] for pair in common], [cand[pair] for pair in common], ev.request.alpha)


def _odds(ev: Evidence, known: bool) -> dict[str, float]:
    """Chance (percent) that the range rule accepts nothing at all, per launch noise; unknown launches count as one a side."""
    rules = ev.policy.delta
    values = {role: [row.value for row in ev.tables.leg_rows if row.leg == role] for role in ("ref", "cand")}
    if min(len(rows) for rows in values.values()) < 2:
        return {}
    within = stats.pool(list(values.values()))
    launches = max(1, min(len(ev.tables.medians("ref")), len(ev.tables.medians("cand")))) if known else 1
    design = stats.RangeDesign(launches, len(values["ref"]), len(values["cand"]), within.sd if within else 0.0)
    return {
        f"{noise:g}": stats.significant(
            100 * stats.range_odds(design, noise, ev.request.noise_band_pct, rules.odds_draws, rules.seed), 3
        )
        or 0.0
        for noise in rules.odds_launch_noise_pct
    }
