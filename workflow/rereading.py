"""The auditor's second reader in a campaign: asked once about each verdict that is no FAIL; what it says is kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow.canonical import canonical, write_atomic

if TYPE_CHECKING:
    from agents.llm import Model
    from agents.reading import Reading
    from agents.steps import Cited

FILE, SCHEMA = "opinions.jsonl", "countersign.opinion/1"  # 1: first form


Question = Mapping[str, Any]
"""What the auditor asks, as plain values: ``{about, words, commission, excerpts: [{file, line, text}], quote_chars}``."""
SecondReader = Callable[[Question], "Reading"]


def second_reader(model: Model, samples: int) -> SecondReader:
    """A reader with this model behind it."""
    from agents.loop import Persona
    from agents.modelled import prompt
    from agents.reading import read_again

    who = Persona("auditor", prompt("auditor"), model)

    def ask(question: Question) -> Reading:
        lines = question["excerpts"]
        told = {
            "question": question["words"], "the_change_is_said_to_be": question["commission"],
            "fewest_letters_of_a_quotation": question["quote_chars"], "lines": lines,
        }  # fmt: skip
        shown = {(item["file"], item["line"]): item["text"] for item in lines}

        def holds(it: Cited) -> bool:
            return len(it.quote.strip()) >= question["quote_chars"] and it.quote in shown.get((it.file, it.line), "")

        return read_again(who, json.dumps(told, ensure_ascii=False, indent=1), samples, holds)

    return ask


def answers(name: str, questions: Sequence[Question], ask: SecondReader) -> list[dict[str, Any]]:
    """What the reader says to each question, as the lines of opinions.jsonl."""
    found = []
    for question in questions:
        reading = ask(question)
        said = None if reading.objection is None else reading.objection.model_dump(mode="json")
        line = {"schema": SCHEMA, "short_name": name, "about": question["about"]}
        found.append({**line, "opinion": said, "degraded": reading.degraded})
    return found


def keep(run_dir: Path, name: str, lines: Sequence[dict[str, Any]]) -> bytes:
    """Write the lines of one request in place of those that an interrupted session left; returns what the ledger answers for."""
    path = run_dir / FILE
    before = path.read_bytes().splitlines() if path.exists() else []
    others = [line for line in before if json.loads(line)["short_name"] != name]
    mine = [canonical(line) for line in lines]
    write_atomic(path, b"".join(line + b"\n" for line in (*others, *mine)))
    return b"\n".join(mine)


def summary(name: str, lines: Sequence[dict[str, Any]]) -> str:
    """One sentence on what was said."""
    objections = Counter(str(line["opinion"]["situation"]) for line in lines if line["opinion"])
    failed = [str(line["degraded"]) for line in lines if line["degraded"]]
    said = ", ".join(f"{count} x {situation}" for situation, count in sorted(objections.items())) or "no objection"
    return f"{name} was read again: {len(lines)} questions, {said}" + (f"; UNSIGNED, {failed[0][:200]}" if failed else "")
