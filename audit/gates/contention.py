"""Gate 1, third part: nobody else used the machine while a repeat was timed."""

from __future__ import annotations

from msgspec.structs import replace

from audit import stats
from audit.contract import Figure, Finding
from audit.evidence import ContentionRow, Evidence

GATE = "contention"


def check(ev: Evidence) -> list[Finding]:
    """Mean foreign CPU and steal over each timed window of both legs, from one sample a second."""
    rows = [row for row in ev.tables.contention if row.leg in ev.legs]
    rules = ev.policy.contention
    if not rows:
        step = "Sample foreign CPU each second while measuring."
        return [
            Finding(gate=GATE, status="unknown", ids=["M22"], reason="no record of what else ran on the machine", next_step=step)
        ]
    found = []
    for row in rows:
        where = f"{row.launch}, repeat {row.repeat}"
        source = [ev.source(f"{row.launch}/host.json")]
        if row.coverage < rules.min_coverage or row.foreign_cores is None or row.steal_cores is None:
            reason = f"{where}: host.json covers {100 * row.coverage:.3g} % of the timed window"
            found.append(Finding(gate=GATE, status="unknown", ids=["M22"], reason=reason, evidence=source, sql=["contention"]))
            continue
        figures = {"foreign_cores": _cores(row.foreign_cores), "steal_cores": _cores(row.steal_cores)}
        if row.foreign_cores > rules.foreign_cores:
            who = f"most of it {row.name!r} (pid {row.pid})" if row.name else "by processes that are not named"
            reason = f"contended: {where}: strangers used {row.foreign_cores:.3g} cores on average, {who}"
            finding = Finding(
                gate=GATE, status="fail", situation="not_comparable", reason=reason, figures=figures, evidence=source
            )
            found.append(replace(finding, next_step="Stop what else runs on the machine and measure again."))
        elif row.steal_cores > rules.steal_cores:
            reason = f"{where}: the hypervisor took {row.steal_cores:.3g} cores on average"
            finding = Finding(gate=GATE, status="flag", situation="noisy", reason=reason, figures=figures, evidence=source)
            found.append(replace(finding, next_step="Measure again on a machine that is not overcommitted."))
    found += [*_machines(ev), *_clocks(ev, rows)]
    if found:
        return [replace(item, ids=item.ids or ["M22"], sql=["contention"]) for item in found]
    worst = max(rows, key=lambda row: row.foreign_cores or 0.0)
    figures = {
        "worst_foreign_cores": _cores(worst.foreign_cores),
        "worst_steal_cores": _cores(max(row.steal_cores or 0.0 for row in rows)),
    }
    reason = f"at most {worst.foreign_cores:.3g} cores of strangers in any timed window"
    return [Finding(gate=GATE, status="ok", ids=["M22"], reason=reason, figures=figures, sql=["contention"])]


def _cores(value: float | None) -> Figure:
    """A mean over samples, to six digits: in which order the database adds them up must not show."""
    return Figure(stats.significant(value), "cores")


def _machines(ev: Evidence) -> list[Finding]:
    """Launches of this comparison on processors of different kinds."""
    first: dict[str, str] = {}
    for leg in ev.legs.values():
        for launch in leg.launches:
            if launch.machine is not None:
                first.setdefault(launch.machine, launch.id)
    if len(first) < 2:
        return []
    (one, where), (other, there) = sorted(first.items(), key=lambda item: item[1])[:2]
    return [
        Finding(
            gate=GATE,
            status="fail",
            situation="not_comparable",
            ids=["C18"],
            reason=f"another machine: {where} ran on {one[:120]!r}, {there} on {other[:120]!r} (host.json)",
            next_step="Measure all launches of both legs on one machine.",
            evidence=[ev.source(f"{place}/host.json") for place in (where, there)],
        )
    ]


def _clocks(ev: Evidence, rows: list[ContentionRow]) -> list[Finding]:
    """The processor ran at other clocks under one leg: in every repeat, and by more than the policy lets pass."""
    clocks = {role: [row.mhz for row in rows if row.leg == role and row.mhz] for role in ("ref", "cand")}
    if not all(clocks.values()):
        return []
    ref, cand = (sum(found) / len(found) for found in clocks.values())
    off = 100 * (cand / ref - 1)
    apart = max(clocks["ref"]) < min(clocks["cand"]) or max(clocks["cand"]) < min(clocks["ref"])
    if not apart or abs(off) <= ev.policy.contention.clock_pct:
        return []
    words = f"{ref:.4g} MHz under ref and at {cand:.4g} MHz under cand ({off:+.1f} %)"
    reason = f"other clocks: the processor ran at {words}, in every repeat"
    return [
        Finding(
            gate=GATE,
            status="fail",
            situation="not_comparable",
            ids=["M20"],
            reason=reason,
            next_step="Fix the clock or wait until it settles, measure both legs in turns, and look at governor, heat and power.",
            figures={"ref_clock": Figure(stats.significant(ref), "MHz"), "cand_clock": Figure(stats.significant(cand), "MHz")},
            evidence=[ev.source(f"{next(row.launch for row in rows if row.leg == role)}/host.json") for role in ("ref", "cand")],
        )
    ]
