"""Texts that broke: what the candidate writes where the reference, asked the same, still writes text that comes to an end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from audit import stats, text
from audit.contract import Figure, Finding, Source
from audit.evidence import Evidence
from audit.gates import accuracy, parity
from audit.gates.coherence import GATE, IDS


class Pair(NamedTuple):
    """The same prompt's answers of both legs."""

    ref: str
    cand: str


class Compared(NamedTuple):
    """Pairs of one kind of record, and what is known of it."""

    pairs: list[Pair]
    sources: list[Source]
    timed: bool
    """True for answers that were given inside the timed windows."""
    steady: bool
    """True where the reference, asked once more, said the same byte for byte."""


def candidate(ev: Evidence) -> list[Finding]:
    """Failures of a candidate whose texts broke where the reference's did not; nothing when they hold or are not recorded."""
    found: list[Finding] = []
    for compared in _compared(ev):
        told = (_broken(ev, compared), _blank(ev, compared))
        found += [finding for finding in told if finding is not None]
    return found + _endless(ev)


def _compared(ev: Evidence) -> list[Compared]:
    """Answers of both legs to the same prompts, from each kind of record; equal ones are left in, they cost nothing."""
    found: list[Compared] = []
    refs, cands = ev.probes.of("ref"), ev.probes.of("cand")
    if refs and cands and parity.compare(refs[0], cands[0]).same_prompts:
        pairs = [Pair(a.output, b.output) for a, b in zip(refs[0].answers, cands[0].answers, strict=True)]
        steady = len(refs) > 1 and all(parity.compare(refs[0], again).all for again in refs[1:])
        found.append(Compared(pairs, [refs[0].source, cands[0].source], timed=False, steady=steady))
    timed = _timed(ev)
    if timed:
        sources = [ev.legs[side].launches[0].source("requests.jsonl") for side in ("ref", "cand")]
        found.append(Compared(timed, sources, timed=True, steady=False))
    return found


def _timed(ev: Evidence) -> list[Pair]:
    """Answers given inside the timed windows, by pair of launches, repeat, index and prompt."""
    if not {"ref", "cand"} <= ev.legs.keys():
        return []
    answers: dict[tuple[int, int, int, str], str] = {}
    found: list[Pair] = []
    for side in ("ref", "cand"):
        for launch in ev.legs[side].launches:
            if launch.server is None:
                continue
            for item in launch.requests:
                key = (launch.server.plan.pair, item.repeat, item.index, item.prompt)
                if side == "ref" and item.error is None:
                    answers[key] = item.answer or ""
                elif side == "cand" and item.error is None and key in answers:
                    found.append(Pair(answers[key], item.answer or ""))
    return found


def _lost(pairs: Sequence[tuple[bool, bool]]) -> tuple[int, int]:
    """Pairs that only the reference, and that only the candidate got right."""
    return sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)


def _chance(ev: Evidence, lost: int, n: int, before: float) -> float:
    """Chance of so many faults in the candidate alone: each comes about with the rate of false alarms, or the reference's."""
    return stats.tail_p(lost, n, max(ev.policy.text.fault_rate, before / n))


def _too_many(ev: Evidence, lost: int, n: int, before: float) -> bool:
    """True where the candidate's faults cannot be chance: more than one, and unlikely at the rate that sound answers show.

    Only for probes, whose answers end by themselves: answers of a forced length go round now and then in any model.
    """
    return lost >= ev.policy.text.min_bad and _chance(ev, lost, n, before) < ev.policy.correctness.p


def _broken(ev: Evidence, compared: Compared) -> Finding | None:
    """Texts that break in the candidate alone: a large share, a paired loss, or more than chance leaves to sound texts."""
    rules, pairs = ev.policy.text, compared.pairs
    apart = [pair for pair in pairs if pair.ref != pair.cand][: rules.max_texts]
    scored = [(text.examine(pair.ref, rules), text.examine(pair.cand, rules)) for pair in apart]
    lost, won = _lost([(ref.sound, cand.sound) for ref, cand in scored])
    if lost == 0:
        return None
    held = [(pair, score) for pair, (ref, score) in zip(apart, scored, strict=True) if ref.sound]
    strange = [pair for pair, score in held if compared.steady and score.sound and text.strange(pair.ref, pair.cand, rules)]
    n, p = len(pairs), stats.mcnemar_p(lost, won)
    clear = lost - won >= max(rules.incoherent_share * n, rules.min_bad) and n >= rules.min_texts
    proven = p < ev.policy.correctness.p and 100 * (lost - won) / n > ev.policy.correctness.loss_points
    read = pairs[: rules.max_texts]
    before = n * sum(not text.examine(pair.ref, rules).sound for pair in read) / len(read)
    if not (clear or proven or (not compared.timed and _too_many(ev, lost + len(strange), n, before))):
        return None
    bad = [(pair, score) for pair, score in held if not score.sound]
    faults = text.counted([score for _, score in bad])
    longer = sum(len(pair.cand) for pair, _ in bad) / max(sum(len(pair.ref) for pair, _ in bad), 1)
    told = ", ".join(f"{fault} ({count})" for fault, count in faults)
    other = f"; {len(strange)} more have nothing in common with the reference's" if strange else ""
    graded = _graded(ev)
    reason = (
        f"correctness lost: {lost} of {n} texts break in the candidate where the reference's hold, {won} the other way "
        f"({told}; {longer:.3g} times as long; {compared.sources[-1].file}){other}, e.g. {text.quoted(bad[0][0].cand)}{graded}"
    )
    figures = {
        "texts": Figure(n, "texts"),
        "broken": Figure(lost, "texts"),
        "mended": Figure(won, "texts"),
        "strange": Figure(len(strange), "texts"),
        "chance": Figure(stats.significant(_chance(ev, lost + len(strange), n, before)), "1"),
        "mcnemar_p": Figure(stats.significant(p), "1"),
        "longer": Figure(stats.significant(longer), "1"),
    }
    ids = _broken_ids(ev, [score for _, score in bad], longer)
    return _fail([*ids, *(["K20"] if compared.timed or graded else [])], reason, compared.sources, figures)


def _broken_ids(ev: Evidence, scores: Sequence[text.Score], longer: float) -> list[str]:
    """Rows of the taxonomy: loops, padding, nothing said; text that is damaged otherwise is what lost weights write."""
    ids = [IDS[fault] for fault, _ in text.counted(scores) if fault in IDS]
    if longer >= ev.policy.correctness.longer and {"T06", "T07"} & set(ids):
        ids.append("W08")
    if any(not IDS.keys() & set(score.faults) for score in scores):
        ids.append("K28")
    return ids


def _graded(ev: Evidence) -> str:
    """In words, that a graded task found nothing where the texts are broken: it was answered by something else."""
    good = next((item for item in accuracy.check(ev) if item.status == "ok"), None)
    if good is None:
        return ""
    return f"; the graded task that finds no loss ({good.evidence[-1].file}) was answered by something else, or asks too little"


def _blank(ev: Evidence, compared: Compared) -> Finding | None:
    """Answers in which nothing is left to read: the budget went into thought, or nothing was said."""
    rules, pairs, sources = ev.policy.text, compared.pairs, compared.sources
    seen = [
        (bool(text.visible(pair.ref, rules)), bool(text.visible(pair.cand, rules))) for pair in pairs if pair.ref != pair.cand
    ]
    lost, won = _lost(seen)
    share = (lost - won) / max(len(pairs), 1)
    if lost < rules.min_bad:
        return None
    before = sum(not text.visible(pair.ref, rules) for pair in pairs)
    paired = share >= rules.incoherent_share or stats.mcnemar_p(lost, won) < ev.policy.correctness.p
    if not (paired or (not compared.timed and _too_many(ev, lost, len(pairs), before))):
        return None
    told = f"{lost} of {len(pairs)} answers of the candidate hold nothing to read, where the reference's do"
    reason = f"correctness lost: {told} ({sources[-1].file})"
    return _fail(["W23"], reason, sources, {"blank": Figure(lost, "texts"), "texts": Figure(len(pairs), "texts")})


def _endless(ev: Evidence) -> list[Finding]:
    """Answers of the probe that no longer come to an end: cut at the length limit where the reference stops by itself.

    Where the reference's answer was nearly as long, other words may have met the limit: a few of those show nothing.
    """
    refs, cands = ev.probes.of("ref"), ev.probes.of("cand")
    if not refs or not cands or not parity.compare(refs[0], cands[0]).same_prompts:
        return []
    pairs = [(a, b) for a, b in zip(refs[0].answers, cands[0].answers, strict=True) if a.stop and b.stop]
    lost, won = _lost([(a.stop != "length", b.stop != "length") for a, b in pairs])
    rules, before = ev.policy.text, sum(a.stop == "length" for a, _ in pairs)
    clear = lost - won >= max(rules.incoherent_share * len(pairs), rules.min_bad)
    late = [(a, b) for a, b in pairs if a.stop != "length" and b.stop == "length"]
    far = sum(len(a.output) < ev.policy.correctness.near_limit * len(b.output) for a, b in late)
    if len(pairs) < rules.min_texts or not (clear or _too_many(ev, far, len(pairs), before)):
        return []
    sources = [refs[0].source, cands[0].source]
    told = f"{lost} of {len(pairs)} answers of the candidate run into the length limit where the reference ends"
    reason = f"correctness lost: {told} ({sources[1].file})"
    return [_fail(["K31"], reason, sources, {"endless": Figure(lost, "texts"), "texts": Figure(len(pairs), "texts")})]


def _fail(ids: list[str], reason: str, sources: list[Source], figures: dict[str, Figure]) -> Finding:
    step = "Drop the change, or find out what it breaks: tokens that say nothing are no throughput."
    return Finding(
        gate=GATE, status="fail", situation="correctness_lost", ids=list(dict.fromkeys(ids)), reason=reason, next_step=step,
        evidence=sources, figures=figures,
    )  # fmt: skip
