"""Gate 1, the load: what the rows name as their load is what the server was given."""

from __future__ import annotations

import statistics

from audit.contract import Figure, Finding
from audit.evidence import Evidence

GATE = "load"


def check(ev: Evidence) -> list[Finding]:
    """Requests in flight against the asked concurrency, tokens against the text of the answers."""
    found = [*_in_flight(ev), *_recounted(ev), *_queued(ev)]
    known = [row for row in ev.tables.flights if row.leg in ev.legs]
    if found:
        return found
    if not known:
        return [Finding(gate=GATE, status="n/a", ids=["W21"], reason="requests in flight are not on record")]
    least = min(known, key=lambda row: row.mean / row.limit)
    words = f"at least {least.mean:.4g} requests in flight on average where {least.limit:g} were asked"
    figures = {"in_flight": Figure(least.mean, "requests"), "asked": Figure(least.limit, "requests")}
    return [Finding(gate=GATE, status="ok", ids=["W21"], reason=words, figures=figures, sql=["in_flight"])]


def _in_flight(ev: Evidence) -> list[Finding]:
    """A row whose requests in flight stay far below its concurrency, although it had rounds enough to get there."""
    rules = ev.policy.rows
    rows = {(leg.role, row.source.file, row.source.line): row for leg in ev.legs.values() for _, row in leg.rows}
    low = []
    for item in ev.tables.flights:
        row = rows.get((item.leg, item.file, item.line))
        open_loop = row is None or row.workload.get("request_rate") not in (None, "inf")
        if not open_loop and item.rounds >= rules.in_flight_rounds and item.mean < rules.in_flight_share * item.limit:
            low.append(item)
    if not low:
        return []
    legs = " and ".join(sorted({item.leg for item in low}))
    worst = min(low, key=lambda item: (item.mean / item.limit, item.file, item.line))
    return [
        Finding(
            gate=GATE,
            status="flag",
            situation="flagged",
            ids=["W21"],
            reason=(
                f"concurrency not reached: {worst.mean:.4g} requests were in flight on average where {worst.limit:g} were asked "
                f"({worst.file}:{worst.line}; {len(low)} rows of {legs}): the load is not the one it is named after"
            ),
            next_step="Look for what held the client back (connections, CPU, prompts), or name the concurrency that was reached.",
            figures={"in_flight": Figure(worst.mean, "requests"), "asked": Figure(worst.limit, "requests")},
            sql=["in_flight"],
            evidence=[ev.source(worst.file, worst.line)],
        )
    ]


def _recounted(ev: Evidence) -> list[Finding]:
    """Answers that hold far fewer tokens than were counted, or fewer in one leg than in the other."""
    rules = ev.policy.rows
    rows = [row for row in ev.tables.recounts if row.leg in ev.legs]
    shares = {row.leg: row.recounted / row.tokens for row in rows}
    most = max(shares.values(), default=0.0)
    low = [row for row in rows if shares[row.leg] < rules.recount_share or 100 * (most - shares[row.leg]) > rules.recount_points]
    return [
        Finding(
            gate=GATE,
            status="flag",
            situation="flagged",
            ids=["W17", "W18"],
            reason=(
                f"tokens without text: leg {row.leg} counts {row.tokens:.6g} output tokens, the text of its answers holds "
                f"{row.recounted:.6g} (first row {row.file}:{row.line})"
            ),
            next_step="Read some answers: padding, special tokens or chunks counted as tokens are no work done.",
            figures={"counted": Figure(row.tokens, "tokens"), "in_the_text": Figure(row.recounted, "tokens")},
            sql=["recounted"],
            evidence=[ev.source(row.file, row.line)],
        )
        for row in low
    ]


def _queued(ev: Evidence) -> list[Finding]:
    """Requests that waited in the client before they were sent: no latency counts that wait."""
    found = []
    for role, leg in sorted(ev.legs.items()):
        done = [
            (item.sent_s - item.scheduled_s, item.end_s - item.sent_s, launch)
            for launch in leg.launches
            for item in launch.requests
            if item.scheduled_s is not None and item.end_s is not None
        ]
        waited, served = (
            statistics.fmean(column) if done else 0.0 for column in ([one[0] for one in done], [one[1] for one in done])
        )
        if waited <= ev.policy.rows.queue_share * served:
            continue
        worst = max(done, key=lambda one: one[0])[2]
        reason = (
            f"a queue in the client: requests of leg {role} waited {1000 * waited:.4g} ms on average before they were sent "
            f"({worst.id}/requests.jsonl), beside {1000 * served:.4g} ms of latency that does not count it"
        )
        step = "Count latencies from the scheduled time, or give the client as many connections as it has requests in flight."
        found.append(
            Finding(
                gate=GATE, status="flag", situation="flagged", ids=["W14"], reason=reason, next_step=step,
                figures={"waited": Figure(1000 * waited, "ms"), "latency": Figure(1000 * served, "ms")},
                evidence=[ev.source(f"{worst.id}/requests.jsonl")],
            )
        )  # fmt: skip
    return found
