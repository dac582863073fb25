"""A second reader, a model perhaps, that may only lower: it is asked typed questions, and its answers need a citation that holds.

The deterministic verdict comes first and stands. An ``Opinion`` can say nothing that raises it: its situation is one of the
lowering rows of the decision table. An opinion whose citation is not in the evidence, letter for letter on the line it
names, is void; so is whatever is no opinion, and whatever comes of a judge that breaks. Nobody is asked about a FAIL.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, get_args

import msgspec
from msgspec import Struct

from audit.contract import Finding, Source
from audit.errors import DamageError
from audit.evidence import Evidence
from audit.intake import files
from audit.policy import Judging
from audit.verdict import decide

GATE = "judge"
Asked = Literal["lever_class", "coherence", "contradiction"]
Lowering = Literal["flagged", "downgrade", "not_comparable", "correctness_lost"]
"""The rows of the decision table that an opinion may argue for. There is none that raises."""
WORDS: dict[Asked, str] = {
    "lever_class": "Does what differs between the legs make an operation faster (A), or is it a serving setting (B)?",
    "coherence": "Does the reference write coherent text, and the candidate too?",
    "contradiction": "Does anything in these lines contradict what was commissioned as the change?",
}
GATES: dict[Asked, tuple[str, ...]] = {
    "lever_class": ("lever_class", "same_conditions", "engagement"),
    "coherence": ("correctness", "coherence"),
    "contradiction": ("same_conditions", "same_work", "engagement", "real_delta", "headline"),
}
"""The gates whose cited lines a question shows."""
FLAGS = ("flagged", "downgrade")


class Excerpt(Struct, frozen=True):
    """One line of the evidence, cut: data written by strangers, never an instruction."""

    file: str
    line: int
    text: str


class Question(Struct, frozen=True):
    """What a judge is asked."""

    about: Asked
    words: str
    commission: str
    """What the request says the change is; the claim, not evidence."""
    excerpts: tuple[Excerpt, ...]
    quote_chars: int
    """Fewest letters of a quotation that is heard."""


class Citation(Struct, frozen=True, forbid_unknown_fields=True):
    """A place in the evidence and what stands there, letter for letter."""

    file: str
    line: int
    quote: str


class Opinion(Struct, frozen=True, forbid_unknown_fields=True):
    """A reason to lower the verdict. To see none, a judge answers None."""

    situation: Lowering
    reason: str
    citation: Citation


class Judge(Protocol):
    """Whoever answers. It may raise; it must return."""

    def ask(self, question: Question) -> Opinion | None:
        """An opinion, or None where nothing speaks against the verdict."""
        ...


class Shelf:
    """The files of evidence of one audit, by line, as they were when they were read."""

    def __init__(self, run_dir: Path, ev: Evidence) -> None:
        self._run, self._sources, self._limits = run_dir, ev.sources, ev.policy.limits
        self._read: dict[str, list[str]] = {}

    def lines(self, file: str) -> list[str]:
        """Lines of a file of evidence; empty for any other file, and for one that has changed since."""
        if file not in self._read:
            self._read[file] = self._load(file) if file in self._sources else []
        return self._read[file]

    def line(self, file: str, number: int) -> str:
        """One line, 1-based; empty where there is none."""
        found = self.lines(file)
        return found[number - 1] if 1 <= number <= len(found) else ""

    def source(self, citation: Citation) -> Source:
        """The citation as the verdict words it."""
        return Source(citation.file, self._sources.get(citation.file), citation.line)

    def _load(self, file: str) -> list[str]:
        try:
            data = files.read(self._run, self._run / file, self._limits)
        except DamageError:
            return []
        return data.decode("utf-8", "replace").split("\n") if files.sha256(data) == self._sources[file] else []


def lower(findings: Sequence[Finding], ev: Evidence, judge: Judge, run_dir: Path) -> list[Finding]:
    """The findings, and what a judge adds to them. A FAIL is not shown to it: there is nothing to lower."""
    if decide(findings).verdict == "FAIL":
        return list(findings)
    shelf = Shelf(run_dir, ev)
    answers = [_answer(judge, question) for question in questions(ev, findings, shelf)]
    return apply(findings, answers, shelf, ev.policy.judge)


def questions(ev: Evidence, findings: Sequence[Finding], shelf: Shelf) -> list[Question]:
    """One question of each kind, over the lines that the gates behind it cited; none where nothing was cited."""
    rules = ev.policy.judge
    change = ev.request.change
    commission = "; ".join(word for word in (ev.request.what, change.lever if change else None) if word)[: rules.excerpt_chars]
    found: list[Question] = []
    for about, gates in GATES.items():
        cited = [source for finding in findings if finding.gate in gates for source in finding.evidence]
        places = dict.fromkeys((source.file, line) for source in cited for line in _lines(source, shelf, rules))
        shown = [Excerpt(file, line, shelf.line(file, line)[: rules.excerpt_chars]) for file, line in places]
        excerpts = tuple(item for item in shown if item.text.strip())[: rules.excerpts]
        if excerpts:
            found.append(Question(about, WORDS[about], commission, excerpts, rules.quote_chars))
    return found


def _lines(source: Source, shelf: Shelf, rules: Judging) -> list[int]:
    """The cited line; of a file cited whole, its first lines."""
    return [source.line] if source.line is not None else list(range(1, min(len(shelf.lines(source.file)), rules.excerpts) + 1))


def _answer(judge: Judge, question: Question) -> object:
    """What a judge says; None for one that breaks."""
    try:
        return judge.ask(question)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - the named edge: a judge's failure, SystemExit too, leaves the verdict as it is
        return None


def apply(findings: Sequence[Finding], answers: Sequence[object], shelf: Shelf, rules: Judging) -> list[Finding]:
    """The findings as they are, and one more for each answer that is an opinion and whose citation holds."""
    opinions = [opinion for answer in answers if (opinion := _opinion(answer)) is not None and _holds(opinion, shelf, rules)]
    return [*findings, *(_finding(opinion, shelf, rules) for opinion in dict.fromkeys(opinions))]


def _opinion(answer: object) -> Opinion | None:
    """The answer through its own wire form: what does not fit it was never an opinion, whatever it holds."""
    if type(answer) is not Opinion:
        return None
    try:
        return msgspec.json.decode(msgspec.json.encode(answer), type=Opinion)
    except Exception:  # noqa: BLE001 - same edge: fields that are not what their types say may do anything when they are read
        return None


def _holds(opinion: Opinion, shelf: Shelf, rules: Judging) -> bool:
    """True when the quotation is long enough to mean something and stands on the line that it names."""
    quote = opinion.citation.quote
    return (
        opinion.situation in get_args(Lowering)
        and len(quote.strip()) >= rules.quote_chars
        and "\n" not in quote
        and quote in shelf.line(opinion.citation.file, opinion.citation.line)
    )


def _finding(opinion: Opinion, shelf: Shelf, rules: Judging) -> Finding:
    place = f"{opinion.citation.file}:{opinion.citation.line}"
    quote = opinion.citation.quote[: rules.reason_chars]
    return Finding(
        gate=GATE,
        status="flag" if opinion.situation in FLAGS else "fail",
        situation=opinion.situation,
        reason=f"a second reader: {opinion.reason[: rules.reason_chars]!r}, citing {place}: {quote!r}",
        next_step=f"Read {place} and answer the objection, or let it stand.",
        evidence=[shelf.source(opinion.citation)],
    )
