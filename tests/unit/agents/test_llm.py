"""A model that misbehaves in every way: each ends within its deadline under the right name, and is recorded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from agents.failures import Kind, ModelError
from agents.llm import Ask, Budget, Call, Endpoint, Message, Model, parsed, request_digest
from tests.support.children import heeds_ctrl_c
from tests.support.fake_model import FakeModel, fake_model, wait_until

ROOT = Path(__file__).resolve().parents[3]
KEY = "sk-very-secret-key-0123456789"


class Answer(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    word: str
    number: int


ASK = Ask(
    "tester", "ab" * 32, [Message(role="system", content="Answer in JSON."), Message(role="user", content="A word, a number.")]
)
GOOD = {"word": "seven", "number": 7}


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeModel]:
    """One server for all ways."""
    with fake_model(lambda _: json.dumps(GOOD)) as server:
        yield server


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "HOSTED_VLLM_API_KEY"):
        monkeypatch.setenv(name, KEY)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No long wait before a second try."""
    monkeypatch.setattr("agents.llm.PAUSE_S", 0.05)


def model(
    fake: FakeModel, way: str, deadline_s: float = 20.0, name: str = "openai/fake", **more: Any
) -> tuple[Model, list[Call]]:
    """A model behind this way, and what it records."""
    calls: list[Call] = []
    return Model(Endpoint(name, fake.base(way), deadline_s), record=calls.append, **more), calls


@pytest.mark.parametrize("way", ["well", "fenced", "no-usage", "strange-usage"])
def test_an_answer(fake: FakeModel, way: str) -> None:
    """Parsed, recorded with its request's digest, charged."""
    asked, calls = model(fake, way)
    assert asked.ask(ASK, Answer) == Answer(word="seven", number=7)
    (call,) = calls
    assert (call.outcome, call.role, call.tries) == ("answered", "tester", 1)
    assert call.request_sha256 == request_digest(asked.endpoint, ASK, Answer)
    assert asked.budget.tokens == call.tokens_in + call.tokens_out > 0
    if way == "well":
        assert (call.tokens_in, call.tokens_out) == (11, 7)


@pytest.mark.parametrize("name", ["openai/fake", "hosted_vllm/fake"])
@pytest.mark.parametrize(
    ("way", "kind", "requests"),
    [
        ("401", "denied", 1), ("403", "denied", 1), ("404", "unknown_model", 1), ("400", "rejected", 1), ("429", "busy", 2),
        ("500", "down", 2), ("503", "down", 2), ("reset", "down", 2), ("malformed", "down", 2), ("html", "down", 2),
        ("not-utf8", "down", 2), ("deep-body", "down", 2), ("redirect", "rejected", 1), ("echo-401", "denied", 1),
        ("empty", "nonsense", 1), ("blank", "nonsense", 1), ("null", "nonsense", 1), ("no-choices", "nonsense", 1),
        ("tool-call", "nonsense", 1), ("cut-off", "nonsense", 1), ("wrong-schema", "nonsense", 1), ("not-json", "nonsense", 1),
        ("two", "nonsense", 1), ("huge", "nonsense", 1), ("deep", "nonsense", 1), ("endless", "nonsense", 1),
        ("bomb", "nonsense", 1), ("echo", "nonsense", 1), ("429-long", "busy", 1),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("quick")
def test_a_misbehaviour_has_its_name(
    fake: FakeModel, way: str, kind: Kind, requests: int, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Tried again only where a second try may help, never more than once, by nobody else; recorded without the key."""
    asked, calls = model(fake, way, name=name)
    before = fake.times(way)
    with pytest.raises(ModelError) as caught:
        asked.ask(ASK, Answer)
    assert (caught.value.kind, calls[0].outcome, fake.times(way) - before) == (kind, kind, requests), str(caught.value)
    assert len(calls) == 1 and calls[0].response and KEY not in calls[0].model_dump_json() + str(caught.value)
    assert caught.value.next_step and KEY not in "".join(capfd.readouterr())


@pytest.mark.parametrize("way", ["hang", "trickle"])
def test_the_deadline_is_total(fake: FakeModel, way: str) -> None:
    """A body that comes byte by byte is not an answer that is coming."""
    asked, calls = model(fake, way, 1.0)
    begun = time.monotonic()
    with pytest.raises(ModelError) as caught:
        asked.ask(ASK, Answer)
    assert caught.value.kind == calls[0].outcome == "timeout" and time.monotonic() - begun < 5


@pytest.mark.parametrize("way", ["429-once", "500-once"])
def test_a_second_try(fake: FakeModel, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time that the server asked for; both tries are in one record."""
    monkeypatch.setattr("agents.llm.PAUSE_S", 0.05)
    slept: list[float] = []
    asked, calls = model(fake, way, sleep=slept.append)
    assert asked.ask(ASK, Answer).number == 7 and calls[0].tries == 2
    assert slept == ([0.2] if way == "429-once" else [0.05])


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection, twice."""
    monkeypatch.setattr("agents.llm.PAUSE_S", 0.05)
    with fake_model(lambda _: "") as gone:
        base = gone.base("well")
    with pytest.raises(ModelError) as caught:
        Model(Endpoint("openai/fake", base, 10.0)).ask(ASK, Answer)
    assert caught.value.kind == "down"


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(fake: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy elsewhere cannot reach it; what the user keeps from the proxy stays so, and nothing stays changed."""
    with fake_model(lambda _: "") as gone:
        nowhere = gone.base("").partition("//v1")[0]
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, nowhere)
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.delenv("no_proxy", raising=False)
    before = dict(os.environ)
    asked, _ = model(fake, "well")
    assert asked.ask(ASK, Answer).number == 7 and dict(os.environ) == before


def test_a_proxy_of_the_environment_is_asked_for_others(fake: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """As users who need one expect: the name is looked up by the proxy, here our fake."""
    monkeypatch.setenv("http_proxy", fake.base("").partition("//v1")[0])
    monkeypatch.delenv("no_proxy", raising=False)
    found = Model(Endpoint("openai/fake", "http://model.invalid/well/v1", 10.0)).ask(ASK, Answer)
    assert found.number == 7


def test_what_was_paid_for_is_counted_whatever_it_says(fake: FakeModel) -> None:
    """An answer that was cut off cost its tokens, and a request that hung may have."""
    asked, calls = model(fake, "cut-off")
    with pytest.raises(ModelError):
        asked.ask(ASK, Answer)
    assert (calls[0].tokens_in, calls[0].tokens_out, asked.budget.tokens) == (11, 7, 18)
    asked, calls = model(fake, "hang", 0.5)
    with pytest.raises(ModelError):
        asked.ask(ASK, Answer)
    assert asked.budget.tokens == calls[0].tokens_in > 0


HANGS = """
import socket, sys, time
from agents.failures import ModelError
from agents.llm import Ask, Endpoint, Message, Model
from agents.wire import ready
from pydantic import BaseModel

class Answer(BaseModel):
    word: str

ready()
if sys.argv[1] == "name":
    socket.getaddrinfo = lambda *_, **__: time.sleep(60)
base = "http://model.example/v1" if sys.argv[1] == "name" else sys.argv[2]
begun = time.monotonic()
try:
    Model(Endpoint("openai/fake", base, float(sys.argv[3]))).ask(Ask("x", "", [Message(role="user", content="?")]), Answer)
except ModelError as error:
    print(error.kind, time.monotonic() - begun < 4)
"""


@pytest.mark.parametrize("what", ["name", "answer"])
def test_nothing_that_hangs_keeps_the_process(fake: FakeModel, what: str) -> None:
    """A lookup of a name cannot be stopped; it is left behind, and the process ends."""
    begun = time.monotonic()
    script = [sys.executable, "-c", HANGS, what, fake.base("hang"), "1.0"]
    ended = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert (ended.stdout.split(), ended.stderr) == (["timeout", "True"], "") and time.monotonic() - begun < 40


def test_ctrl_c_does_not_wait_for_an_answer(fake: FakeModel) -> None:
    """Nor for the deadline."""
    before, script = fake.times("hang"), [sys.executable, "-c", HANGS, "answer", fake.base("hang"), "60.0"]
    with subprocess.Popen(
        script,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeds_ctrl_c,  # noqa: PLW1509 - a signal disposition, nothing that could deadlock
    ) as process:
        assert wait_until(lambda: fake.times("hang") > before, 40.0)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert time.monotonic() - begun < 10 and out == "" and err.rstrip().endswith("KeyboardInterrupt")


def test_a_model_of_no_provider() -> None:
    """A spelling that nobody knows, with what to do."""
    with pytest.raises(ModelError) as caught:
        Model(Endpoint("no-such-provider/model")).ask(ASK, Answer)
    assert caught.value.kind == "unknown_model" and caught.value.next_step


def test_the_budget_ends_calls_before_they_are_made(fake: FakeModel) -> None:
    """Counted here: what an answer cost, nonsense included, counts against the next."""
    calls: list[Call] = []
    budget = Budget(max_tokens=20)
    asked = Model(Endpoint("openai/fake", fake.base("budget")), budget, calls.append)
    asked.ask(ASK, Answer)
    asked.ask(ASK, Answer)
    with pytest.raises(ModelError, match="budget is spent") as caught:
        asked.ask(ASK, Answer)
    assert caught.value.kind == "budget" and fake.times("budget") == 2 == len(calls) and budget.tokens == 36


def test_a_tape_answers_in_place_of_the_wire(fake: FakeModel) -> None:
    """The same record again, found by the request's digest; another request is not on it."""
    asked, calls = model(fake, "well")
    asked.ask(ASK, Answer)
    kept = {calls[0].request_sha256: calls[0]}
    again: list[Call] = []
    nobody = Endpoint("openai/fake", "http://127.0.0.1:1/nobody")
    replayed = Model(nobody, record=again.append, tape=lambda digest, _: kept[digest])
    assert replayed.ask(ASK, Answer) == Answer(word="seven", number=7) and again == calls
    with pytest.raises(KeyError):
        replayed.ask(ASK._replace(sample=1), Answer)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", '{"word": "a"}', '{"word": "a", "number": "7"}', '{"word": "a", "number": 7, "more": 1}']
)
def test_only_the_schema_itself_is_an_answer(text: str) -> None:
    """No lax conversions, no further keys."""
    with pytest.raises(ModelError, match="not what was asked for"):
        parsed(text, Answer)


def test_nesting_is_no_crash() -> None:
    """However deep."""
    with pytest.raises(ModelError):
        parsed("[" * 100_000, Answer)
