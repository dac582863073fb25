"""What else than the two rules would notice: the auditor's own gates, asked on evidence that was put together in memory."""

from __future__ import annotations

import statistics
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from audit.contract import AuditRequest, Finding, Source
from audit.evidence import ContentionRow, Evidence, LaunchMedian, LegRow, MetricRow, PairRow, Tables
from audit.gates import contention, headline, order, repeats, spread
from audit.intake.model import Launch, Leg, Ours, Plan, Row, Sandbox, Server, Stop
from audit.policy import Policy, load
from proof.noise.draw import Pair, tokens_of
from proof.noise.worlds import DESIGN, World

HEADLINE = "output_throughput"
REQUESTS = 4
"""Of a repeat; all are sent when it begins and answered when it ends."""
FIRST_SHARE, LATE_SHARE = 0.1, 0.002
"""Of a repeat's time until the first token; and by how much later, at most, one request of each repeat gets its own."""
WARM_S = 3.5
"""From a server's start to its first repeat, seconds."""


@lru_cache(maxsize=1)
def shipped() -> Policy:
    """The auditor's default policy."""
    return load().policy


def first_tokens(seconds: float, name: str) -> list[float]:
    """Seconds until each request's first token. The last one comes a little later, by a share that hangs on the repeat's name.

    So repeats that a coarse clock gives the same duration are still told apart by their latencies, as real ones are.
    """
    late = LATE_SHARE * (zlib.crc32(name.encode()) + 1) / 2**32
    return [FIRST_SHARE * seconds] * (REQUESTS - 1) + [(FIRST_SHARE + late) * seconds]


def figures(tok_s: float, tokens: int, name: str) -> dict[str, float]:
    """Figures of a repeat as a row holds them, latencies in ms; the 99th percentile of so few requests is the largest."""
    seconds, each = tokens / tok_s, tokens // REQUESTS
    first = first_tokens(seconds, name)
    steady = 1000 * (seconds - first[0]) / (each - 1)
    return {
        HEADLINE: tok_s, "request_throughput": REQUESTS / seconds, "ttft_ms": 1000 * first[0], "p99_ttft_ms": 1000 * first[-1],
        "tpot_ms": steady, "p99_tpot_ms": steady, "itl_ms": steady, "p99_itl_ms": steady, "e2e_latency_ms": 1000 * seconds,
        "p99_e2e_latency_ms": 1000 * seconds,
    }  # fmt: skip


def evidence(pair: Pair, world: World, alpha: float) -> Evidence:
    """What intake would make of the pair's files: rows, medians and records that the gates below look at."""
    legs, rows, medians, strangers = {}, [], [], []
    starts = _starts(pair.order)
    sides = (("ref", pair.ref, pair.ref_foreign, pair.warmups[0]), ("cand", pair.cand, pair.cand_foreign, pair.warmups[1]))
    for role, launches, foreign, warmup in sides:
        made = []
        for at, values in enumerate(launches):
            name = f"{role}/launch_{at:03d}"
            file = f"{name}/bench_runs.jsonl"
            rows += [LegRow(role, name, place, file, place + 1, value) for place, value in enumerate(values)]
            medians.append(LaunchMedian(role, name, at, len(values), statistics.median(values)))
            strangers += [ContentionRow(role, name, place, foreign[at], 0.0, 1.0, None, None) for place in range(len(values))]
            plan = Plan(at, starts[role][at][0], pair.order, len(values), REQUESTS, warmup)
            made.append(_launch(name, values, plan, starts[role][at][1], world))
        legs[role] = Leg(role, role, tuple(made), launches_known=True)
    noise = _set(pair.aa, world, "noise0")
    for launch, values in zip(noise.launches, pair.aa, strict=True):
        medians.append(LaunchMedian("noise0", launch.id, None, len(values), statistics.median(values)))
    request = AuditRequest(
        scope="patch", noise_band_pct=world.band_pct, alpha=alpha, baseline_throughput=pair.given, noise_dirs=["baseline/set_1"]
    )
    metrics = tuple(_metric(role, [value for values in launches for value in values]) for role, launches, _, _ in sides)
    delta = PairRow(HEADLINE, 100 * (metrics[1].median / metrics[0].median - 1), metrics[1].low > metrics[0].high)
    tables = _tables(metrics, (delta,), medians, rows, strangers)
    return Evidence(request, shipped(), legs, (noise,), tables, (), (), True, {})


def _starts(legs: Sequence[str]) -> dict[str, list[tuple[int, float]]]:
    """Position in the plan and start, seconds, of each leg's launches."""
    found: dict[str, list[tuple[int, float]]] = {"ref": [], "cand": []}
    for position, leg in enumerate(legs):
        found[leg].append((position, position * DESIGN.launch_s))
    return found


def _launch(name: str, values: Sequence[float], plan: Plan, started: float, world: World) -> Launch:
    tokens, clock, rows = tokens_of(world), started + WARM_S, []
    for place, value in enumerate(values):
        seconds = tokens / value
        ours = Ours("", name, place, clock, clock + seconds, REQUESTS, 0, tokens // REQUESTS, "", 0, tokens)
        rows.append(
            Row(
                place, Source(f"{name}/bench_runs.jsonl", None, place + 1), figures(value, tokens, f"{name}/{place}"), seconds,
                REQUESTS, 0, tokens, {}, None, ours, "countersign",
            )
        )  # fmt: skip
        clock += seconds + 0.5
    server = Server("", name, "complete", {}, {}, plan, started, clock, Sandbox("bubblewrap"), Stop([], True))
    return Launch(name, tuple(rows), own=True, server=server)


def _set(aa: Sequence[Sequence[float]], world: World, role: str) -> Leg:
    """An A/A set."""
    plan = Plan(0, 0, ["aa"] * len(aa), len(aa[0]), REQUESTS, world.warmup_ref)
    made = [_launch(f"baseline/set_1/launch_{at:03d}", values, plan, at * DESIGN.launch_s, world) for at, values in enumerate(aa)]
    return Leg(role, "baseline/set_1", tuple(made), launches_known=True)


def _metric(role: str, values: Sequence[float], name: str = HEADLINE) -> MetricRow:
    middle, low, high = statistics.median(values), min(values), max(values)
    return MetricRow(role, name, len(values), middle, low, high, 100.0 * (high - low) / middle)


def _tables(
    metrics: tuple[MetricRow, ...], pairs: tuple[PairRow, ...], medians: Sequence[LaunchMedian], rows: Sequence[LegRow],
    strangers: Sequence[ContentionRow] = (),
) -> Tables:  # fmt: skip
    return Tables(
        metrics=metrics, pairs=pairs, launch_medians=tuple(medians), within=(), between=(), work=(), prompt_pairs=(), shapes=(),
        stops=(), contention=tuple(strangers), overlaps=(), short=(), answers=(), answer_pairs=(), leg_rows=tuple(rows),
    )  # fmt: skip


def doubts(ev: Evidence) -> list[Finding]:
    """What gate 3 flags beside the rule: a faulted or early repeat, two modes, a coarse clock, a borrowed band."""
    return [item for item in repeats.check(ev) if item.status == "flag"]


def in_order(ev: Evidence) -> list[Finding]:
    """What gate 1 says against the order of the legs and their warm-ups."""
    return [item for item in order.check(ev) if item.status != "ok"]


def contended(ev: Evidence) -> list[Finding]:
    """What gate 1 says against neighbours."""
    return [item for item in contention.check(ev) if item.status != "ok"]


def beside(ev: Evidence) -> list[Finding]:
    """What gate 5 says of the other figures of the same rows: worse ones, and losses that it cannot exclude."""
    metrics, pairs = list(ev.tables.metrics), list(ev.tables.pairs)
    for name in shipped().headline.co_metrics:
        if name == "success_rate":
            continue
        values = {role: [row.metrics[name] for _, row in leg.rows] for role, leg in ev.legs.items()}
        ref, cand = (_metric(role, values[role], name) for role in ("ref", "cand"))
        metrics += [ref, cand]
        apart = cand.low > ref.high or cand.high < ref.low
        pairs.append(PairRow(name, 100.0 * (cand.median - ref.median) / ref.median, apart))
    whole = replace(ev, tables=replace(ev.tables, metrics=tuple(metrics), pairs=tuple(pairs)))
    return [item for item in headline.check(whole) if item.status != "ok"]


def restless(aa: Sequence[Sequence[float]], world: World) -> list[Finding]:
    """What the audit of the baseline says against an A/A set."""
    leg = _set(aa, world, "ref")
    rows = [
        LegRow("ref", launch.id, row.repeat, row.source.file, row.repeat + 1, row.metrics[HEADLINE])
        for launch in leg.launches
        for row in launch.rows
    ]
    tables = _tables((_metric("ref", [row.value for row in rows]),), (), (), rows)
    request = AuditRequest(scope="baseline", noise_band_pct=world.band_pct)
    ev = Evidence(request, shipped(), {"ref": leg}, (), tables, (), (), True, {})
    return [item for item in spread.check(ev) if item.status != "ok"]
