"""Baseline scope: is the baseline quiet enough to measure a gain against?"""

from __future__ import annotations

import statistics

from audit import effect, stats
from audit.contract import Figure, Finding
from audit.evidence import Evidence, LegRow
from audit.gates import same_conditions

GATE = "spread"
STEP = "Measure a whole new set; look at what ran beside it and whether the warm-up was long enough."


def check(ev: Evidence) -> list[Finding]:
    """Spread against the band, the repeat that stands out, and a trend inside the leg."""
    row = ev.tables.metric("ref", effect.HEADLINE)
    if row is None or row.n < 2 or row.spread_pct is None:
        n = 0 if row is None else row.n
        reason = f"{n} timed repeats: one repeat shows no spread"
        return [Finding(gate=GATE, status="unknown", ids=["M28"], reason=reason, next_step="Measure at least two repeats.")]
    band, times = ev.request.noise_band_pct, ev.policy.baseline.spread_x
    figures = {"median": Figure(row.median, "tok/s"), "spread": Figure(row.spread_pct, "%"), "limit": Figure(times * band, "%")}
    rows = [item for item in ev.tables.leg_rows if item.leg == "ref"]
    common = f"median {row.median:.6g} tok/s, spread {row.spread_pct:.3g} % over {row.n} repeats"
    found = _trend(ev, rows, times * band)
    if row.spread_pct > times * band:
        far = _outlier(rows)
        first = " (the first: a warm-up?)" if far.repeat == 0 else ""
        reason = (
            f"noisy: {common}, more than {times:g} x the band of {band:g} %; "
            f"repeat {far.repeat} of {far.launch} stands out with {far.value:.6g} tok/s{first} ({far.file}:{far.line})"
        )
        source = [ev.source(far.file, far.line)]
        found.insert(
            0,
            Finding(
                gate=GATE,
                status="flag",
                situation="noisy",
                ids=["M01", "M12"] if far.repeat == 0 else ["M12"],
                reason=reason,
                next_step=STEP,
                figures=figures,
                sql=["leg_metrics", "leg_rows"],
                evidence=source,
            ),
        )
    if found:
        return found
    return [Finding(gate=GATE, status="ok", ids=["M01", "M12"], reason=common, figures=figures, sql=["leg_metrics", "leg_rows"])]


def _outlier(rows: list[LegRow]) -> LegRow:
    """The repeat furthest from the median of the others."""

    def distance(row: LegRow) -> tuple[float, str, int]:
        others = [item.value for item in rows if item is not row]
        return (abs(row.value - statistics.median(others)), row.file, row.line)

    return max(rows, key=distance)


def _trend(ev: Evidence, rows: list[LegRow], limit_pct: float) -> list[Finding]:
    values = [row.value for row in rows]
    if len(values) < ev.policy.baseline.trend_repeats or not stats.monotone(values):
        return []
    change = 100 * (values[-1] - values[0]) / values[0]
    if abs(change) <= limit_pct:
        return []
    reason = f"drift inside the leg: {len(values)} repeats in one direction, {change:+.2f} % from first to last"
    source = [ev.source(row.file, row.line) for row in (rows[0], rows[-1])]
    return [
        Finding(gate=GATE, status="flag", situation="noisy", ids=["M01", "M05"], reason=reason, next_step=STEP, evidence=source)
    ]


def conditions(ev: Evidence) -> list[Finding]:
    """Launches of the leg agree on every setting."""
    gate = "baseline_conditions"
    failing = same_conditions.within(ev, gate)
    if failing:
        return failing
    if not any(launch.server or any(row.config for row in launch.rows) for launch in ev.legs["ref"].launches):
        return [Finding(gate=gate, status="unknown", ids=["C12"], reason="no server settings are recorded")]
    return [Finding(gate=gate, status="ok", ids=["C12"], reason="every launch ran with the same settings", sql=["config_within"])]
