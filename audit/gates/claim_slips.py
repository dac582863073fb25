"""The usual slips: how a wrong figure comes about. A slip is named only when it gives the claimed figure exactly."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator
from typing import NamedTuple

from audit.effect import HEADLINE
from audit.evidence import Evidence
from audit.gates import claim_rows
from audit.intake.claims import Claim
from audit.intake.rows import flatten


class Slip(NamedTuple):
    """A wrong way to a figure: the figure, the taxonomy ids, the words."""

    value: float
    ids: tuple[str, ...]
    words: str


def of_level(ev: Evidence, claim: Claim, leg: str, metric: str) -> Iterator[Slip]:
    """Wrong ways to a level of one leg: another statistic, another basis, another unit, another leg."""
    rows = [point.value for point in claim_rows.points(ev, leg, metric, claim.launch)]
    if not rows:
        return
    middle = statistics.median(rows)
    latency = metric.endswith("_ms")
    if claim.subject == "median":
        best, worst = (min(rows), max(rows)) if latency else (max(rows), min(rows))
        yield Slip(best, ("M17",), "the best repeat, not the median")
        yield Slip(statistics.fmean(rows), ("M17",), "the mean, not the median")
        yield Slip(worst, ("M17",), "the worst repeat, not the median")
    figure = claim_rows.level(claim.subject, rows) if claim.subject in claim_rows.LEVELS else middle
    if figure is None or claim.subject == "spread_pct":
        return
    yield Slip(figure / 1000, ("R21",), "seconds under a name in ms" if latency else "thousands of tokens, not tokens")
    yield Slip(figure * 1000, ("R21",), "a thousand times too large: another unit")
    if not latency:
        yield from _other_bases(ev, claim, leg, metric)
    other = "cand" if leg == "ref" else "ref"
    there = claim_rows.measured(ev, claim.subject, other, metric)
    if there is not None:
        yield Slip(there, ("R02",), f"the figure of the other leg ({other})")


def _other_bases(ev: Evidence, claim: Claim, leg: str, metric: str) -> Iterator[Slip]:
    """Throughputs on another basis: other tokens, a device's share, latencies turned over, the server's own word."""
    gpus = devices(ev, leg)
    names = {
        "total_throughput": ("total tokens, prompts counted in", "R06"),
        "input_throughput": ("prompt tokens", "R06"),
        "output_throughput": ("output tokens", "R06"),
        "request_throughput": ("requests per second", "R09"),
    }
    for name, (words, taxonomy) in names.items():
        rows = [point.value for point in claim_rows.points(ev, leg, name, claim.launch)]
        figure = claim_rows.level(claim.subject, rows) if rows and claim.subject in claim_rows.LEVELS else None
        if figure is None:
            continue
        if name != metric:
            yield Slip(figure, (taxonomy,), words)
        if gpus > 1:
            yield Slip(figure / gpus, ("R05",), f"{words if name != metric else 'the figure'} for one of {gpus:g} devices")
            yield Slip(figure * gpus, ("R05",), f"{words if name != metric else 'the figure'} times {gpus:g} devices")
    for name in ("tpot_ms", "itl_ms", "p90_tpot_ms", "p90_itl_ms"):
        rows = [point.value for point in claim_rows.points(ev, leg, name, claim.launch)]
        if rows and statistics.median(rows) > 0:
            yield Slip(1000 / statistics.median(rows), ("R09", "R07"), f"1000 / {name}: a rate of one request, derived from ms")
    for value in _own_figures(ev, leg):
        yield Slip(value, ("R13",), "what the server reports of itself (last_gen_throughput), not what the client measured")


def devices(ev: Evidence, leg: str) -> float:
    """Devices of a leg by its effective parallel sizes; 1 where they are not recorded."""
    found = claim_rows.settings(ev).get(leg, {})
    total = 1.0
    for key in ev.policy.claims.gpus:
        values = [claim_rows.number(json.loads(item.value)) for launch in found.get(key, {}).values() for item in launch[:1]]
        total *= next((value for value in values if value), 1.0)
    return total


def _own_figures(ev: Evidence, leg: str) -> Iterator[float]:
    seen: set[str] = set()
    for _, row in ev.legs[leg].rows:
        if row.config is None or row.config in seen:
            continue
        seen.add(row.config)
        for key, text in flatten(row.config).items():
            value = claim_rows.number(json.loads(text)) if ev.policy.keys.bare(key) in ev.policy.claims.own_figures else None
            if value:
                yield value


def of_gain(ev: Evidence, metric: str, *, percent: bool) -> Iterator[Slip]:
    """Wrong ways to a gain: units mixed, direction turned, other statistics, another basis, an isolated figure."""
    ref, cand = ([point.value for point in claim_rows.points(ev, leg, metric)] for leg in ("ref", "cand"))
    if not ref or not cand or min(ref) <= 0 or min(cand) <= 0:
        return
    ratio = statistics.median(cand) / statistics.median(ref)
    pct = 100 * (ratio - 1)
    if percent:
        yield Slip(pct / 100, ("R23",), "a fraction, where percent are asked")
        yield Slip(ratio, ("R23",), "a ratio, where percent are asked")
        yield Slip(100 * ratio, ("R23",), "100 x the ratio, not the gain in percent")
        yield Slip(100 * math.log(ratio), ("R23",), "log points, not percent")
        yield Slip(statistics.median(cand) - statistics.median(ref), ("R23",), "the difference in tok/s, not in percent")
    else:
        yield Slip(pct, ("R23",), "percent, where a ratio is asked")
        yield Slip(ratio - 1, ("R23",), "a fraction, where a ratio is asked")

    def shown(value: float) -> float:
        return 100 * (value - 1) if percent else value

    yield Slip(shown(1 / ratio), ("R22",), "the ratio upside down")
    if percent:
        yield Slip(-pct, ("R22",), "the sign is turned")
        yield Slip(100 * (1 - 1 / ratio), ("R23", "M19"), "a share of the candidate, not of the reference")
    yield Slip(shown(max(cand) / statistics.median(ref)), ("M17",), "the best candidate repeat over the reference's median")
    yield Slip(shown(max(cand) / min(ref)), ("M17",), "the best candidate repeat over the worst reference repeat")
    yield Slip(shown(max(cand) / max(ref)), ("M17",), "the best repeats, not the medians")
    yield Slip(shown(statistics.fmean(cand) / statistics.fmean(ref)), ("M17",), "means, not medians")
    for name in ("output_throughput", "total_throughput", "input_throughput", "request_throughput"):
        pair = ev.tables.pair(name)
        if name != metric and pair is not None and pair.delta_pct is not None:
            yield Slip(shown(1 + pair.delta_pct / 100), ("R06",), f"the gain in {name.replace('_', ' ')}")
    for name in ("ttft_ms", "tpot_ms", "e2e_latency_ms"):
        pair = ev.tables.pair(name) if metric == HEADLINE else None
        if pair is not None and pair.delta_pct is not None:
            yield Slip(shown(1 - pair.delta_pct / 100), ("R07",), f"the gain in {name}")
    for item in ev.claims.items:
        said = claim_rows.number(item.value) if item.subject == "isolated_speedup" else None
        if said:
            yield Slip(shown(said), ("A07",), f"the isolated speed-up of {item.source.file}")
