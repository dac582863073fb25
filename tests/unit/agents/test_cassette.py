"""Recordings: appended whole, found by request, damage named with its line, the place told where a campaign left one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agents.cassette import Cassette
from agents.failures import Kind, ModelError
from agents.llm import Call


def call(request: str, outcome: Kind | None = None, role: str = "config_tuner") -> Call:
    """A call as it is recorded."""
    return Call(
        role=role, model="openai/fake", skill_sha256="ab" * 32, request_sha256=request * 64, sample=0,
        outcome=outcome or "answered", response=f"{request}\n\u2028 \U0001f600",
    )  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three calls, the second one refused."""
    found = tmp_path / "calls.jsonl"
    cassette = Cassette(found)
    for item in (call("a"), call("b", "busy"), call("c", "nonsense", "baseline")):
        cassette.append(item)
    return found


def test_what_was_appended_is_read_again(path: Path) -> None:
    """A line a call; what brought nothing is not found and may be asked again."""
    found = Cassette(path)
    assert path.read_bytes().count(b"\n") == 3 and found.calls == [
        call("a"),
        call("b", "busy"),
        call("c", "nonsense", "baseline"),
    ]
    assert found.find("a" * 64) == call("a") and found.find("b" * 64) is None and found.find("d" * 64) is None


def test_a_line_that_was_cut_off_is_forgotten_and_overwritten(path: Path) -> None:
    """As a crash leaves it, at every length."""
    whole = path.read_bytes()
    begin = whole.index(b"\n") + 1
    for length in range(begin, len(whole), 7):
        path.write_bytes(whole[:length])
        cassette = Cassette(path)
        kept = list(cassette.calls)
        cassette.append(call("e"))
        assert Cassette(path).calls == [*kept, call("e")]


@pytest.mark.parametrize("line", [b"", b"{}", b"null", b"\xff", b"[" * 10_000, b'{"role": 1}', b'{"a": NaN}'])
def test_damage_is_named_with_its_line(path: Path, line: bytes) -> None:
    """In the middle of the file."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + line + b"\n" + lines[2])
    with pytest.raises(ModelError, match=r"calls\.jsonl:2: not a recorded call") as caught:
        Cassette(path)
    assert caught.value.kind == "missing" and caught.value.next_step


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """A directory, a place below a file; a file that is not there is an empty recording that can be begun."""
    (tmp_path / "file").write_text("")
    for name in (".", "file/below"):
        with pytest.raises(ModelError, match="cannot be read"):
            Cassette(tmp_path / name)
    assert Cassette(tmp_path / "none").calls == []
    if os.geteuid():
        (tmp_path / "file").chmod(0)
        with pytest.raises(ModelError, match="cannot be read"):
            Cassette(tmp_path / "file")


def test_a_request_that_was_not_recorded_is_answered_by_its_place(path: Path) -> None:
    """The role's next answer, under the request's own digest and marked; an error when the role has none left."""
    found = Cassette(path)
    first = found.play("d" * 64, "config_tuner")
    assert first == call("a").model_copy(update={"request_sha256": "d" * 64, "by_place": True})
    assert found.play("c" * 64, "baseline") == Cassette(path).find("c" * 64)
    with pytest.raises(ModelError, match="holds no further answer of role baseline") as caught:
        found.play("e" * 64, "baseline")
    assert caught.value.kind == "missing" and caught.value.next_step


def test_a_resumed_replay_goes_on_at_its_place(path: Path) -> None:
    """What an earlier session was answered is passed over, by request or by place."""
    found = Cassette(path)
    found.skip("d" * 64, "config_tuner")
    with pytest.raises(ModelError, match="no further answer of role config_tuner"):
        found.play("e" * 64, "config_tuner")
