"""Ask, act, observe: a role puts its view to a model until the model decides, within a bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from agents.desk import Tool
from agents.failures import ModelError
from agents.llm import Ask, Message, Model
from agents.skillbook import Rendered
from agents.steps import Look, Step

S = TypeVar("S", bound=Step)
MOST_STEPS = 8
MOST_MISTAKES = 2
"""Answers that are none, or that are refused, before a role gives up."""
MOST_SHOWN = 20_000
"""Letters of one observation."""
OPEN, CLOSE = "<<<DATA", "DATA>>>"


@dataclass(frozen=True, slots=True)
class Persona:
    """Who asks: the role's name, its rendered skill, the model."""

    role: str
    skill: Rendered
    model: Model


@dataclass(frozen=True, slots=True)
class Task(Generic[S]):
    """What is to be decided: the schema of a step, what to read, and what a decision has to be."""

    schema: type[S]
    view: str
    """JSON of what the role may see."""
    tools: Mapping[str, Tool]
    refuse: Callable[[S], str | None]
    """Why a deciding step may not be, in words that the model can act on; None when it may."""


def decide(who: Persona, task: Task[S]) -> S | None:
    """The deciding step, or None when the role found none within its bounds. Raises ModelError when the model cannot be asked."""
    tools = "\n".join(f"- {name}" for name in sorted(task.tools)) or "(none)"
    messages = [
        Message(role="system", content=who.skill.text),
        Message(role="user", content=f"Tools that you may look with:\n{tools}\n\nWhat you may know:\n{quoted(task.view)}"),
    ]
    mistakes = 0
    for _ in range(MOST_STEPS):
        try:
            step = who.model.ask(Ask(who.role, who.skill.sha256, messages), task.schema)
        except ModelError as error:
            if error.kind != "nonsense":
                raise
            said, answer = (
                "(no valid answer)",
                f"That was no valid answer: {error}. Answer with one JSON object under the schema.",
            )
        else:
            said = step.model_dump_json(exclude_none=True)
            look = step.look
            if look is None:
                refused = task.refuse(step)
                if refused is None:
                    return step
                answer = f"Refused: {quoted(refused)}"
            else:
                messages += [Message(role="assistant", content=said), Message(role="user", content=_looked(task, look))]
                continue
        mistakes += 1
        if mistakes > MOST_MISTAKES:
            return None
        messages += [Message(role="assistant", content=said), Message(role="user", content=answer)]
    return None


def _looked(task: Task[S], look: Look) -> str:
    tool = task.tools.get(look.tool)
    if tool is None:
        return f"There is no tool {look.tool[:80]!r}."
    try:
        return quoted(tool(look.argument))
    except LookupError:
        return f"{look.tool}: nothing is called {look.argument[:80]!r}."


def quoted(text: str) -> str:
    """A text as data: between marks, cut, with nothing in it that ends the marks."""
    inside = text[:MOST_SHOWN].replace(CLOSE, "DATA> >>").replace(OPEN, "<< <DATA")
    cut = f"\n(cut; {len(text)} letters in all)" if len(text) > MOST_SHOWN else ""
    return f"{OPEN}\n{inside}{cut}\n{CLOSE}"
