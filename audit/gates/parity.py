"""Byte parity of two parity dumps: it counts only where the reference, decoded twice, equals itself."""

from __future__ import annotations

from typing import NamedTuple

from audit.contract import Figure, Finding, Source
from audit.evidence import Evidence
from audit.intake.dumps import Dump

GATE = "correctness"
ACCURACY = "Grade a task on both legs, item by item: byte parity cannot tell a loss from another rounding."
TWICE = "Decode the probe twice on the reference (a second dump, e.g. parity_base2.json), then once on the candidate."


class Equal(NamedTuple):
    """Answers that are the same, byte for byte, of how many; ``same_prompts`` False: they cannot be compared."""

    same: int
    n: int
    same_prompts: bool

    @property
    def all(self) -> bool:
        """True when every answer is."""
        return self.same_prompts and self.same == self.n


def compare(one: Dump, other: Dump) -> Equal:
    """Two dumps, answer by answer."""
    aligned = [item.prompt for item in one.answers] == [item.prompt for item in other.answers]
    same = sum(a.output == b.output for a, b in zip(one.answers, other.answers, strict=False)) if aligned else 0
    return Equal(same, len(one.answers), aligned)


def words(ev: Evidence) -> str:
    """How many answers of the candidate equal the reference's, for other gates to quote; empty without dumps."""
    refs, cands = ev.probes.of("ref"), ev.probes.of("cand")
    if not refs or not cands:
        return ""
    found = compare(refs[0], cands[0])
    return f"{found.same} of {found.n} answers byte-exact" if found.same_prompts else "dumps of other prompts"


def check(ev: Evidence) -> list[Finding]:
    """Nothing without dumps; ok on parity with a reference that repeats itself; else why parity tells nothing."""
    refs, cands = ev.probes.of("ref"), ev.probes.of("cand")
    if not refs and not cands:
        return []
    sources = [item.source for item in (*refs, *cands)]
    if not refs or not cands:
        side, other = ("reference", "candidate") if refs else ("candidate", "reference")
        return [
            _open(["K18"], f"only the {side} left a parity dump ({sources[0].file}): the {other}'s is missing", TWICE, sources)
        ]
    found = min((compare(refs[0], cand) for cand in cands), key=lambda item: (item.same_prompts, item.same))
    told = f"{found.same} of {found.n} answers byte-exact ({refs[0].source.file}, {cands[0].source.file})"
    if not found.same_prompts:
        step = "Dump the same prompts in the same order on both legs."
        return [_open(["K02", "W05"], f"the parity dumps hold other prompts ({_files(sources)})", step, sources)]
    if len(refs) == 1:
        return [
            _open(
                ["K03", "K02"],
                f"{told}, but the reference was decoded once: whether it repeats itself is not known",
                TWICE,
                sources,
            )
        ]
    self_equal = min((compare(refs[0], again) for again in refs[1:]), key=lambda item: (item.same_prompts, item.same))
    figures = {
        "answers": Figure(found.n, "answers"),
        "byte_exact": Figure(found.same, "answers"),
        "reference_repeats": Figure(self_equal.same, "answers"),
    }
    if not self_equal.all:
        reason = f"the reference repeats {self_equal.same} of {self_equal.n} of its own answers: parity ({told}) compares noise"
        return [_open(["K03", "K02"], reason, ACCURACY, sources, figures)]
    if found.n < ev.policy.correctness.parity_min:
        reason = f"{told}: fewer than {ev.policy.correctness.parity_min} answers show nothing"
        return [_open(["K06"], reason, "Dump more prompts.", sources, figures)]
    if not found.all:
        reason = f"{told}, and the reference repeats itself: the change alters answers, which byte parity cannot grade"
        return [_open(["K02"], reason, ACCURACY, sources, figures)]
    reason = f"{told}, and the reference repeats itself byte for byte"
    return [Finding(gate=GATE, status="ok", ids=["K02", "K03"], reason=reason, figures=figures, evidence=sources)]


def _files(sources: list[Source]) -> str:
    return ", ".join(source.file for source in sources)


def _open(ids: list[str], reason: str, step: str, sources: list[Source], figures: dict[str, Figure] | None = None) -> Finding:
    return Finding(gate=GATE, status="unknown", ids=ids, reason=reason, next_step=step, evidence=sources, figures=figures or {})
