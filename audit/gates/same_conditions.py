"""Gate 1: the legs differ in what was declared and in nothing else; all launches of a leg agree."""

from __future__ import annotations

from audit.contract import Finding
from audit.evidence import Evidence, WithinRow
from audit.gates import changes, inert
from audit.gates.changes import Difference
from audit.intake import settings
from audit.intake.model import Launch

GATE = "same_conditions"
SQL = ["config_within", "config_between"]


def unrecorded(ev: Evidence) -> list[str]:
    """Legs without any record of server settings: neither in the rows, nor in server.json, nor in a log."""
    return [
        role for role, leg in ev.legs.items() if not any(_speaks(launch) for launch in leg.launches if launch not in leg.failed)
    ]


def _speaks(launch: Launch) -> bool:
    return bool(launch.server or any(row.config for row in launch.rows) or (launch.log and launch.log.config))


def hidden(ev: Evidence) -> list[str]:
    """Settings of which some leg's record says that they cannot be known."""
    servers = [launch.server for leg in ev.legs.values() for launch in leg.launches if launch.server is not None]
    return sorted({key for server in servers for key in settings.hidden(server)})


def not_told(ev: Evidence, gate: str, *, required: bool) -> Finding:
    """The open question that such settings leave."""
    words = f"the server does not tell {', '.join(hidden(ev))}: whether every launch ran with the same is not known"
    step = "Measure a server that you start yourself, or keep its log and settings beside the rows."
    return Finding(gate=gate, status="unknown", required=required, ids=["C12"], reason=words, next_step=step)


def within(ev: Evidence, gate: str) -> list[Finding]:
    """Findings on launches of one leg that disagree."""
    rows = [row for row in ev.tables.within if row.leg in ev.legs]
    return [_disagree(ev, row, gate) for row in rows if not changes.near(ev, row.key, row.low_value, row.top_value)]


def _disagree(ev: Evidence, row: WithinRow, gate: str) -> Finding:
    low = f"{row.low_value} at {row.low_file}:{row.low_line or '?'}"
    top = f"{row.top_value} at {row.top_file}:{row.top_line or '?'}" if row.top_value != row.low_value else "absent elsewhere"
    return Finding(
        gate=gate,
        status="fail",
        situation="not_comparable",
        ids=[
            *ev.policy.keys.taxonomy(row.key),
            "C10" if row.low_file.endswith(".log") != row.top_file.endswith(".log") else "M03",
        ],
        reason=f"launches of leg {row.leg} disagree on {row.key!r}: {low}, {top}",
        next_step=f"Measure the {row.leg} leg again with one setting of {row.key!r} for every launch.",
        sql=["config_within"],
        evidence=[ev.source(row.low_file, row.low_line), ev.source(row.top_file, row.top_line)],
    )


def check(ev: Evidence) -> list[Finding]:
    """Agreement within legs, then the difference between them against the declaration."""
    crashed = [role for role, leg in ev.legs.items() if leg.launches and len(leg.failed) == len(leg.launches)]
    if crashed:
        words = f"every server of leg {' and '.join(crashed)} failed: there are no conditions to compare"
        return [Finding(gate=GATE, status="n/a", reason=words)]
    found = within(ev, GATE)
    disagreeing = {row.key for row in ev.tables.within if not changes.near(ev, row.key, row.low_value, row.top_value)}
    apart = [item for item in changes.differences(ev) if item.row.key not in disagreeing]
    blind = unrecorded(ev)
    if blind:
        workload = [_confound(ev, item, "") for item in apart if item.row.key.startswith(changes.WORKLOAD)]
        return [*found, *workload, _blind(ev, blind)]
    harmless = []
    for item in apart:
        if item.because == "confound":
            found.append(_confound(ev, item, ""))
        elif item.because == "side effect":
            proof = inert.proof(ev, item.row)
            if proof.holds:
                harmless.append(_harmless(ev, item, proof))
            else:
                found.append(_confound(ev, item, f", a side effect that is not shown to be inert: {proof.words}"))
    if hidden(ev):
        found.append(not_told(ev, GATE, required=True))
    if found:
        return found
    return [_same(ev, apart), *harmless, *_silent(apart)]


def _silent(apart: list[Difference]) -> list[Finding]:
    """Settings that one leg's log states and nothing in the other leg's evidence: open, and said so."""
    names = sorted({item.row.key for item in apart if item.because == "unrecorded"})
    if not names:
        return []
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    reason = f"only one leg's log states {shown}: whether the other leg had the same cannot be told"
    step = "Keep both servers' whole logs beside the rows."
    return [Finding(gate=GATE, status="unknown", required=False, ids=["C12"], reason=reason, next_step=step)]


def _blind(ev: Evidence, blind: list[str]) -> Finding:
    """Settings on record nowhere: the commission may vouch for them, else nobody does."""
    vouched = changes.declared(ev).known
    reason = f"no server settings are recorded in leg {' and '.join(blind)}: what else differed cannot be told"
    return Finding(
        gate=GATE,
        status="unknown",
        required=not vouched,
        ids=["C12"],
        reason=reason + ("; the request vouches for the declared change" if vouched else ""),
        next_step="Record the settings: SGLang's server_info in the rows, or the server's log as server.log beside them.",
    )


def _same(ev: Evidence, apart: list[Difference]) -> Finding:
    keys = sorted({item.root for item in apart if item.because != "unrecorded"})
    words = f"the legs differ in {', '.join(keys)} and nothing else" if keys else "the legs have the same settings"
    lever = changes.taken_as_lever(ev)
    if lever is not None:
        words += f"; nothing was declared, so {lever} is taken as the change under audit"
    places = [ev.source(item.row.cand_file or item.row.ref_file, item.row.cand_line or item.row.ref_line) for item in apart[:3]]
    return Finding(gate=GATE, status="ok", ids=["C12"], reason=words, sql=SQL, evidence=places)


def _shown(item: Difference) -> str:
    row = item.row
    ref = f"{row.ref if row.ref is not None else 'absent'} in ref ({row.ref_file or '-'}:{row.ref_line or '-'})"
    cand = f"{row.cand if row.cand is not None else 'absent'} in cand ({row.cand_file or '-'}:{row.cand_line or '-'})"
    return f"{row.key!r} is {ref} and {cand}"


def _harmless(ev: Evidence, item: Difference, proof: inert.Proof) -> Finding:
    return Finding(
        gate=GATE,
        status="ok",
        ids=ev.policy.keys.taxonomy(item.row.key),
        reason=f"side effect, inert: {_shown(item)}; {proof.words}",
        sql=["config_between"],
        evidence=proof.evidence,
    )


def _confound(ev: Evidence, item: Difference, why: str) -> Finding:
    wanted = changes.declared(ev)
    row, keys = item.row, ev.policy.keys
    if not why:
        if item.root in wanted.values:
            why = f", declared as {wanted.values[item.root]}"
        else:
            why = ", which no declaration covers" if wanted.known else ", and more than one setting differs"
    kind = "a setting this policy does not know, treated as invariant: " if keys.kind(row.key) == "unknown" else ""
    return Finding(
        gate=GATE,
        status="fail",
        situation="not_comparable",
        ids=keys.taxonomy(row.key) or ["C15"],
        reason=f"confound: {kind}{_shown(item)}{why}",
        next_step=f"Measure both legs with the same {row.key!r}, or declare it and audit it as a change of its own.",
        sql=["config_between"],
        evidence=[ev.source(f, line) for f, line in ((row.ref_file, row.ref_line), (row.cand_file, row.cand_line)) if f],
    )
