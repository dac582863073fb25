"""Whether a model can be asked: one small question in the form of a campaign's."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from agents.llm import Ask, Call, Endpoint, Message, Model

QUESTION = 'This tests the connection. Answer with one JSON object and nothing else: {"word": "ready"}'


class Ready(BaseModel):
    """The answer, with whatever word."""

    model_config = ConfigDict(extra="forbid")

    word: str


def probe(at: Endpoint) -> Call:
    """The call that was answered. Raises ModelError."""
    calls: list[Call] = []
    Model(at, record=calls.append).ask(Ask("doctor", "", [Message(role="user", content=QUESTION)]), Ready)
    return calls[0]
