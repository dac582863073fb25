"""Rows of the report's tables: the proof's figures in the order and the words in which a reader meets them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from proof.report import words
from proof.report.accepts import mark, order
from proof.report.shape import Case, Detection, LaunchesNeeded, Miss, Odds, Power, Proof, Rate, World

Look = Literal["good", "part", "bad", "none"]
KINDS = {
    "lie": ("planted lies", "clean runs that were edited so that their claim is false"),
    "critical lie": ("of these, critical", "lies that would put a gain on the books that is not there or not the change's"),
    "twin": ("honest twins", "the same surface change without the lie; refusing one is a false alarm"),
    "win": ("clean runs", "true gains and quiet baselines, well measured; refusing one is a false alarm"),
    "recorded": ("recorded runs", "runs that were really measured, or rebuilt from published figures, some sound and some not"),
}
VERDICTS = ("PASS", "FLAG", "FAIL")


class Cell(NamedTuple):
    """One cell of the confusion matrix."""

    number: int
    share: str
    words: str
    look: Look


class Line(NamedTuple):
    """One kind of case."""

    name: str
    says: str
    cells: tuple[Cell, ...]
    unjudged: int
    """Cases without any verdict."""


class Misses(NamedTuple):
    """Misses of one sort."""

    what: str
    items: tuple[Miss, ...]


class Tried(NamedTuple):
    """One figure of what was tried."""

    number: str
    what: str
    more: str


def tried(proof: Proof) -> list[Tried]:
    """What the judge was shown."""
    of = {kind: [case for case in proof.cases if case.kind == kind] for kind in ("lie", "twin", "recorded", "win")}
    lies, twins = of["lie"], of["twin"]
    ids = {name for case in lies for name in case.ids}
    campaigns = words.count(sum(world.campaigns for world in proof.worlds), "campaign")
    recipes = words.count(len({case.recipe for case in lies}), "recipe")
    bases = words.count(len({case.base for case in lies}), "clean run")
    critical = sum(case.critical for case in lies)
    shipped = len({case.recipe for case in of["recorded"]})
    return [
        Tried(
            f"{len(lies):,}", "planted lies",
            f"{recipes} for {words.count(len(ids), 'kind')} of lie, told about {bases}; {critical:,} are critical",
        ),
        Tried(f"{len(twins):,}", "honest twins", "the same surface change without the lie"),
        Tried(f"{len(of['win']):,}", "clean runs", "true gains and quiet baselines, as they are"),
        Tried(f"{shipped:,}", "recorded runs", f"{words.count(len(of['recorded']), 'claim')} in them"),
        Tried(f"{len(proof.worlds):,}", "simulated worlds", f"{campaigns} in which no candidate brings anything"),
    ]  # fmt: skip


def confusion(proof: Proof) -> list[Line]:
    """Each kind of case with how often each verdict was given, known kinds first."""
    names = [kind for kind in KINDS if kind in proof.confusion] + sorted(set(proof.confusion) - set(KINDS))
    lines = []
    for kind in names:
        row = proof.confusion[kind]
        mine = [
            case for case in proof.cases if case.kind == kind or (kind == "critical lie" and case.kind == "lie" and case.critical)
        ]
        by_verdict = dict(zip(VERDICTS, (row.passed, row.flagged, row.failed), strict=True))
        whole = sum(by_verdict.values())
        cells = [_cell(number, whole, [case for case in mine if lowest(case) == name]) for name, number in by_verdict.items()]
        name, says = KINDS.get(kind, (kind, ""))
        lines.append(Line(name, says, tuple(cells), sum(not case.got for case in mine)))
    return lines


def lowest(case: Case) -> str | None:
    """The worst verdict of a case; None without one."""
    said = {each.verdict for each in case.got}
    return next((name for name in reversed(VERDICTS) if name in said), None)


def _cell(number: int, whole: int, cases: Sequence[Case]) -> Cell:
    part = "" if not whole else f"{100 * number / whole:.{0 if number in (0, whole) else 1}f} %"
    wrong = sum(not case.caught for case in cases)
    loose = sum(case.caught and not case.right for case in cases)
    if not number or not cases:
        return Cell(number, part, "", "none")
    said = [f"{wrong:,} wrong"] * bool(wrong) + [f"{loose:,} right but for a detail"] * bool(loose)
    look: Look = "bad" if wrong else "part" if loose else "good"
    return Cell(number, part, "; ".join(said) or "all as the key says", look)


def missed(proof: Proof) -> list[Misses]:
    """Misses by sort, the most frequent sort last: single ones tell more."""
    sorts = Counter(miss.what for miss in proof.misses)
    return [
        Misses(what, tuple(miss for miss in proof.misses if miss.what == what))
        for what, _ in sorted(sorts.items(), key=lambda item: (item[1], item[0]))
    ]


def policies(worlds: Sequence[World]) -> list[str]:
    """Every policy that some world was judged under."""
    return order([item.policy for world in worlds for item in world.policies])


def policy_words(policy: str) -> str:
    """Its name in a heading."""
    return mark(policy).words


def accepts(world: World, policy: str) -> tuple[Rate | None, Rate | None]:
    """Per campaign and per claim; None where the world was not judged under it."""
    found = next((item for item in world.policies if item.policy == policy), None)
    return (None, None) if found is None else (found.per_campaign, found.per_claim)


def before(world: World, detection: Detection) -> Rate | None:
    """The same detection under the judge as it was before; None where there is none."""
    was = world.before.detections if world.before is not None else []
    return next((item.rate for item in was if (item.gate, item.of) == (detection.gate, detection.of)), None)


class Curve(NamedTuple):
    """Power of one policy in one world, by gain."""

    world: str
    policy: str
    shares: tuple[Rate | None, ...]


def gains(worlds: Sequence[World]) -> list[float]:
    """Every gain of the power curves."""
    return sorted({item.gain_pct for world in worlds for item in world.power})


def curves(worlds: Sequence[World]) -> list[Curve]:
    """The power curves as rows."""
    columns = gains(worlds)
    found = []
    for world in worlds:
        for policy in order([item.policy for item in world.power]):
            mine: list[Power] = [item for item in world.power if item.policy == policy]
            at = {item.gain_pct: item.accepted for item in mine}
            found.append(Curve(world.name, mark(policy).words, tuple(at.get(gain) for gain in columns)))
    return found


def launches_hold(item: LaunchesNeeded) -> str:
    """Whether the launches that a verdict asks for bring the chance that it promises."""
    if item.said is None or item.power_there.rate is None:
        return "no number was given"
    if item.power_there.high < item.asked_power:
        return "too few"
    return "more than needed" if item.power_there.low > item.asked_power else "as promised"


def odds_hold(item: Odds) -> str:
    """Whether the printed odds came to pass."""
    if item.seen.rate is None:
        return "not tried"
    if item.printed_pct > 100 * item.seen.high:
        return "printed too high"
    return "printed too low" if item.printed_pct < 100 * item.seen.low else "as printed"
