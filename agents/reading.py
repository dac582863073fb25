"""The auditor's second reader: asks a model single questions about single lines, several times where that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from agents.failures import ModelError
from agents.llm import Ask, Message
from agents.loop import Persona, quoted
from agents.steps import Cited, Objection, ReadingStep


class Reading(NamedTuple):
    """What came of one question: an objection or none, or why nobody could be asked."""

    objection: Objection | None
    degraded: str | None


def read_again(who: Persona, question: str, samples: int, holds: Callable[[Cited], bool]) -> Reading:
    """Put a question to the model ``samples`` times; readings that disagree are an objection of their own, a flag.

    ``question``: JSON of what the auditor asks, its lines included. ``holds``: whether a citation stands there; an objection
    whose citation does not is void, which is no answer. A model of which a sample did not answer degrades the reading.
    """
    said: list[Objection | None] = []
    failed: str | None = None
    for number in range(samples):
        messages = [
            Message(role="system", content=who.skill.text),
            Message(role="user", content=f"One question and its lines:\n{quoted(question)}"),
        ]
        try:
            found = who.model.ask(Ask(who.role, who.skill.sha256, messages, number), ReadingStep).objection
            if found is None or holds(found.citation):
                said.append(found)
            else:
                failed = "void: it objects, and quotes what does not stand where it says"
        except ModelError as error:
            failed = f"{error.kind}: {error}"
            if error.kind != "nonsense":
                break
    if not said:
        return Reading(None, failed or "no answer")
    return Reading(_agreed(said), failed if len(said) < samples else None)


def _agreed(said: list[Objection | None]) -> Objection | None:
    """What all readings say; where they differ, that they do, with the first objection's citation."""
    first = next((item for item in said if item is not None), None)
    if first is None:
        return None
    alike = {None if item is None else item.situation for item in said}
    if len(alike) == 1:
        return first
    counts = sum(item is not None for item in said)
    reason = f"{counts} of {len(said)} readings object, and not alike: {first.reason}"[:2000]
    return Objection(situation="flagged", reason=reason, citation=Cited.model_validate(first.citation.model_dump()))
