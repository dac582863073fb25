"""Gate 5: what the headline does not say. Co-metrics of the same rows, beside the throughput."""

from __future__ import annotations

from audit.contract import Figure, Finding
from audit.evidence import Evidence, MetricRow
from audit.intake.rows import ALL_METRICS

GATE = "headline"
KEYS = {item.name: item for item in ALL_METRICS}
LABELS = {"ttft": "TTFT", "tpot": "TPOT", "itl": "ITL", "e2e_latency": "latency"}


def label(metric: str) -> str:
    """A metric as people call it: ``p99_ttft_ms`` is ``p99 TTFT``."""
    base = metric.removesuffix("_ms")
    head, _, rest = base.partition("_")
    if head[:1] == "p" and head[1:].isdigit():
        return f"{head} {LABELS.get(rest, rest)}"
    return LABELS.get(base, base.replace("_", " "))


def describe(metric: str, ref: MetricRow, cand: MetricRow, delta: float) -> str:
    """One metric in words: ``TTFT 580 -> 30.1 ms (-94.8 %)``."""
    unit = KEYS[metric].unit
    return f"{label(metric)} {ref.median:.3g} -> {cand.median:.3g}{'' if unit == '1' else f' {unit}'} ({delta:+.1f} %)"


def check(ev: Evidence) -> list[Finding]:
    """Each co-metric that is worse beyond the limit and its own spread; gains that belong beside it; else one ``ok``."""
    rules = ev.policy.headline
    bad: list[Finding] = []
    better: list[str] = []
    seen = 0
    for name in rules.co_metrics:
        ref, cand, pair = ev.tables.metric("ref", name), ev.tables.metric("cand", name), ev.tables.pair(name)
        if ref is None or cand is None or pair is None or pair.delta_pct is None:
            continue
        seen += 1
        worse = pair.delta_pct if KEYS[name].better == "lower" else -pair.delta_pct
        spread = max(ref.spread_pct or 0.0, cand.spread_pct or 0.0)
        if worse > rules.flag_pct and (worse > spread or bool(pair.non_overlapping)):
            bad.append(_worse(ev, name, ref, cand, worse))
        elif worse < -rules.flag_pct and name in rules.named_gains:
            better.append(describe(name, ref, cand, pair.delta_pct))
    if not seen:
        reason = "no latency or request figures in the rows: what the gain costs cannot be told"
        return [Finding(gate=GATE, status="unknown", ids=["R08"], reason=reason)]
    gains = "; ".join(better)
    if bad:
        from msgspec.structs import replace

        return [
            replace(item, reason=f"{item.reason}; better: {gains}" if gains and item is bad[0] else item.reason) for item in bad
        ]
    words = f"no co-metric is worse by more than {rules.flag_pct:g} %" + (f"; better: {gains}" if gains else "")
    return [Finding(gate=GATE, status="ok", ids=["R08"], reason=words, sql=["leg_metrics", "metric_pairs"])]


def _worse(ev: Evidence, name: str, ref: MetricRow, cand: MetricRow, worse: float) -> Finding:
    pair = ev.tables.pair(name)
    delta = pair.delta_pct if pair and pair.delta_pct is not None else 0.0
    harm = worse > ev.policy.headline.fail_pct
    rows = [next((row for row in ev.tables.leg_rows if row.leg == role), None) for role in ("ref", "cand")]
    limit = ev.policy.headline.fail_pct if harm else ev.policy.headline.flag_pct
    return Finding(
        gate=GATE,
        status="fail" if harm else "flag",
        situation="harm" if harm else "flagged",
        ids=["R08"],
        reason=f"regressed: {describe(name, ref, cand, delta)}, worse by more than {limit:g} % and beyond its spread",
        next_step=f"Name {label(name)} beside the throughput wherever the gain is quoted."
        if not harm
        else f"Mend {label(name)} first: at this price the throughput is no gain.",
        figures={
            "ref": Figure(ref.median, KEYS[name].unit),
            "cand": Figure(cand.median, KEYS[name].unit),
            "delta": Figure(delta, "%"),
        },
        sql=["leg_metrics", "metric_pairs"],
        evidence=[ev.source(row.file, row.line) for row in rows if row is not None],
    )
