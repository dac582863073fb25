"""Task accuracy of both legs, paired by item: exact McNemar for a loss, an upper bound for safety, N in every sentence."""

from __future__ import annotations

from typing import NamedTuple

from audit import stats
from audit.contract import Figure, Finding, Source
from audit.evidence import Evidence
from audit.intake.dumps import Accuracy

GATE = "correctness"
UNDERPOWERED = "underpowered"
PAIR = "Keep the graded items of both legs (results: idx, gold, pred, ok) and grade the same items."


class Pairs(NamedTuple):
    """Items graded in both legs: how many changed sides, and how many each leg got right."""

    n: int
    lost: int
    won: int
    ref: int
    cand: int


def check(ev: Evidence) -> list[Finding]:
    """One finding a task that both legs were graded on; what is missing on one side is said."""
    refs, cands = ({item.task: item for item in ev.probes.accuracies if item.side == side} for side in ("ref", "cand"))
    twice = _twice(ev)
    if twice:
        return twice
    found: list[Finding] = []
    for task in sorted(refs.keys() | cands.keys()):
        if task in refs and task in cands:
            found += _task(ev, refs[task], cands[task])
    if found or not (refs or cands):
        return found
    if refs and cands:
        reason = f"the legs were graded on other tasks ({', '.join(sorted(refs))} and {', '.join(sorted(cands))})"
        return [_open(["K15"], reason, "Grade one task on both legs.", [*refs.values(), *cands.values()])]
    side, other = ("reference", "candidate") if refs else ("candidate", "reference")
    there = [*refs.values(), *cands.values()]
    return [
        _open(["K18"], f"only the {side} was graded ({there[0].source.file}): the {other}'s accuracy is missing", PAIR, there)
    ]


def lowest(ev: Evidence) -> tuple[Accuracy, float] | None:
    """The reference's worst graded task whose whole interval lies under the policy's floor, with its upper bound."""
    rules = ev.policy.correctness
    for item in ev.probes.accuracies:
        if item.side == "ref" and item.n >= ev.policy.text.min_texts:
            upper = stats.share_upper(item.correct, item.n, rules.confidence)
            if upper < rules.accuracy_floor or (item.correct == 0 and item.n >= rules.parity_min):
                return item, upper
    return None


def _twice(ev: Evidence) -> list[Finding]:
    seen: dict[tuple[str, str], Accuracy] = {}
    for item in ev.probes.accuracies:
        first = seen.setdefault((item.side, item.task), item)
        if first is not item:
            reason = f"two files grade leg {item.side} on {item.task or 'a task'!r}: which one counts is not told"
            return [_open(["K18", "M10"], reason, "Keep one result a leg, and say why another was set aside.", [first, item])]
    return []


def _task(ev: Evidence, ref: Accuracy, cand: Accuracy) -> list[Finding]:
    rules = ev.policy.correctness
    apart = sorted(key for key in ref.protocol.keys() & cand.protocol.keys() if ref.protocol[key] != cand.protocol[key])
    apart += sorted(ref.protocol.keys() ^ cand.protocol.keys())
    if apart:
        told = ", ".join(f"{key} {ref.protocol.get(key, 'absent')} and {cand.protocol.get(key, 'absent')}" for key in apart)
        reason = f"the legs were graded by other protocols: {told} ({ref.source.file}, {cand.source.file})"
        return [_open(["K15"], reason, "Grade both legs with the same settings.", [ref, cand])]
    for item in (ref, cand):
        cut = sum(one.stop == "length" for one in item.items)
        if cut > rules.cut_share * max(item.n, 1):
            reason = f"{cut} of {item.n} answers were cut off at a length limit ({item.source.file}): the task measures the limit"
            return [
                _open(
                    ["K30", "T09", "K31"], reason, "Raise the limit of the graded answers and grade both legs again.", [ref, cand]
                )
            ]
    if not ref.items or not cand.items:
        told = f"{ref.correct} of {ref.n} and {cand.correct} of {cand.n}"
        reason = f"task accuracy ({told}) is recorded without its items: a loss cannot be paired"
        return [_open(["K08"], reason, PAIR, [ref, cand])]
    pairs = _paired(ref, cand)
    if pairs is None:
        reason = f"the legs were graded on other questions ({ref.source.file}, {cand.source.file})"
        return [_open(["K15", "K08"], reason, PAIR, [ref, cand])]
    return _judged(ev, ref, cand, pairs)


def _paired(ref: Accuracy, cand: Accuracy) -> Pairs | None:
    """The pairs; None when the two files do not hold the same questions."""
    one, other = ({item.idx: item for item in side.items} for side in (ref, cand))
    if one.keys() != other.keys() or any(one[idx].gold != other[idx].gold for idx in one):
        return None
    lost = sum(one[idx].ok and not other[idx].ok for idx in one)
    won = sum(other[idx].ok and not one[idx].ok for idx in one)
    return Pairs(len(one), lost, won, ref.correct, cand.correct)


def _judged(ev: Evidence, ref: Accuracy, cand: Accuracy, pairs: Pairs) -> list[Finding]:
    rules = ev.policy.correctness
    points = 100 * (pairs.lost - pairs.won) / pairs.n
    p = stats.mcnemar_p(pairs.lost, pairs.won)
    bound = 100 * stats.loss_upper(pairs.lost, pairs.won, pairs.n, rules.confidence)
    seen = 100 * stats.visible_loss(pairs.n, rules.p, rules.power)
    figures = {
        "items": Figure(pairs.n, "items"),
        "ref_right": Figure(pairs.ref, "items"),
        "cand_right": Figure(pairs.cand, "items"),
        "lost": Figure(pairs.lost, "items"),
        "won": Figure(pairs.won, "items"),
        "points_lost": Figure(stats.significant(points), "points"),
        "points_lost_upper": Figure(stats.significant(bound), "points"),
        "visible_loss": Figure(stats.significant(seen), "points"),
        "mcnemar_p": Figure(stats.significant(p), "1"),
    }
    told = (
        f"{ref.task or 'task'}: {pairs.ref} of {pairs.n} right in ref ({_interval(ev, pairs.ref, pairs.n)}), "
        f"{pairs.cand} in cand ({_interval(ev, pairs.cand, pairs.n)}); {pairs.lost} lost, {pairs.won} won, "
        f"exact McNemar p {p:.3g}, loss at most {bound:.3g} points"
    )
    sources = [ref.source, cand.source]
    if points > rules.loss_points and p < rules.p:
        return [
            Finding(
                gate=GATE, status="fail", situation="correctness_lost", ids=["K08"], figures=figures, evidence=sources,
                reason=f"correctness lost: {points:.3g} points of {told} ({cand.source.file})",
                next_step="Drop the change, or find out why its answers differ: a faster wrong answer is no gain.",
            )
        ]  # fmt: skip
    flips = _flips(ev, pairs, told, figures, sources)
    if bound > rules.margin_points:
        reason = (
            f"{UNDERPOWERED}: {told}, which leaves more than {rules.margin_points:g} points open; "
            f"with {pairs.n} items a loss of {seen:.3g} points would be seen"
        )
        step = "Grade more items on both legs (the whole task where it has 1,000 or so)."
        return [
            Finding(
                gate=GATE, status="unknown", ids=["K06", "K08"], reason=reason, next_step=step, figures=figures, evidence=sources
            ),
            *flips,
        ]
    return [Finding(gate=GATE, status="ok", ids=["K06", "K08"], reason=told, figures=figures, evidence=sources), *flips]


def _flips(ev: Evidence, pairs: Pairs, told: str, figures: dict[str, Figure], sources: list[Source]) -> list[Finding]:
    share = (pairs.lost + pairs.won) / pairs.n
    if share < ev.policy.correctness.flip_share:
        return []
    reason = f"{100 * share:.3g} % of the items changed sides behind equal accuracy: {told}"
    step = "Say so beside the gain: the candidate is another model in these answers."
    return [
        Finding(
            gate=GATE, status="flag", situation="flagged", ids=["K09"], reason=reason, next_step=step, figures=figures,
            evidence=sources,
        )
    ]  # fmt: skip


def _interval(ev: Evidence, k: int, n: int) -> str:
    half = 1 - (1 - ev.policy.correctness.confidence) / 2
    low, high = stats.share_lower(k, n, half), stats.share_upper(k, n, half)
    return f"{100 * low:.3g} to {100 * high:.3g} %"


def _open(ids: list[str], reason: str, step: str, files: list[Accuracy]) -> Finding:
    return Finding(gate=GATE, status="unknown", ids=ids, reason=reason, next_step=step, evidence=[item.source for item in files])
