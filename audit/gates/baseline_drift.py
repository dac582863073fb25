"""Gate 2: the reference is as fast as it is said to be."""

from __future__ import annotations

from audit import effect, rules, stats
from audit.contract import Figure, Finding
from audit.evidence import Evidence

GATE = "baseline_drift"


def drift_pct(ev: Evidence) -> float | None:
    """Median of the reference against the given baseline, percent; None where either is missing."""
    given, row = ev.request.baseline_throughput, ev.tables.metric("ref", "output_throughput")
    return None if given is None or row is None else 100.0 * (row.median - given) / given


def check(ev: Evidence) -> list[Finding]:
    """Beyond the declared band; with enough launches also beyond what their scatter explains."""
    given, drift = ev.request.baseline_throughput, drift_pct(ev)
    if given is None:
        return [Finding(gate=GATE, status="n/a", ids=["M04"], reason="no baseline throughput was given")]
    if drift is None:
        return [
            Finding(
                gate=GATE, status="unknown", ids=["M04"], reason="the reference has no rows to compare with the given baseline"
            )
        ]
    band = ev.request.noise_band_pct
    figures = {"given": Figure(given, "tok/s"), "drift": Figure(drift, "%"), "band": Figure(band, "%")}
    ref, terms = effect.leg(ev, "ref"), rules.Terms(ev.policy.drift.alpha, band, ev.policy.delta.min_launches)
    known = ev.legs["ref"].launches_known
    interval = rules.drift(ref, effect.leg(ev, "cand"), effect.sets(ev), given, terms, known=known)
    words = f"the reference runs at {drift:+.2f} % of the given baseline of {given:g} tok/s"
    if interval is not None:
        figures |= {
            "lower": Figure(stats.significant(stats.pct(interval.lower)), "%"),
            "upper": Figure(stats.significant(stats.pct(interval.upper)), "%"),
        }
        words += f" (launch-level interval {stats.pct(interval.lower):+.2f} to {stats.pct(interval.upper):+.2f} %)"
    beyond = rules.drifted(ref, interval, given, band)
    rows = [row for row in ev.tables.leg_rows if row.leg == "ref"][:1]
    return [
        Finding(
            gate=GATE,
            status="fail" if beyond else "ok",
            situation="not_comparable" if beyond else None,
            ids=["M04", "C11"] if drift < 0 else ["M04"],
            reason=f"baseline drift: {words}, beyond the band of {band:g} %" if beyond else f"{words}, no more than noise",
            next_step="Measure the baseline again beside the reference; compare machines and settings." if beyond else "",
            figures=figures,
            sql=["leg_metrics", "launch_medians"],
            evidence=[ev.source(row.file, row.line) for row in rows],
        )
    ]
