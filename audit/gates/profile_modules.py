"""Profile scope: time by module of the model, from the marks in the trace, against what the table says of modules."""

from __future__ import annotations

from collections.abc import Iterator

from audit.contract import Finding, Situation
from audit.evidence import Evidence
from audit.gates.harness import Fault, place
from audit.gates.profile_ops import findings, ok, profiles, quoted
from audit.intake.profiles import Profile
from audit.intake.topn import Table

GATE = "profile_modules"
STEP = "Make the table of modules from this trace."


def check(ev: Evidence) -> list[Finding]:
    """Shares by module as figures; a fault for each table that says otherwise."""
    faults: list[Fault] = []
    shares: dict[str, float] = {}
    for profile, _ in profiles(ev):
        found = traced(profile)
        shares = shares or found
        for table in profile.tables:
            faults += _compared(ev, table, found)
    if not shares:
        return [Finding(gate=GATE, status="n/a", ids=["P01"], reason="no module of the model is marked in a trace")]
    largest = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    words = ", ".join(f"{quoted(name)} {pct:.1f} %" for name, pct in largest[: ev.policy.limits.shown])
    shown = tuple((name, round(pct, 3), "%") for name, pct in largest)
    return findings(GATE, faults, ok(ev, GATE, ["P01", "A16"], f"time in operations by module: {words}", shown))


def traced(profile: Profile) -> dict[str, float]:
    """Share of all operations' time by module, percent, over all traces of a profile; empty where none is marked."""
    times: dict[str, int] = {}
    for trace in profile.traces:
        for item in trace.modules:
            times[item.label] = times.get(item.label, 0) + item.ns
    total = sum(trace.total_ns for trace in profile.traces)
    return {name: 100 * ns / total for name, ns in times.items()} if total and times else {}


def _compared(ev: Evidence, table: Table, found: dict[str, float]) -> Iterator[Fault]:
    """The row of a table that is furthest from the trace, when it is far."""
    rules = ev.policy.profile
    told = {entry.name: entry.pct for entry in table.modules if entry.pct is not None}
    known = {name: pct for name, pct in told.items() if name in found}
    if not known:
        return
    worst = max(known, key=lambda name: (abs(known[name] - found[name]), name))
    points = abs(known[worst] - found[worst])
    if points < rules.share_points:
        return
    kind: Situation = "not_comparable" if points >= rules.wrong_points else "flagged"
    said = f"module {quoted(worst)} is said to take {known[worst]:.3g} %, the trace gives {found[worst]:.3g} %"
    words = f"{place(table.source)}: {said}"
    shown = (("said", known[worst], "%"), ("traced", round(found[worst], 3), "%"))
    yield Fault(kind, ("P01", "R18"), words, table.source, STEP, figures=shown)
