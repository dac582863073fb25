"""Models on the command line: who answers for which role, recordings in and out, and mistakes before anything is created."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agents.cassette import Cassette
from agents.llm import Call
from tests.support.fake_model import FakeModel, fake_model
from workflow.choosing import ROLES, check_models, choose, told
from workflow.cli import completing, main
from workflow.config import ModelsConfig
from workflow.doctoring.model import model
from workflow.errors import ConfigError

KEY = "sk-very-secret-key-0123456789"
Capture = pytest.CaptureFixture[str]
FILE = ModelsConfig(default="openai/a", roles={"auditor": "openai/b", "profiler": None}, api_base="http://127.0.0.1:1/v1")
EVERY = dict.fromkeys(ROLES, "groq/x")


def without_auditor(by_role: Mapping[Any, str]) -> dict[str, str]:
    """The others."""
    return {role: name for role, name in by_role.items() if role != "auditor"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and a key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("HOSTED_VLLM_API_BASE", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeModel]:
    """One server for all ways."""
    with fake_model(lambda _: '{"word": "ready"}') as server:
        yield server


@pytest.mark.parametrize(
    ("wanted", "by_role"),
    [
        ((), FILE.by_role()),
        (("groq/x",), EVERY),
        (("builtin",), {}),
        (("groq/x", "auditor=", "baseline=groq/y"), {**without_auditor(EVERY), "baseline": "groq/y"}),
        (("profiler=groq/x", "auditor=builtin"), {**without_auditor(FILE.by_role()), "profiler": "groq/x"}),
        (("auditor=azure/a=b",), {**FILE.by_role(), "auditor": "azure/a=b"}),
    ],
)  # fmt: skip
def test_the_command_line_overrides_the_file(wanted: tuple[str, ...], by_role: dict[str, str]) -> None:
    """NAME is for every role and forgets the file's; ROLE=NAME is for one, and leaves the others."""
    assert choose(FILE, wanted, None).by_role() == by_role
    assert choose(FILE, ("openai/c",), "http://[::1]:8000/v1").api_base == "http://[::1]:8000/v1"


def test_the_roles_that_are_completed_are_those_there_are() -> None:
    """Two lists that have to be one: the shell cannot wait for the configuration's."""
    assert completing.ROLES == ROLES


def test_who_answers_is_told_in_a_line() -> None:
    """And nothing where nobody does."""
    assert told(ModelsConfig(), None) == ""
    words = told(FILE, Path("tape"))
    assert "auditor openai/b" in words and "built-in: profiler" in words and words.endswith("replayed from tape")


@pytest.mark.parametrize(
    "base", ["localhost:8000", "ftp://x/v1", "http://", "http://me:secret-word@x/v1", "http://x/v1?key=secret-word", "http://x y"]
)
def test_an_address_that_cannot_be_meant(base: str) -> None:
    """Passwords in it would be recorded; they are not even repeated."""
    with pytest.raises(ConfigError, match="not a base URL") as caught:
        check_models(ModelsConfig(default="openai/a", api_base=base))
    assert "secret-word" not in str(caught.value) and caught.value.next_step


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "tuner=openai/x"], "no role is called 'tuner'\nnext: The roles are baseline, profiler, config_tuner"),
        (["--model", "a/x", "--model", "b/x"], "'a/x' and 'b/x' are both for every role"),
        (["--model", "auditor=a/x", "--model", "auditor=b/x"], "auditor is named twice"),
        (["--model", "a/x\x1b[2J"], "not a name"),
        (["--model", "no-such-provider/x"], "of no provider that LiteLLM knows"),
        (["--model", "hosted_vllm/x"], "nobody says where it is served\nnext: Give --api-base URL, or set HOSTED_VLLM_API_BASE."),
        (["--api-base", "http://127.0.0.1:1/v1"], "--api-base: no role has a model"),
        (["--model", "openai/x", "--api-base", "127.0.0.1"], "api_base '127.0.0.1': not a base URL"),
        (["--model", "openai/x", "--model", "auditor=groq/x", "--api-base", "http://h/v1"], "one's key would go to the other's"),
        (["--model", "openai/x", "--replay", "gone.jsonl"], "gone.jsonl: no recording there"),
        (["--model", "openai/x", "--replay", "."], "calls.jsonl: no recording there"),
        (["--model", "openai/x", "--replay", "empty"], "empty: holds no whole call"),
        (["--model", "openai/x", "--replay", "broken"], "broken:2: not a recorded call"),
        (["--model", "openai/x", "--replay", "run"], "recorded with openai/fake, and here it is openai/x"),
        (["--replay", "run"], "and here it is builtin\nnext: Name the models as they were recorded: --model auditor=openai/fake"),
        (["--record", "new"], "no role has a model, so there is nothing to record"),
        (["--model", "openai/x", "--record", "no/where"], "no directory no"),
        (["--model", "openai/x", "--record", "broken"], "is no record of this campaign so far; nothing was started"),
        (["--model", "openai/x", "--record", "."], "cannot be read: Is a directory"),
    ],
)
def test_mistakes_are_told_before_anything_is_created(here: Path, words: list[str], said: str, capsys: Capture) -> None:
    """On one line with a next step; nothing of a terminal's is let through."""
    call = Call(
        role="auditor", model="openai/fake", skill_sha256="", request_sha256="a", sample=0, outcome="answered", response=""
    )
    (here / "run").mkdir()
    Cassette(here / "run" / "calls.jsonl").append(call)
    (here / "empty").write_text("")
    (here / "broken").write_bytes((here / "run" / "calls.jsonl").read_bytes() + b"{}\n")
    before = sorted(here.rglob("*"))
    assert main(["campaign", "run", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and "\nnext: " in err and "\x1b" not in err and sorted(here.rglob("*")) == before


def test_a_plan_says_who_answers(here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """And which keys are not set; a replay needs none and asks for none."""
    assert main(["campaign", "run", "--plan-only", "--model", "openai/x", "--model", "profiler=builtin"]) == 0
    out, err = capsys.readouterr()
    assert "config_tuner openai/x" in out and "built-in: profiler" in out and err == ""
    monkeypatch.delenv("OPENAI_API_KEY")
    assert main(["campaign", "run", "--plan-only", "--model", "openai/x"]) == 0
    assert "openai/x: OPENAI_API_KEY" in capsys.readouterr().err
    assert main(["campaign", "run", "--plan-only"]) == 0
    assert "models:" not in capsys.readouterr().out and list(here.iterdir()) == []


def test_doctor_asks_a_model(fake: FakeModel, capsys: Capture) -> None:
    """One small question; the answer's time, tokens and price."""
    main(["doctor", "--json", "--model", "openai/fake", "--api-base", fake.base("doctor")])
    page = json.loads(capsys.readouterr().out)
    (check,) = [item for item in page["checks"] if item["name"] == "model openai/fake"]
    assert check["state"] == "ok" and "11 + 7 tokens, no known price" in check["what"] and fake.times("doctor") == 1


@pytest.mark.parametrize(
    ("way", "state", "says", "cure"),
    [
        ("401", "missing", "denied: ", "The key that is set was refused"), ("403", "missing", "denied: ", "refused"),
        ("404", "missing", "unknown_model: ", "provider/name"), ("400", "missing", "rejected: ", "another model"),
        ("429", "warn", "busy: ", "rate limit"), ("429-long", "warn", "busy: ", "rate limit"),
        ("500", "missing", "down: ", "server is up"), ("reset", "missing", "down: ", "server is up"),
        ("html", "missing", "down: ", "server is up"), ("hang", "missing", "timeout: ", "answers at all"),
        ("trickle", "missing", "timeout: ", "answers at all"), ("redirect", "missing", "rejected: ", "answers by itself"),
        ("not-json", "missing", "nonsense: ", "answers in JSON"), ("empty", "missing", "nonsense: ", "answers in JSON"),
        ("cut-off", "missing", "nonsense: ", "more tokens"), ("echo-401", "missing", "denied: ", "refused"),
    ],
)  # fmt: skip
def test_doctor_says_what_is_wrong_and_the_cure(
    fake: FakeModel, way: str, state: str, says: str, cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the kind of what went wrong; never the key."""
    monkeypatch.setattr("agents.llm.PAUSE_S", 0.05)
    found = model("openai/fake", fake.base(way), 1.5)
    assert (found.state, found.what.startswith(says)) == (state, True) and cure in found.cure, found
    assert KEY not in str(found)


def test_doctor_names_the_key_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found out without asking anybody; and a provider that there is not, a server that is not there."""
    monkeypatch.setattr("agents.llm.PAUSE_S", 0.05)
    with fake_model(lambda _: "") as gone:
        nowhere = gone.base("well")
    assert model("openai/fake", nowhere, 5.0).what.startswith("down: ")
    assert model("no-such-provider/x", None).what.startswith("unknown_model: ")
    monkeypatch.delenv("OPENAI_API_KEY")
    found = model("openai/fake", nowhere, 5.0)
    assert found.what.startswith("denied: ") and found.cure.startswith("Set OPENAI_API_KEY in the environment.")
    assert "hosted_vllm/NAME" in found.cure


@pytest.mark.parametrize("name", ["hosted_vllm/fake", "openai/fake"])
def test_a_server_of_ones_own(fake: FakeModel, name: str) -> None:
    """By its own prefix no key of another provider is sent there."""
    before = len(fake.seen)
    assert model(name, fake.base("well"), 10.0).state == "ok" and len(fake.seen) == before + 1
    assert (KEY in str(fake.headers[-1])) == (name == "openai/fake")
