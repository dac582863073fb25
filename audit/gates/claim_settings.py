"""Settings that claim files state, or call the same, against what was in force in each launch."""

from __future__ import annotations

from audit.evidence import Evidence
from audit.gates import changes
from audit.gates.claim_rows import Answer, Settings, Value, where
from audit.intake.claim_settings import SAME
from audit.intake.claims import Claim

LEGS = ("ref", "cand")
IDS = ("R11",)


def judge(ev: Evidence, claim: Claim, known: Settings) -> Answer:
    """One setting of one leg, or of both, or the word that both legs have the same."""
    if claim.subject == "same":
        return _all_same(ev) if claim.metric == SAME else _same(ev, claim, known)
    legs = (claim.leg,) if claim.leg else LEGS
    found = {leg: _values(ev, known, leg, claim.metric) for leg in legs}
    if not any(found.values()):
        return Answer(None, "no raw record of this setting")
    wrong = {leg: value for leg in legs if (value := _wrong(ev, claim, found[leg])) is not None}
    if wrong and not claim.leg and len(wrong) < len(legs) and _is_lever(ev, claim.metric):
        return Answer(True)
    if not wrong:
        return Answer(True) if all(found.values()) else Answer(None, "the raw record of one leg alone holds this setting")
    raw = ", ".join(f"{value.value[:80]} in {leg} ({where(value.source)})" for leg, value in wrong.items())
    return Answer(False, raw, IDS, tuple(value.source for value in wrong.values()))


def _names(ev: Evidence, key: str) -> list[str]:
    """Effective keys that a producer's key stands for, in lower case."""
    return [*ev.policy.claims.settings.get(key, [ev.policy.keys.flag(key)]), key, f"env.{key}"]


def _values(ev: Evidence, known: Settings, leg: str, key: str) -> list[list[Value]]:
    """What each launch of a leg reports for the first of the key's names that any launch reports."""
    for name in _names(ev, key):
        found = [values for values in known.get(leg, {}).get(name.lower(), {}).values() if values]
        resolved = [
            values
            for other in ev.policy.keys.aliases.get(name, [])
            if other.endswith(name)
            for values in known.get(leg, {}).get(other.lower(), {}).values()
            if values
        ]
        if found or resolved:
            return [[*own, *(value for extra in resolved for value in extra)] for own in found] or resolved
    return []


def _wrong(ev: Evidence, claim: Claim, launches: list[list[Value]]) -> Value | None:
    """The value of the first launch that reports none like the claim; None when every launch agrees, or none reports any."""
    for values in launches:
        if not any(_alike(ev, claim, value.value) for value in values):
            return values[0]
    return None


def _alike(ev: Evidence, claim: Claim, found: str) -> bool:
    """Equal as settings; models by their last path component, backends by their first word, capacities nearly."""
    said = changes.text(claim.value)
    if changes.same_value(said, found):
        return True
    names = _names(ev, claim.metric)
    one, other = (text.strip('"').rstrip("/").lower() for text in (said, found))
    if names[0] in ev.policy.claims.path_keys:
        return one.rpartition("/")[2] == other.rpartition("/")[2]
    if names[0] == "workload.backend":
        return other.startswith(one) or one.startswith(other)
    return any(changes.near(ev, name, said, found) for name in names)


def _is_lever(ev: Evidence, key: str) -> bool:
    """True for the change under audit: of it a claim speaks for one leg."""
    levers = {*changes.declared(ev).values, *changes.declared(ev).named, changes.taken_as_lever(ev)}
    return any(ev.policy.keys.root(name) in levers for name in _names(ev, key))


def _same(ev: Evidence, claim: Claim, known: Settings) -> Answer:
    """One setting that is said to be the same."""
    ref, cand = (_values(ev, known, leg, claim.metric) for leg in LEGS)
    if not ref or not cand:
        return Answer(None, "no raw record of this setting in both legs")
    one = ref[0]
    other = next((values for values in [*ref, *cand] if not _equal(ev, claim, one, values)), None)
    if other is None:
        return Answer(True)
    pair = next(
        ((a, b) for a, b in zip(one, other, strict=False) if not changes.same_value(a.value, b.value)), (one[0], other[0])
    )
    raw = " and ".join(f"{value.value[:80]} ({where(value.source)})" for value in pair)
    return Answer(False, raw, IDS, tuple(value.source for value in pair))


def _equal(ev: Evidence, claim: Claim, one: list[Value], other: list[Value]) -> bool:
    """True when two launches report the same: value by value, or where one reports more of them, any in common."""
    names = _names(ev, claim.metric)

    def same(a: Value, b: Value) -> bool:
        return changes.same_value(a.value, b.value) or any(changes.near(ev, name, a.value, b.value) for name in names)

    if len(one) != len(other):
        return any(same(a, b) for a in one for b in other)
    return all(same(a, b) for a, b in zip(one, other, strict=True))


def _all_same(ev: Evidence) -> Answer:
    """Everything but the change is said to be the same: what a declaration covers may differ, side effects may not."""
    apart = [item for item in changes.differences(ev) if item.because in ("confound", "side effect")]
    if not apart:
        return Answer(True)
    row = apart[0].row
    places = [(row.ref, row.ref_file, row.ref_line), (row.cand, row.cand_file, row.cand_line)]
    shown = " and ".join(f"{value} ({file}:{line})" if file else "absent" for value, file, line in places)
    more = f" and {len(apart) - 1} more" if len(apart) > 1 else ""
    return Answer(False, f"{row.key!r} is {shown}{more}", IDS, tuple(ev.source(file, line) for _, file, line in places if file))
