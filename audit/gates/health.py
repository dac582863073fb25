"""What the servers' logs tell of their health: failed and repeated starts, fallbacks, late compilation, tables not read.

A server that died under load is the correctness gate's; here is what a server survived.
"""

from __future__ import annotations

import re
from collections import Counter

from audit.contract import Figure, Finding, Source
from audit.evidence import Evidence
from audit.gates import changes
from audit.intake.logs import EventKind, LogEvent
from audit.intake.model import Launch

GATE = "health"
Told = tuple[Launch, LogEvent]


def check(ev: Evidence) -> list[Finding]:
    """Only what one leg's logs tell and the other's do not is news."""
    if not any(launch.log for leg in ev.legs.values() for launch in leg.launches):
        return [Finding(gate=GATE, status="n/a", reason="no server log lies with the rows")]
    found = [*_starts(ev), *_fallbacks(ev), *_captures(ev), *_tables(ev)]
    return found or [Finding(gate=GATE, status="ok", reason="the servers' logs tell of no failed start and no fallback")]


def _events(ev: Evidence, role: str, kind: EventKind) -> list[Told]:
    launches = ev.legs[role].launches if role in ev.legs else ()
    return [(launch, event) for launch in launches if launch.log for event in launch.log.events if event.kind == kind]


def _place(ev: Evidence, told: Told) -> Source:
    return ev.source(told[0].log.file if told[0].log else None, told[1].line)


def _worn(text: str) -> str:
    """A line without its numbers: the same message at another time or from another process."""
    return re.sub(r"\d+", "", text)


def _starts(ev: Evidence) -> list[Finding]:
    """Starts that failed before one succeeded, and starts after one that ended without a word."""
    found = []
    kinds: tuple[tuple[EventKind, str], ...] = (
        ("failed_start", "died before it was ready and was started again"),
        ("restart", "was started again after it had served, without a word about its end"),
    )
    for kind, words in kinds:
        ref, cand = _events(ev, "ref", kind), _events(ev, "cand", kind)
        if len(cand) <= len(ref):
            continue
        source = _place(ev, cand[0])
        found.append(
            Finding(
                gate=GATE,
                status="flag",
                situation="flagged",
                reason=f"the candidate's server {words} ({source.file}:{source.line}: {cand[0][1].text!r})",
                next_step="Find out whether the change made it die, and measure on one start.",
                figures={"ref_lines": Figure(len(ref), "lines"), "cand_lines": Figure(len(cand), "lines")},
                evidence=[_place(ev, told) for told in cand[: ev.policy.limits.shown]],
            )
        )
    return found


def _fallbacks(ev: Evidence) -> list[Finding]:
    """Fallbacks of the candidate alone: from what was declared they fail, from anything else they stay open."""
    usual = {_worn(event.text) for _, event in _events(ev, "ref", "fallback")}
    news = [told for told in _events(ev, "cand", "fallback") if _worn(told[1].text) not in usual]
    if not news:
        return []
    wanted = _wanted(ev)
    for told in news:
        key = _named(ev, told[1].text, wanted)
        if key is not None:
            source = _place(ev, told)
            where = f"{source.file}:{source.line}: {told[1].text!r}"
            return [
                Finding(
                    gate=GATE,
                    status="fail",
                    situation="not_comparable",
                    ids=["C10", "E10"],
                    reason=f"not in force: the server fell back from {key}={wanted[key]} ({where})",
                    next_step=f"Find out why the server did not take {key}, then measure again.",
                    evidence=[source],
                )
            ]
    source = _place(ev, news[0])
    more = f", and {len(news) - 1} lines more" if len(news) > 1 else ""
    reason = f"the candidate's server alone fell back to something else ({source.file}:{source.line}: {news[0][1].text!r}{more})"
    step = "See whether the fallback touches the change."
    places = [_place(ev, told) for told in news[: ev.policy.limits.shown]]
    return [Finding(gate=GATE, status="unknown", required=False, ids=["C10"], reason=reason, next_step=step, evidence=places)]


def _wanted(ev: Evidence) -> dict[str, str]:
    """Declared settings, or the one taken as the lever, that have a word for a value."""
    values = dict(changes.declared(ev).values)
    lever = changes.taken_as_lever(ev)
    for row in ev.tables.between if lever else ():
        if ev.policy.keys.root(row.key) == lever and row.cand is not None:
            values[row.key] = row.cand
    return {
        key: text
        for key, value in values.items()
        if re.search("[a-z]{2}", text := value.strip('"').lower()) and text not in ("true", "false")
    }


def _named(ev: Evidence, line: str, wanted: dict[str, str]) -> str | None:
    """The declared setting whose value a fallback gave up; what it fell back *to* does not count."""
    left = re.sub(ev.policy.logs.fallback_target, " ", line).lower()
    return next((key for key, value in sorted(wanted.items()) if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", left)), None)


def _captures(ev: Evidence) -> list[Finding]:
    """Graphs captured and code compiled under load in the reference alone: it paid for them inside the timed windows."""
    ref, cand = _events(ev, "ref", "capture"), _events(ev, "cand", "capture")
    if not ref or cand or not any(launch.log for launch in ev.legs["cand"].launches):
        return []
    source = _place(ev, ref[0])
    return [
        Finding(
            gate=GATE,
            status="flag",
            situation="noisy",
            ids=["M02"],
            reason=f"the reference alone compiled or captured under load ({source.file}:{source.line}: {ref[0][1].text!r})",
            next_step="Warm both servers up until neither compiles, then measure again.",
            figures={"lines": Figure(len(ref), "lines")},
            evidence=[_place(ev, told) for told in ref[: ev.policy.limits.shown]],
        )
    ]


def _tables(ev: Evidence) -> list[Finding]:
    """A tuning table in the overlay, and the candidate's server misses every table that the reference's misses."""
    tables = [trait for trait in ev.overlays.traits if trait.kind == "tuning_table"]
    ref, cand = (Counter(_worn(event.text) for _, event in _events(ev, role, "default_table")) for role in ("ref", "cand"))
    if not tables or not ref or not set(ref) <= set(cand):
        return []
    source = _place(ev, _events(ev, "cand", "default_table")[0])
    words = "the server runs on its default table as the reference does"
    text = _events(ev, "cand", "default_table")[0][1].text
    return [
        Finding(
            gate=GATE,
            status="fail",
            situation="not_comparable",
            ids=["E04"],
            reason=f"tuning table {tables[0].source.file} is not consulted: {words} ({source.file}:{source.line}: {text!r})",
            next_step="Put the table where the server looks for it, under the keys it asks for, and measure again.",
            evidence=[source, tables[0].source],
        )
    ]
