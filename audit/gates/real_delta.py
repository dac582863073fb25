"""Gate 3: is the gain in output throughput real?"""

from __future__ import annotations

from typing import NamedTuple

from audit import effect, rules, stats
from audit.contract import Effect, Figure, Finding, Situation, Source, Status
from audit.evidence import Evidence, LegRow, MetricRow
from audit.gates import repeats

GATE = "real_delta"
SQL = ["leg_metrics", "metric_pairs", "launch_medians", "leg_rows"]


def check(ev: Evidence) -> list[Finding]:
    """Launch-level inference where launches are enough; else gain above the band and disjoint ranges."""
    ref, cand = (ev.tables.metric(role, effect.HEADLINE) for role in ("ref", "cand"))
    if ref is None or cand is None:
        words = "no end-to-end rows in leg " + " and ".join(role for role, row in (("ref", ref), ("cand", cand)) if row is None)
        return [
            _finding(
                "unknown", None, words, "Measure both legs end to end; an isolated number is no serving gain.", ["A07", "R01"]
            )
        ]
    if min(ref.n, cand.n) < 2:
        words = f"{ref.n} and {cand.n} timed repeats: one repeat shows neither spread nor overlap"
        return [_finding("unknown", None, words, "Measure at least two repeats a side, better three launches a side.", ["M28"])]
    said, found = effect.call(ev), effect.measure(ev)
    where = _medians(ev, ref, cand)
    worded = _by_launches if said.rule == "launches" else _by_ranges
    decided = worded(ev, said, found, _Sides(ref, cand, where))
    return [decided, *repeats.check(ev)]


class _Sides(NamedTuple):
    """Figures of both legs, and the rows that stand nearest to their medians."""

    ref: MetricRow
    cand: MetricRow
    where: list[Source]


def _medians(ev: Evidence, ref: MetricRow, cand: MetricRow) -> list[Source]:
    """The rows that stand nearest to the medians of both legs."""
    rows: list[LegRow] = []
    for side in (ref, cand):
        mine = [row for row in ev.tables.leg_rows if row.leg == side.leg]
        rows.append(min(mine, key=lambda row, side=side: (abs(row.value - side.median), row.file, row.line)))  # type: ignore[misc]
    return [ev.source(row.file, row.line) for row in rows]


def _finding(
    status: Status, situation: Situation | None, reason: str, step: str, ids: list[str], evidence: list[Source] | None = None
) -> Finding:
    return Finding(
        gate=GATE,
        status=status,
        situation=situation,
        ids=ids,
        reason=reason,
        next_step=step,
        sql=SQL if evidence else [],
        evidence=evidence or [],
    )


def _figures(found: Effect, ref: MetricRow, cand: MetricRow) -> dict[str, Figure]:
    figures = {
        "ref_median": Figure(ref.median, "tok/s"),
        "cand_median": Figure(cand.median, "tok/s"),
        "ref_max": Figure(ref.high, "tok/s"),
        "cand_min": Figure(cand.low, "tok/s"),
    }
    for name in ("estimate_pct", "lower_pct", "upper_pct", "launch_sd_pct", "min_detectable_gain_pct"):
        value = getattr(found, name)
        if value is not None:
            figures[name.removesuffix("_pct")] = Figure(value, "%")
    return figures


def _words(ref: MetricRow, cand: MetricRow, where: list[Source]) -> str:
    places = [f"{source.file}:{source.line}" for source in where]
    return f"{ref.median:.6g} -> {cand.median:.6g} tok/s ({places[0]}, {places[1]})"


def _by_launches(ev: Evidence, said: rules.Call, found: Effect, sides: _Sides) -> Finding:
    from msgspec.structs import replace

    ref, cand, where = sides
    band = ev.request.noise_band_pct
    estimate, lower, upper = found.estimate_pct or 0.0, found.lower_pct or 0.0, found.upper_pct or 0.0
    words = f"{_words(ref, cand, where)}: gain {estimate:+.2f} %, bounds {lower:+.2f} to {upper:+.2f} % at alpha {found.alpha:g}"
    against = _against(ev)
    if said.word == "proven":
        words += against
        ids = ["M06", "M07", "M19"] if against else ["M06", "M07"]
        finding = _finding("ok", None, f"the gain is real: {words}", "", ids, where)
    elif said.word == "refuted":
        step = "Drop this change: at this level no gain above the band is left to find."
        finding = _finding("fail", "refuted", f"refuted: {words}, below the band of {band:g} %", step, ["A14", "M07"], where)
    else:
        needed = found.launches_needed
        step = "Drop it, or measure many more launches: as it looks, no feasible number of them proves a gain above the band."
        if needed:
            step = f"Measure more launches: about {needed} a side would prove this gain, if it is as it looks."
        words += f", neither proven nor excluded; from {found.min_detectable_gain_pct or 0:.3g} % on a gain would have shown"
        finding = _finding("fail", "underpowered", f"underpowered: {words}", step, ["M06", "M07"], where)
    return replace(finding, figures=_figures(found, ref, cand))


def _against(ev: Evidence) -> str:
    """Pairs of launches that point the other way than the whole, in words; empty without one."""
    ref = {row.pair: row.median for row in ev.tables.medians("ref") if row.pair is not None}
    cand = {row.pair: row.median for row in ev.tables.medians("cand") if row.pair is not None}
    common = sorted(set(ref) & set(cand))
    other = [pair for pair in common if cand[pair] <= ref[pair]]
    return f" ({len(other)} of {len(common)} pairs of launches point the other way)" if other else ""


def _by_ranges(ev: Evidence, said: rules.Call, found: Effect, sides: _Sides) -> Finding:
    from msgspec.structs import replace

    ref, cand, where = sides
    band = ev.request.noise_band_pct
    delta = said.delta_pct
    odds = ", ".join(f"{chance:g} % at {noise} % launch noise" for noise, chance in found.odds_pct.items())
    by_order = f"permutation p {found.permutation_p:.2g} if every repeat were a launch" if found.permutation_p is not None else ""
    words = f"{_words(ref, cand, where)}: {delta:+.2f} %"
    luck = f"too few known launches for inference; by luck alone this rule accepts {odds}" if odds else "launches unknown"
    luck += f"; {by_order}" if by_order else ""
    if said.word == "proven":
        finding = _finding("ok", None, f"above the band and ranges disjoint: {words} ({luck})", "", ["M06", "M07"], where)
    elif said.word == "refuted":
        words = f"refuted: {words}, every candidate repeat below every reference repeat"
        finding = _finding("fail", "refuted", words, "Drop this change: it is slower.", ["A14"], where)
    else:
        why = "ranges overlap" if delta > band else f"not above the band of {band:g} %"
        step = f"Measure at least {ev.policy.delta.min_launches} fresh launches a side, interleaved."
        finding = _finding("fail", "underpowered", f"underpowered: {words}, {why} ({luck})", step, ["M06", "M07"], where)
    return replace(finding, figures=_figures(found, ref, cand) | {"delta": Figure(stats.significant(delta), "%")})
