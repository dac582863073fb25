"""Gate 6: every number and invariant that a claim file asserts, against the raw rows.

One flag per contradiction; one ``ok`` for all that agrees; one ``unknown``, never required, for what no raw row speaks of.
A claim changes nothing else: the other gates do not look at claim files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from audit.contract import Figure, Finding, Source
from audit.evidence import Evidence
from audit.gates import claim_numbers, claim_rows, claim_settings, claim_words
from audit.gates.claim_rows import Answer
from audit.intake.claims import Claim

GATE = "claims"
NO_CLAIM = "no claim file speaks of this request"
SILENT = ("basis", "requested", "trial", "change", "parity")
"""Subjects that only qualify other claims."""


class Told(NamedTuple):
    """A claim with its answer; ``said`` replaces the value where several claims were judged as one."""

    claim: Claim
    answer: Answer
    field: str = ""
    said: str = ""


def check(ev: Evidence) -> list[Finding]:
    """One flag per contradiction; a claim never rescues anything."""
    told = list(_answers(ev))
    found = [_contradiction(item) for item in told if item.answer.holds is False]
    agree = [item for item in told if item.answer.holds]
    if agree:
        names = sorted({item.claim.source.file for item in agree})
        words = f"{len(agree)} {'claim agrees' if len(agree) == 1 else 'claims agree'} with the raw rows ({_some(ev, names)})"
        sources = {item.claim.source.file: item.claim.source for item in agree}
        found.append(
            Finding(
                gate=GATE,
                status="ok",
                ids=["R02", "R11"],
                reason=words,
                evidence=[sources[name] for name in names],
                sql=["leg_metrics"],
            )
        )
    blind = [item for item in told if item.answer.holds is None]
    if blind:
        found.append(_unproven(ev, blind))
    found += [_unreadable(source, why) for source, why in ev.claims.unreadable]
    return found or [Finding(gate=GATE, status="n/a", ids=["R11"], reason=NO_CLAIM)]


def _some(ev: Evidence, names: Sequence[str]) -> str:
    shown = ev.policy.limits.shown
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def _contradiction(item: Told) -> Finding:
    claim, answer = item.claim, item.answer
    field, said = item.field or claim.field, item.said or repr(claim.value)
    slip = f"; what would give it: {answer.slip}" if answer.slip else ""
    file = claim.source.file
    figures = {} if answer.figure is None else {"raw": Figure(answer.figure, _unit(claim))}
    number = claim_rows.number(claim.value)
    if figures and number is not None and not item.said:
        figures = {"said": Figure(number, _unit(claim)), **figures}
    return Finding(
        gate=GATE,
        status="flag",
        situation="flagged",
        ids=list(answer.ids),
        reason=f"misreported: {file} says {field!r} is {said}, the raw evidence says {answer.raw}{slip}",
        next_step=f"Correct {field!r} in {file}, or withdraw the claim: what stands in the raw rows is what was measured.",
        figures=figures,
        evidence=[claim.source, *answer.evidence],
    )


def _unit(claim: Claim) -> str:
    if claim.subject in claim_numbers.UNITS:
        return claim_numbers.UNITS[claim.subject]
    if claim.subject in ("speedup", "speedup_vs_baseline", "isolated_speedup"):
        return "x"
    if claim.subject in ("probe", "accuracy"):
        return "1"
    return "ms" if claim.metric.endswith("_ms") else "%" if claim.subject in ("accepted", "regressed") else "tok/s"


def _unproven(ev: Evidence, blind: Sequence[Told]) -> Finding:
    listed = [f"{item.claim.source.file}: {item.field or item.claim.field} ({item.answer.raw})" for item in blind]
    sources = {item.claim.source.file: item.claim.source for item in blind}
    return Finding(
        gate=GATE,
        status="unknown",
        required=False,
        ids=["R13"],
        reason=f"{len(blind)} claim{'' if len(blind) == 1 else 's'} without raw evidence, not believed: {_some(ev, listed)}",
        next_step="Keep the rows or records behind each figure beside it, or leave it out.",
        evidence=list(sources.values()),
    )


def _unreadable(source: Source, why: str) -> Finding:
    words = f"{source.file} cannot be read ({why}): nothing that it claims was compared"
    step = "Write it as one plain JSON object, or remove it."
    return Finding(gate=GATE, status="unknown", required=False, ids=["R13"], reason=words, next_step=step, evidence=[source])


def _answers(ev: Evidence) -> Iterator[Told]:
    """Every claim that speaks of this request, judged, in the order of files and fields."""
    files: dict[str, list[Claim]] = {}
    for claim in ev.claims.items:
        if claim.source.file not in ev.sources or claim.about in ("bench", "probe", "leg"):
            files.setdefault(claim.source.file, []).append(claim)
    known = claim_rows.settings(ev) if any(c.subject in ("setting", "same") for c in ev.claims.items) else {}
    for claims in files.values():
        if claims[0].about == "sweep":
            yield from _sweep(ev, claims, known)
        elif claims[0].about != "whole" or claims[0].near or ev.request.scope == "bundle":
            yield from _file(ev, claims, known)


def _file(ev: Evidence, claims: Sequence[Claim], known: claim_rows.Settings) -> Iterator[Told]:
    """The claims of one file, or of one trial."""
    lists: dict[str, list[Claim]] = {}
    items: list[Claim] = []
    for claim in claims:
        if claim.subject == "series":
            lists.setdefault(claim.group, []).append(claim)
        elif claim.subject == "items":
            items.append(claim)
        elif (answer := _one(ev, claim, known)) is not None:
            yield Told(claim, answer)
    for key, group in lists.items():
        yield Told(group[0], claim_numbers.series(ev, group), key, f"{len(group)} figures")
    if items and (answer := claim_words.credited(ev, items, claims)) is not None:
        yield Told(
            items[0], answer, ", ".join(claim.field for claim in items), "empty" if "A05" in answer.ids else repr(items[0].value)
        )


def _one(ev: Evidence, claim: Claim, known: claim_rows.Settings) -> Answer | None:
    """One claim; None where it says nothing that could be wrong."""
    match claim.subject:
        case "setting" | "same":
            return claim_settings.judge(ev, claim, known) if _fixed(ev, claim) else None
        case "accepted":
            return claim_words.accepted(ev, claim)
        case "status":
            return claim_words.status(ev, claim)
        case "disjoint":
            return claim_words.disjoint(ev, claim)
        case "regressed":
            return claim_words.regressed(ev, claim)
        case "quote":
            return claim_words.quoted(claim)
        case "basis":
            return claim_words.bases(ev, claim)
        case "isolated_speedup" if claim.own is None:
            return None
    return None if claim.subject in SILENT else claim_numbers.judge(ev, claim)


def _fixed(ev: Evidence, claim: Claim) -> bool:
    """False for flags of a run's set-up when the reference is not the true baseline: later changes may have moved them."""
    rules = ev.policy.claims
    again = "ref" in ev.legs and ev.legs["ref"].dir.rpartition("/")[2] in rules.baseline_dirs
    return claim.about != "setup" or again or claim.metric in rules.setup_settings


def _sweep(ev: Evidence, claims: Sequence[Claim], known: claim_rows.Settings) -> Iterator[Told]:
    """A sweep speaks of many candidates: its figures count for the trial under audit, its consistency for a bundle as well."""
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.group:
            groups.setdefault(claim.group, []).append(claim)
    ours = claim_words.mine(ev, groups)
    for claim, answer in claim_words.trials(ev, groups, ours):
        yield Told(claim, answer)
    bundle = ev.request.scope == "bundle"
    if bundle and (silent := claim_words.unreported(ev, groups)):
        raw = f"{', '.join(silent)} beside it hold rows and are no trial of it"
        yield Told(claims[0], Answer(False, raw, ("R17",)), "trials", f"{len(groups)} candidates")
    for group in ours if not bundle else ():
        yield from _file(ev, groups[group], known)
    top = [claim for claim in claims if not claim.group]
    items = [claim for claim in top if claim.subject == "items"]
    if items and (ours or bundle) and (credit := claim_words.credited(ev, items, claims)) is not None:
        yield Told(items[0], credit, ", ".join(claim.field for claim in items), "empty")
    if ours and not bundle:
        best = _is_best(ev, groups, ours)
        yield from _file(ev, [c for c in top if c.subject in ("setting", "same") or (best and c.subject != "items")], known)


def _is_best(ev: Evidence, groups: dict[str, list[Claim]], ours: Sequence[str]) -> bool:
    """True when the trial under audit is the best of those that were kept, by the sweep's own figures."""
    kept = {
        group: max((claim_rows.number(claim.value) or 0.0 for claim in claims if claim.subject == "median"), default=0.0)
        for group, claims in groups.items()
        if any(claim.subject == "accepted" and claim_words.is_win(ev, claim) for claim in claims)
    }
    return bool(kept) and any(kept.get(group) == max(kept.values()) for group in ours)
