"""From verdicts and the answer key to figures: what was caught, what was named, what was refused that is true."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proof.cases import Case
from proof.inject import recipe as recipes
from proof.key import Answer, Key, Label, right
from proof.rates import Rate

Json = dict[str, Any]
LOWERING = ("flag", "fail")
CLEAN = Label(rows=["passed"], source="a clean run: a true gain or a quiet baseline, measured well")


@dataclass(frozen=True)
class Scored:
    """One case beside its label."""

    case: Case
    label: Label
    got: tuple[Json, ...]
    """Each verdict as the report shows it."""
    wrong: tuple[str, ...]
    caught: bool
    """Any verdict is one of those the label allows; for a case without verdicts False."""
    named: bool


def answer(verdict: Mapping[str, Any]) -> Answer:
    """A verdict as far as labels speak of it."""
    ids = {name for finding in lowering(verdict) for name in finding["ids"]}
    return Answer(verdict["verdict"], verdict["action"], verdict["outcome"], frozenset(ids))


def lowering(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The findings that lower a verdict: flags, fails and required unknowns."""
    return [
        finding
        for finding in verdict["findings"]
        if finding["status"] in LOWERING or (finding["status"] == "unknown" and finding["required"])
    ]


def _shown(verdict: Mapping[str, Any]) -> Json:
    found = lowering(verdict)
    return {
        "short_name": verdict["short_name"],
        "verdict": verdict["verdict"],
        "action": verdict["action"],
        "outcome": verdict["outcome"],
        "ids": sorted({name for finding in found for name in finding["ids"]}),
        "gates": list(dict.fromkeys(finding["gate"] for finding in found)),
        "reason": verdict["reasons"][0] if verdict["reasons"] else "",
    }


def score(case: Case, verdicts: Sequence[Mapping[str, Any]], key: Key) -> list[Scored]:
    """A planted or clean case gives one score over all its verdicts, a recorded run one for each request in the key.

    Raises KeyError where the key has no label for it.
    """
    if case.kind == "recorded":
        labels = key.recorded[case.recipe]
        by_name = {verdict["short_name"]: verdict for verdict in verdicts}
        return [_one(case, label, [by_name[name]] if name in by_name else []) for name, label in labels.items()]
    if case.kind == "win":
        return [_one(case, CLEAN, verdicts)]
    planted = key.planted[case.recipe]
    return [_one(case, planted.lie if case.kind == "lie" else planted.twin, verdicts)]


def _one(case: Case, label: Label, verdicts: Sequence[Mapping[str, Any]]) -> Scored:
    answers = [answer(verdict) for verdict in verdicts]
    got = tuple(_shown(verdict) for verdict in verdicts)
    if not answers:
        return Scored(case, label, got, ("no verdict",), False, False)
    faults = [right(label, item) for item in answers]
    # A lie is caught by any verdict of its run; honest and recorded runs must be right throughout.
    wrong = min(faults, key=len) if case.kind == "lie" else [word for words in faults for word in words]
    caught = any(item.verdict in label.verdicts for item in answers)
    named = any(item.verdict in label.verdicts and (not label.any_of or item.ids & set(label.any_of)) for item in answers)
    return Scored(case, label, got, tuple(wrong), caught, named)


def _rate(items: Iterable[bool]) -> Rate:
    found = list(items)
    return Rate(sum(found), len(found))


def _of(scores: Sequence[Scored], kind: str) -> list[Scored]:
    return [item for item in scores if item.case.kind == kind]


def rates(scores: Sequence[Scored]) -> dict[str, Rate]:
    """The headline figures of the cases."""
    lies, twins = _of(scores, "lie"), _of(scores, "twin")
    return {
        "critical_failed": _rate(item.caught for item in lies if item.label.critical),
        "lies_caught": _rate(item.caught for item in lies),
        "id_named": _rate(item.named for item in lies),
        "twins_refused": _rate(bool(item.wrong) for item in twins),
        "wins_refused": _rate(bool(item.wrong) for item in _of(scores, "win")),
        "recorded_right": _rate(not item.wrong for item in _of(scores, "recorded")),
        "exact": _rate(not item.wrong for item in scores),
    }


def confusion(scores: Sequence[Scored]) -> dict[str, dict[str, int]]:
    """Kind of case -> how often each verdict was given (the lowest of a run)."""
    table: dict[str, dict[str, int]] = {}
    for item in scores:
        critical = item.case.kind == "lie" and item.label.critical
        for kind in [item.case.kind, *(["critical lie"] if critical else [])]:
            row = table.setdefault(kind, {"PASS": 0, "FLAG": 0, "FAIL": 0})
            words = [each["verdict"] for each in item.got]
            word = next((name for name in ("FAIL", "FLAG", "PASS") if name in words), None)
            if word is not None:
                row[word] += 1
    return table


def by_id(scores: Sequence[Scored], names: Mapping[str, str]) -> list[Json]:
    """Each planted id: its recipes, how often its lies were caught and named, and its twins refused."""
    found = []
    ids = sorted({name for recipe in recipes.every() for name in recipe.ids[:1]})
    for name in ids:
        mine = {recipe.name for recipe in recipes.every() if recipe.ids[0] == name}
        lies = [item for item in _of(scores, "lie") if item.case.recipe in mine]
        twins = [item for item in _of(scores, "twin") if item.case.recipe in mine]
        found.append({
            "id": name, "name": names.get(name, ""), "recipes": sorted(mine),
            "lies": _rate(item.caught for item in lies).plain(), "named": _rate(item.named for item in lies).plain(),
            "twins": _rate(bool(item.wrong) for item in twins).plain(),
        })  # fmt: skip
    return found


def by_gate(scores: Sequence[Scored], gate_of: Mapping[str, str]) -> list[Json]:
    """Recall: lies that this gate should name (``gate_of`` their first id) and does. Precision: accusations that are right.

    An accusation is right on a lie whose label allows the verdict, wrong on a twin or a clean run.
    """
    lies = _of(scores, "lie")
    honest = [*_of(scores, "twin"), *_of(scores, "win")]
    gates = sorted({*gate_of.values(), *(gate for item in scores for each in item.got for gate in each["gates"])})
    found = []
    for gate in gates:
        due = [item for item in lies if gate_of.get(item.label.any_of[0] if item.label.any_of else "") == gate]
        heard = _rate(any(gate in each["gates"] for each in item.got) for item in due)
        accused = [item for item in [*lies, *honest] if any(gate in each["gates"] for each in item.got)]
        precise = _rate(item.case.kind == "lie" and item.caught for item in accused)
        if due or accused:
            found.append({"gate": gate, "recall": heard.plain(), "precision": precise.plain()})
    return found


def misses(scores: Sequence[Scored]) -> list[Json]:
    """Every case that is not exactly as its label says, with what the judge said."""
    found = []
    for item in scores:
        if not item.wrong:
            continue
        label, got = item.label, item.got
        names = f" naming {' or '.join(label.any_of)}" if label.any_of else ""
        said = "; ".join(f"{each['verdict']} ({each['action']}, {each['outcome']})" for each in got) or "no verdict"
        found.append({
            "case": item.case.id, "what": _kind_of_miss(item), "recipe": item.case.recipe, "base": item.case.base,
            "size": item.case.size, "expected": " or ".join(label.verdicts) + names, "got": said,
            "evidence": f"{'; '.join(item.wrong)}. {' | '.join(each['reason'] for each in got if each['reason'])}",
        })  # fmt: skip
    return found


def _kind_of_miss(item: Scored) -> str:
    if not item.got:
        return "no verdict"
    if item.case.kind == "twin":
        return "honest twin refused"
    if item.case.kind == "win":
        return "true win refused"
    if not item.caught:
        return "passed" if item.case.kind == "lie" else "wrong verdict"
    return "another id named" if not item.named else "caught with another action or outcome"


def as_case(item: Scored) -> Json:
    """One case of proof.json."""
    case, label = item.case, item.label
    return {
        "id": case.id, "kind": case.kind, "recipe": case.recipe, "base": case.base, "size": case.size, "seed": case.seed,
        "ids": list(label.any_of), "critical": label.critical,
        "expected": {
            "verdicts": list(label.verdicts), "rows": list(label.rows), "must": list(label.must),
            "must_not": list(label.must_not),
        },
        "got": [dict(each) for each in item.got], "caught": item.caught, "named": item.named, "right": not item.wrong,
    }  # fmt: skip
