"""Coherence: does the reference answer at all, in text that reads as text?"""

from __future__ import annotations

from typing import NamedTuple

from audit import stats, text
from audit.contract import Figure, Finding, Source
from audit.evidence import Evidence
from audit.gates import accuracy, parity

GATE = "correctness"
NONCOHERENT = "unverifiable_noncoherent_reference"
MEND = "Mend the reference first: against text that is wrong already nothing can be compared."
IDS = {"loop": "T06", "near-loop": "T07", "padding": "W07", "empty": "W23"}
"""Faults of a text that are rows of the taxonomy."""


class Texts(NamedTuple):
    """What one leg wrote, where it stands, and why each text ended where that is recorded."""

    items: list[str]
    stops: list[str | None]
    source: Source


def reference(ev: Evidence) -> Finding | None:
    """The failure of a reference that gives no known answers, no right task answers, or no readable text; None when it does."""
    rules = ev.policy.correctness
    asked = next((row for row in ev.tables.answers if row.leg == "ref"), None)
    if asked is not None:
        rate = asked.given / asked.asked
        if rate >= rules.floor:
            return None
        reason = f"the reference gives {asked.given} of {asked.asked} known answers, fewer than {100 * rules.floor:g} %"
        figures = {"rate": Figure(stats.significant(rate), "1"), "floor": Figure(rules.floor, "1")}
        sources = [launch.source("requests.jsonl") for launch in ev.legs["ref"].launches[:1]]
        return _noncoherent(["K01"], reason, sources, figures, ["answers"])
    graded = accuracy.lowest(ev)
    if graded is not None:
        item, upper = graded
        reason = (
            f"the reference answers {item.correct} of {item.n} {item.task or 'graded'} questions ({item.source.file}), at most "
            f"{100 * upper:.3g} %; a model that answers reaches {100 * rules.accuracy_floor:g} %"
        )
        figures = {"right": Figure(item.correct, "items"), "items": Figure(item.n, "items")}
        return _noncoherent(["K01"], reason, [item.source], figures, [])
    told = texts(ev, "ref")
    judged = text.judge(told.items, ev.policy.text) if told else None
    if told is None or judged is None or judged.kind != "incoherent":
        return None
    tail = f"; {said}: byte parity says nothing here" if (said := parity.words(ev)) else ""
    first = text.quoted(told.items[judged.bad[0]])
    reason = f"the reference's text is not coherent: {judged.words} ({told.source.file}), e.g. {first}{tail}"
    ids = ["K01", *_ids(judged)]
    return _noncoherent(ids, reason, [told.source], _figures(judged), [])


def _noncoherent(ids: list[str], reason: str, sources: list[Source], figures: dict[str, Figure], sql: list[str]) -> Finding:
    return Finding(
        gate=GATE, status="fail", situation="not_comparable", ids=ids, reason=f"{NONCOHERENT}: {reason}", next_step=MEND,
        evidence=sources, figures=figures, sql=sql,
    )  # fmt: skip


def texts(ev: Evidence, side: str) -> Texts | None:
    """What a leg wrote: its parity dump, else answers of the timed windows whose right answer is not known."""
    for dump in ev.probes.dumps:
        if dump.side == side:
            return Texts([item.output for item in dump.answers], [item.stop for item in dump.answers], dump.source)
    leg = ev.legs.get(side)
    for launch in leg.launches if leg else ():
        free = [item for item in launch.requests if item.expected is None and item.error is None]
        if free:
            return Texts(
                [item.answer or "" for item in free], [item.stop_reason for item in free], launch.source("requests.jsonl")
            )
    return None


def readable(ev: Evidence) -> Finding | None:
    """Baseline scope, nothing known asked: ok when the leg's text reads as text; None when there is too little of it."""
    told = texts(ev, "ref")
    judged = text.judge(told.items, ev.policy.text) if told else None
    if told is None or judged is None or judged.kind != "coherent":
        return None
    reason = f"the text reads as text: {judged.words} with faults ({told.source.file}); whether it is right was not asked"
    return Finding(gate=GATE, status="ok", ids=["K01"], reason=reason, figures=_figures(judged), evidence=[told.source])


def _ids(judged: text.Judged) -> list[str]:
    return [IDS[fault] for fault, _ in judged.counts if fault in IDS]


def _figures(judged: text.Judged) -> dict[str, Figure]:
    return {"texts": Figure(judged.n, "texts"), "with_faults": Figure(len(judged.bad), "texts")}
