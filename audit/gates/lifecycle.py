"""Gate 1, last part: fresh servers, one at a time, in the planned order, each gone after its stop."""

from __future__ import annotations

import re

from audit.contract import Finding, Source
from audit.evidence import Evidence
from audit.gates import order
from audit.intake.model import Leg, Plan, Server

GATE = "lifecycle"
MARKED = "marked: no sandbox"


def check(ev: Evidence) -> list[Finding]:
    """Survivors, lives that overlap, order, count, length of windows; then what the sandbox was."""
    placed = order.check(ev)
    if not ev.own:
        told = "starts and stops" if placed else "starts, stops and order"
        ids = ["M03", "M21"] if placed else ["M03", "M05", "M21"]
        unknown = Finding(gate=GATE, status="unknown", ids=ids, reason=f"{told} of the servers are not recorded")
        return [unknown, *placed, *_numbers(ev), *_repeats(ev), *_short(ev)]
    found = _survivors(ev) + _overlaps(ev) + _order(ev) + _count(ev) + _short(ev)
    found += [item for item in placed if item.status != "ok"]
    kinds = {launch.server.sandbox.kind for leg in ev.legs.values() for launch in leg.launches if launch.server}
    if found and any(item.status != "flag" for item in found):
        return found
    if any(launch.server.attached for leg in ev.legs.values() for launch in leg.launches if launch.server):
        return [_visits(), *found]
    counts = ", ".join(f"{len(leg.launches)} {role}" for role, leg in sorted(ev.legs.items()))
    words = f"{counts} launches, in the planned order, one at a time, nothing left running"
    if "none" in kinds:
        words += f" ({MARKED}: a server could have seen the plan)"
    return [Finding(gate=GATE, status="ok", ids=["M05", "M06", "M21"], reason=words, sql=["lives_overlap"]), *found]


def _visits() -> Finding:
    """A server that was up before and stays up: its launches are visits."""
    reason = "somebody else's server was visited, not started: how far apart fresh starts of it lie was not measured"
    step = "Have each launch start a server of its own, by an engine adapter or by hand (`countersign init-pair`)."
    return Finding(gate=GATE, status="flag", situation="flagged", ids=["M03", "M21"], reason=reason, next_step=step)


def _fail(ids: list[str], reason: str, step: str, evidence: list[Source]) -> Finding:
    return Finding(
        gate=GATE, status="fail", situation="not_comparable", ids=ids, reason=reason, next_step=step, evidence=evidence
    )


def _survivors(ev: Evidence) -> list[Finding]:
    found = []
    for leg in ev.legs.values():
        for launch in leg.launches:
            if launch.server is None:
                continue
            source = launch.source("server.json")
            for left in launch.server.stop.survivors:
                reason = (
                    f"{launch.id}: process {left.pid} ({left.command}) was still alive after the server's stop ({source.file})"
                )
                step = (
                    f"See that {left.command!r} ends with its server, then measure again: it can serve or burden the next launch."
                )
                found.append(_fail(["M22"], reason, step, [source]))
            if not launch.server.stop.port_closed and not launch.server.attached:
                reason = f"{launch.id}: the port was still open after the server's stop ({source.file})"
                found.append(_fail(["M22"], reason, "Find what holds the port, end it, measure again.", [source]))
    return found


def _overlaps(ev: Evidence) -> list[Finding]:
    found = []
    for row in ev.tables.overlaps:
        reason = f"the servers of {row.one} and {row.other} were alive together for {row.seconds:.3g} s"
        sources = [ev.source(f"{row.one}/server.json"), ev.source(f"{row.other}/server.json")]
        found.append(_fail(["M22", "R19"], reason, "Measure one server at a time.", sources))
    return found


def _order(ev: Evidence) -> list[Finding]:
    launches = [(role, launch) for role, leg in ev.legs.items() for launch in leg.launches if launch.server is not None]
    found = []
    places: dict[int, str] = {}
    for role, launch in launches:
        plan = _plan(launch.server)
        ours = plan.order[plan.position] if 0 <= plan.position < len(plan.order) else None
        if ours not in (role, "aa") or plan.position in places or plan.order != _plan(launches[0][1].server).order:
            reason = f"{launch.id}: position {plan.position} of the plan {'/'.join(plan.order)} is not a {role} launch of its own"
            found.append(_fail(["M05"], reason, "Measure the plan again as it was drawn.", [launch.source("server.json")]))
        places[plan.position] = launch.id
    by_time = sorted(launches, key=lambda item: item[1].server.started_unix if item[1].server else 0.0)
    positions = [_plan(launch.server).position for _, launch in by_time]
    if not found and positions != sorted(positions):
        reason = f"launches ran in another order than planned: positions in order of time are {positions}"
        found.append(_fail(["M05", "M21"], reason, "Measure in the planned, interleaved order.", []))
    return found


def _plan(server: Server | None) -> Plan:
    if server is None:
        raise ValueError("a launch without server.json has no place in a plan")
    return server.plan


def _count(ev: Evidence) -> list[Finding]:
    found = []
    crashed = any(leg.failed for leg in ev.legs.values())
    for role, leg in sorted(ev.legs.items()):
        planned = _planned(ev, role, leg)
        if planned is None or planned == len(leg.launches):
            continue
        words = f"leg {role} has {len(leg.launches)} launches, {planned} were planned"
        if len(leg.launches) > planned:
            step = "Audit what was planned: more launches than planned is a test repeated until it passes."
            found.append(_fail(["M08"], words, step, []))
        elif not crashed:
            step = "Measure the missing launches, or look for them: a launch that was left out may be the slow one."
            found.append(Finding(gate=GATE, status="unknown", ids=["M10", "R14"], reason=words, next_step=step))
    return found + _sets(ev)


def _sets(ev: Evidence) -> list[Finding]:
    """A/A sets must be whole: a launch taken out of one makes the noise look smaller than it was."""
    found = []
    for leg in ev.noise:
        orders = [launch.server.plan.order for launch in leg.launches if launch.server is not None]
        planned = max((len(order) for order in orders if set(order) == {"aa"}), default=len(leg.launches))
        if planned != len(leg.launches):
            words = f"A/A set {leg.dir} has {len(leg.launches)} launches, {planned} were planned"
            step = "Restore the missing launches, or measure a whole new set."
            found.append(Finding(gate=GATE, status="unknown", ids=["M10", "M14"], reason=words, next_step=step))
    return found


def _numbers(ev: Evidence) -> list[Finding]:
    """Foreign launches are numbered in a row: a number that is missing is a launch that is missing."""
    found = []
    for role, leg in sorted(ev.legs.items()):
        numbers = sorted({int(match.group()) for launch in leg.launches if (match := re.search(r"\d+$", launch.id))})
        if not leg.launches_known or len(numbers) < len(leg.launches) or not numbers:
            continue
        gone = sorted(set(range(min(numbers[0], 1), numbers[-1] + 1)) - set(numbers))
        if gone:
            words = f"leg {role} has launches {numbers}, and none with number {', '.join(map(str, gone))}"
            step = "Show the launches that are missing, or measure all of them again: what was left out may be the slow ones."
            found.append(Finding(gate=GATE, status="fail", situation="missing", ids=["M10", "R14"], reason=words, next_step=step))
    return found


def _repeats(ev: Evidence) -> list[Finding]:
    """Foreign legs against what the commission says was planned: launches where they are known, repeats of each."""
    planned = ev.request.planned
    if planned is None:
        return []
    found = []
    for role, leg in sorted(ev.legs.items()):
        wanted = [("launches", planned.launches, len(leg.launches) if leg.launches_known else None)]
        wanted += [(f"timed repeats in {launch.id}", planned.repeats, len(launch.rows)) for launch in leg.launches]
        for what, asked, seen in wanted:
            if asked is None or seen is None or asked == seen:
                continue
            words = f"leg {role} has {seen} {what}, {asked} were planned"
            if seen > asked:
                step = "Audit what was planned: more than planned is a test repeated until it passes."
                found.append(_fail(["M08"], words, step, []))
            else:
                step = "Show the repeats that are missing, or measure the plan again: what was left out may be the slow ones."
                found.append(
                    Finding(
                        gate=GATE, status="fail", situation="missing", ids=["M10", "M27", "R14"], reason=words, next_step=step
                    )
                )
    return found


def _planned(ev: Evidence, role: str, leg: Leg) -> int | None:
    if ev.request.planned is not None and ev.request.planned.launches is not None:
        return ev.request.planned.launches
    orders = [launch.server.plan.order for launch in leg.launches if launch.server is not None]
    return max((sum(name in (role, "aa") for name in order) for order in orders), default=None)


def _short(ev: Evidence) -> list[Finding]:
    rows = [row for row in ev.tables.short if row.leg in ev.legs]
    if not rows:
        return []
    worst = min(rows, key=lambda row: row.duration)
    least = ev.policy.lifecycle.min_window_s
    reason = (
        f"{len(rows)} timed repeats last less than {least:g} s, the shortest {worst.duration:.3g} s "
        f"({worst.file}:{worst.line}): ramp and drain weigh too much"
    )
    return [
        Finding(
            gate=GATE,
            status="flag",
            situation="flagged",
            ids=["M16"],
            reason=reason,
            next_step=f"Ask for more requests per repeat, so that each lasts {least:g} s.",
            sql=["short_windows"],
            evidence=[ev.source(worst.file, worst.line)],
        )
    ]
