"""Gate 5: what the headline does not say. Co-metrics of the same rows, beside the throughput."""

from __future__ import annotations

import math
import statistics

from audit import effect, stats
from audit.contract import Figure, Finding
from audit.evidence import Evidence, MetricRow
from audit.intake.model import Leg
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
    """Each co-metric that is worse beyond the limit and its own spread; gains that belong beside it; else one ``ok``.

    An ``ok`` is no proof of no loss: metrics whose loss the rows leave open are named beside it.
    """
    rules = ev.policy.headline
    bad: list[Finding] = _units(ev)
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
    held = Finding(gate=GATE, status="ok", ids=["R08", "R22"], reason=words, sql=["leg_metrics", "metric_pairs"])
    return [held, *_open(ev)]


def _units(ev: Evidence) -> list[Finding]:
    """Latencies of the two legs that are apart by a factor between units: one leg is in another unit."""
    found = []
    for name in (item for item in ev.policy.headline.co_metrics if item.endswith("_ms")):
        ref, cand = ev.tables.metric("ref", name), ev.tables.metric("cand", name)
        if ref is None or cand is None or min(ref.median, cand.median) <= 0:
            continue
        factor = max(ref.median / cand.median, cand.median / ref.median)
        if not _slipped(ev, name, factor, "ref" if ref.median < cand.median else "cand"):
            continue
        rows = [next((row for row in ev.tables.leg_rows if row.leg == role), None) for role in ("ref", "cand")]
        words = f"{label(name)} is {ref.median:.4g} ms in ref and {cand.median:.4g} ms in cand"
        found.append(
            Finding(
                gate=GATE, status="fail", situation="not_comparable", ids=["R21", "R09"], sql=["leg_metrics"],
                reason=f"{words}, {factor:.4g} times apart: a slip of unit",
                next_step=f"Find out in which unit each leg's client wrote {label(name)}, and measure again with one client.",
                evidence=[ev.source(row.file, row.line) for row in rows if row is not None],
            )
        )  # fmt: skip
    return found


def _slipped(ev: Evidence, name: str, factor: float, low: str) -> bool:
    """A factor between units, give or take what the legs truly differ by. Below the certain factor a true gain may be as large:

    then the wait that latency and TPOT of the lower leg leave for the first token must contradict it.
    """
    rules = ev.policy.rows
    if not any(abs(factor / unit - 1) <= rules.slip_pct / 100 for unit in rules.unit_factors):
        return False
    if factor >= rules.certain_factor:
        return True
    left = _left_for_first(ev, low) if name == "ttft_ms" else None
    said = ev.tables.metric(low, name)
    return left is not None and said is not None and left > said.median * math.sqrt(factor)


def _left_for_first(ev: Evidence, role: str) -> float | None:
    """Median latency less median TPOT for each further token, ms."""
    e2e, tpot = ev.tables.metric(role, "e2e_latency_ms"), ev.tables.metric(role, "tpot_ms")
    work = next((row for row in ev.tables.work if row.leg == role), None)
    if e2e is None or tpot is None or work is None or work.osl is None:
        return None
    return e2e.median - tpot.median * (work.osl - 1)


def _open(ev: Evidence) -> list[Finding]:
    """Co-metrics whose loss is not excluded: their rows are too few or too noisy to call them unharmed."""
    rules = ev.policy.headline
    bounds = {name: bound for name in rules.co_metrics if (bound := worst_loss(ev, name)) is not None and bound > rules.flag_pct}
    if not bounds:
        return []
    told = ", ".join(f"{label(name)} (up to {bound:.3g} %)" for name, bound in bounds.items())
    unit = "launches" if effect.launches_known(ev) else "repeats"
    reason = f"a loss of more than {rules.flag_pct:g} % is not excluded by the {unit}: {told}"
    figures = {name: Figure(stats.significant(bound), "%") for name, bound in bounds.items()}
    promised = next((word for word in rules.harmless_words if word in (ev.request.what or "").lower()), None)
    if promised is None:
        return [Finding(gate=GATE, status="unknown", required=False, ids=["M30"], reason=reason, figures=figures)]
    rows = [next((row for row in ev.tables.leg_rows if row.leg == role), None) for role in ("ref", "cand")]
    return [
        Finding(
            gate=GATE,
            status="flag",
            situation="flagged",
            ids=["M30"],
            reason=f"promised is {promised!r}, but {reason}: not seen is not the same as not there",
            next_step="Measure more launches, or drop the promise.",
            figures=figures,
            evidence=[ev.source(row.file, row.line) for row in rows if row is not None],
        )
    ]


def worst_loss(ev: Evidence, name: str) -> float | None:
    """How much worse, percent, the metric may be at the policy's level; over launches where they are known, else over repeats."""
    known = effect.launches_known(ev)
    ref, cand = (_values(ev.legs[role], name, by_launch=known) for role in ("ref", "cand"))
    if min(len(ref), len(cand)) < 2:
        return None
    if KEYS[name].better == "higher":
        ref, cand = cand, ref
    return stats.worst_loss(ref, cand, ev.policy.headline.alpha)


def _values(leg: Leg, name: str, *, by_launch: bool) -> list[float]:
    groups = [[row.metrics[name] for row in launch.rows if name in row.metrics] for launch in leg.launches]
    return (
        [statistics.median(group) for group in groups if group] if by_launch else [value for group in groups for value in group]
    )


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
        ids=["R08", "R22"] if KEYS[name].better == "lower" else ["R08"],
        reason=f"regressed: {describe(name, ref, cand, delta)}, worse by more than {limit:g} % and beyond its spread",
        next_step=f"Name {label(name)} beside the throughput wherever the gain is quoted."
        if not harm
        else f"Mend {label(name)} first: at this price the throughput is no gain.",
        figures={
            "ref": Figure(ref.median, KEYS[name].unit),
            "cand": Figure(cand.median, KEYS[name].unit),
            "delta": Figure(delta, "%"),
            "better": Figure(KEYS[name].better, "direction"),
        },
        sql=["leg_metrics", "metric_pairs"],
        evidence=[ev.source(row.file, row.line) for row in rows if row is not None],
    )
