"""A model that roles ask: a total deadline, one retry, a budget, a schema, and a record of every call.

LiteLLM's own retries, timeout and budget are not used: its timeout is none for a body that trickles, and its budget never fired.
What a model says is data until its schema has accepted it.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from agents.failures import Kind, ModelError
from agents.wire import Raw, complete, guess, ready

T = TypeVar("T", bound=BaseModel)
AGAIN: frozenset[Kind] = frozenset({"busy", "down"})
"""What a second try may mend."""
PAUSE_S = 1.0
"""Before the second try, where the server does not say how long."""
VERSION: Literal[1] = 1  # of a recorded call; 1: first form
_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL)


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Which model, where, and what one call may take."""

    model: str
    """As LiteLLM spells it: ``openai/gpt-4o``, ``anthropic/...``, ``hosted_vllm/...``."""
    api_base: str | None = None
    deadline_s: float = 60.0
    """Of a whole call, its second try included."""
    max_tokens: int = 2000
    temperature: float = 0.0


class Ask(NamedTuple):
    """One question of one role."""

    role: str
    skill_sha256: str
    """Of the rendered skill that the conversation begins with."""
    messages: Sequence[Message]
    sample: int = 0
    """Number of the sample, where one question is asked several times."""


class Call(BaseModel):
    """What is recorded of one call. Texts are kept whole; keys never are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = VERSION
    role: str
    model: str
    skill_sha256: str
    request_sha256: str
    sample: int
    outcome: Literal["answered"] | Kind
    response: str
    """The model's text, or the error's words."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float | None = None
    """None: nobody knows the price."""
    latency_s: float = 0.0
    tries: int = 1
    by_place: bool = False
    """True: replayed for another request than the recorded one, because no other answer of the role was next."""


@dataclass(slots=True)
class Budget:
    """Money and tokens of a campaign, counted here. A call begins only while both are left."""

    max_usd: float = float("inf")
    max_tokens: int = 10**12
    usd: float = 0.0
    tokens: int = 0

    def check(self) -> None:
        """Raise ModelError when nothing is left."""
        if self.usd >= self.max_usd or self.tokens >= self.max_tokens:
            spent = f"{self.usd:.4g} USD and {self.tokens} tokens"
            raise ModelError("budget", f"the model budget is spent ({spent})")

    def charge(self, call: Call) -> None:
        """Add what a call cost."""
        self.tokens += call.tokens_in + call.tokens_out
        self.usd += call.cost_usd or 0.0


@dataclass(slots=True)
class Model:
    """A model that roles ask. ``record`` is told of every new call, also of those that failed."""

    endpoint: Endpoint
    budget: Budget = field(default_factory=Budget)
    record: Callable[[Call], None] = lambda _: None
    known: Callable[[str], Call | None] = lambda _: None
    """The call of a request's digest that this campaign made already, before it was interrupted."""
    tape: Callable[[str, str], Call] | None = None
    """In place of the wire: gives a recorded call by a request's digest and role, or raises ModelError."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def ask(self, what: Ask, schema: type[T]) -> T:
        """The model's answer as ``schema``. Raises ModelError."""
        digest = request_digest(self.endpoint, what, schema)
        call, failure = self.known(digest), None
        if call is None:
            self.budget.check()
            call, failure = self._call(what, schema, digest) if self.tape is None else (self.tape(digest, what.role), None)
            self.budget.charge(call)
            self.record(call)
        if call.outcome != "answered":
            raise failure or ModelError(call.outcome, call.response)
        return parsed(call.response, schema)

    def _call(self, what: Ask, schema: type[BaseModel], digest: str) -> tuple[Call, ModelError | None]:
        """Over the wire, at most twice; the record, and the error that ended it."""
        ready()
        begun, tries, raw = self.clock(), 0, Raw("", 0, 0, None)
        failure: ModelError | None = None
        while True:
            tries += 1
            try:
                raw = self._try(what, begun)
                if raw.wrong is not None:
                    raise raw.wrong
                parsed(raw.text, schema)
                failure = None
            except ModelError as error:
                failure = error
            pause = PAUSE_S if failure is None or failure.after_s is None else failure.after_s
            if failure is None or tries > 1 or failure.kind not in AGAIN or pause >= self._left(begun):
                break
            self.sleep(pause)
        if failure is not None and failure.kind == "timeout":  # it was sent, so it may be billed
            raw = raw._replace(tokens_in=guess(sum(len(item.content) for item in what.messages)))
        call = Call(
            role=what.role, model=self.endpoint.model, skill_sha256=what.skill_sha256, request_sha256=digest, sample=what.sample,
            outcome="answered" if failure is None else failure.kind, response=raw.text if failure is None else str(failure),
            tokens_in=raw.tokens_in, tokens_out=raw.tokens_out, cost_usd=raw.cost_usd,
            latency_s=self.clock() - begun, tries=tries,
        )  # fmt: skip
        return call, failure

    def _try(self, what: Ask, begun: float) -> Raw:
        at = self.endpoint
        limits: dict[str, Any] = {"max_tokens": at.max_tokens, "temperature": at.temperature}
        return complete(at.model, at.api_base, [item.model_dump() for item in what.messages], limits, self._left(begun))

    def _left(self, begun: float) -> float:
        return self.endpoint.deadline_s - (self.clock() - begun)


def request_digest(endpoint: Endpoint, what: Ask, schema: type[BaseModel]) -> str:
    """sha256 (hex) over all that an answer depends on: model, limits, messages, schema, number of the sample."""
    told = {
        "model": endpoint.model, "max_tokens": endpoint.max_tokens, "temperature": endpoint.temperature, "sample": what.sample,
        "messages": [item.model_dump() for item in what.messages], "schema": schema.model_json_schema(),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def parsed(text: str, schema: type[T]) -> T:
    """A model's text as its schema: one JSON object, alone or in one fence. Raises ModelError saying what is wrong with it."""
    fenced = _FENCED.fullmatch(text)
    try:
        return schema.model_validate_json(fenced[1] if fenced else text, strict=True)
    except ValidationError as error:
        words = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'the answer'}: {item['msg']}" for item in error.errors()[:5])
        raise ModelError("nonsense", f"not what was asked for: {words[:600]}") from error
    except RecursionError as error:
        raise ModelError("nonsense", "nested too deeply") from error
