"""Baseline scope: is the baseline quiet enough to measure a gain against?"""

from __future__ import annotations

import statistics

from audit import effect, stats
from audit.contract import Figure, Finding
from audit.evidence import Evidence, LegRow, MetricRow
from audit.gates import repeats

GATE = "spread"
STEP = "Measure a whole new set; look at what ran beside it and whether the warm-up was long enough."


def check(ev: Evidence) -> list[Finding]:
    """Spread against the band, the repeat that stands out, a first that differs, a trend, two modes, memory, a coarse clock."""
    row = ev.tables.metric("ref", effect.HEADLINE)
    if row is None or row.n < 2 or row.spread_pct is None:
        n = 0 if row is None else row.n
        reason = f"{n} timed repeats: one repeat shows no spread"
        return [Finding(gate=GATE, status="unknown", ids=["M28"], reason=reason, next_step="Measure at least two repeats.")]
    rows = [item for item in ev.tables.leg_rows if item.leg == "ref"]
    common = f"median {row.median:.6g} tok/s, spread {row.spread_pct:.3g} % over {row.n} repeats"
    found = [*_wide(ev, row, rows, common), *_first(ev, rows), *_trend(ev, rows)]
    found += [*_modes(ev, rows), *_memory(ev, rows), *_coarse(ev)]
    if found:
        return found
    sql = ["leg_metrics", "leg_rows"]
    return [Finding(gate=GATE, status="ok", ids=["M01", "M12"], reason=common, figures=_figures(ev, row), sql=sql)]


def _figures(ev: Evidence, row: MetricRow) -> dict[str, Figure]:
    limit = ev.policy.baseline.spread_x * ev.request.noise_band_pct
    return {"median": Figure(row.median, "tok/s"), "spread": Figure(row.spread_pct, "%"), "limit": Figure(limit, "%")}


def _noisy(ev: Evidence, ids: list[str], reason: str, rows: list[LegRow], figures: dict[str, Figure] | None = None) -> Finding:
    return Finding(
        gate=GATE,
        status="flag",
        situation="noisy",
        ids=ids,
        reason=reason,
        next_step=STEP,
        figures=figures or {},
        sql=["leg_metrics", "leg_rows"] if figures else ["leg_rows"],
        evidence=[ev.source(row.file, row.line) for row in rows],
    )


def _wide(ev: Evidence, row: MetricRow, rows: list[LegRow], common: str) -> list[Finding]:
    band, times = ev.request.noise_band_pct, ev.policy.baseline.spread_x
    if row.spread_pct is None or row.spread_pct <= times * band:
        return []
    far = _outlier(rows)
    first = " (the first: a warm-up?)" if far.repeat == 0 else ""
    reason = (
        f"noisy: {common}, more than {times:g} x the band of {band:g} %; "
        f"repeat {far.repeat} of {far.launch} stands out with {far.value:.6g} tok/s{first} ({far.file}:{far.line})"
    )
    return [_noisy(ev, ["M01", "M12"] if far.repeat == 0 else ["M12"], reason, [far], _figures(ev, row))]


def _outlier(rows: list[LegRow]) -> LegRow:
    """The repeat furthest from the median of the others."""

    def distance(row: LegRow) -> tuple[float, str, int]:
        others = [item.value for item in rows if item is not row]
        return (abs(row.value - statistics.median(others)), row.file, row.line)

    return max(rows, key=distance)


def _first(ev: Evidence, rows: list[LegRow]) -> list[Finding]:
    """First repeats that are not of one kind with the rest, by more than the band."""
    groups = repeats.launches(rows)
    first = stats.first_repeat([[row.value for row in group] for group in groups])
    if first is None or first.p > ev.policy.series.first_p or abs(first.shift_pct) <= ev.request.noise_band_pct:
        return []
    reason = (
        f"the first repeat of each launch is {first.shift_pct:+.2f} % off the rest (p {first.p:.2g}, {len(groups)} launches; "
        f"{rows[0].file}:{rows[0].line}): it was not warm, or the rest was not rested"
    )
    return [_noisy(ev, ["M01"], reason, [rows[0]])]


def _trend(ev: Evidence, rows: list[LegRow]) -> list[Finding]:
    """Repeats that rise or fall together by more than a baseline's spread may be."""
    found = stats.trend([[row.value for row in group] for group in repeats.launches(rows)])
    limit = ev.policy.baseline.spread_x * ev.request.noise_band_pct
    if found is None or found.p > ev.policy.series.trend_p or abs(found.change_pct) <= limit:
        return []
    reason = (
        f"drift inside the leg: the repeats move in one direction, {found.change_pct:+.2f} % from first to last "
        f"(tau {found.tau:+.2f}, p {found.p:.2g})"
    )
    return [_noisy(ev, ["M01", "M05"], reason, [rows[0], rows[-1]])]


def _modes(ev: Evidence, rows: list[LegRow]) -> list[Finding]:
    """Two clusters further apart than the band."""
    found = stats.two_modes([row.value for row in rows], ev.policy.series.modes)
    if found is None or 100 * (found.high / found.low - 1) <= ev.request.noise_band_pct:
        return []
    reason = (
        f"the leg runs in two modes: {found.n_low} repeats near {found.low:.6g} and {found.n_high} near {found.high:.6g} tok/s; "
        "a comparison would tell how often each was hit"
    )
    return [_noisy(ev, ["M13"], reason, [min(rows, key=_value), max(rows, key=_value)])]


def _value(row: LegRow) -> tuple[float, str, int]:
    return (row.value, row.file, row.line)


def _memory(ev: Evidence, rows: list[LegRow]) -> list[Finding]:
    """Neighbouring repeats alike, in a leg that moves by more than the band: fewer independent repeats than rows."""
    rules = ev.policy.series
    p = stats.memory_p([[row.value for row in group] for group in repeats.launches(rows)], rules.memory_repeats)
    wide = 100 * (max(rows, key=_value).value / min(rows, key=_value).value - 1)
    if p is None or p > rules.memory_p or wide <= ev.request.noise_band_pct:
        return []
    reason = (
        f"each repeat resembles the one before it (lag-1 correlation, p {p:.2g}): {len(rows)} repeats tell less than they seem"
    )
    return [_noisy(ev, ["M29"], reason, [rows[0], rows[-1]])]


def _coarse(ev: Evidence) -> list[Finding]:
    """Durations in steps wider than the band."""
    measured = ev.legs["ref"].rows
    step = repeats.clock_step(measured)
    if step is None or 100 * step / measured[0][1].duration <= ev.request.noise_band_pct:
        return []
    row = measured[0][1]
    place, pct = row.source, 100 * step / row.duration
    reason = f"the durations come in steps of {step:g} s ({place.file}:{place.line}), {pct:.2g} % of a repeat"
    return [
        Finding(
            gate=GATE,
            status="flag",
            situation="noisy",
            ids=["M24"],
            reason=reason,
            next_step="Measure with a finer clock, or make each repeat last longer.",
            evidence=[ev.source(place.file, place.line)],
        )
    ]
