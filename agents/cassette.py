"""Recorded calls as a file of JSON lines: appended as they are made, found again by the digest of their request."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from agents.failures import ModelError
from agents.llm import Call

NAME = "calls.jsonl"
SAID = ("answered", "nonsense")
MOST_BYTES = 1 << 30
"""Of a whole recording."""


class Cassette:
    """The calls of one file. A last line that was cut off by a crash is forgotten; any other damage is an error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.calls: list[Call] = []
        self._found: dict[str, int] = {}
        self._at: dict[str, int] = {}
        """Role -> calls of the recording up to the last one that was played for it."""
        whole, _, self._cut = _bytes(path).rpartition(b"\n")
        for number, line in enumerate(whole.split(b"\n") if whole else [], 1):
            try:
                self._keep(Call.model_validate_json(line))
            except (ValidationError, RecursionError) as error:
                what = f"{path}:{number}: not a recorded call"
                raise ModelError("missing", what, "Restore it from a copy, or record the campaign anew.") from error

    def _keep(self, call: Call) -> None:
        self.calls.append(call)
        if call.outcome in SAID:
            self._found.setdefault(call.request_sha256, len(self.calls) - 1)

    def find(self, digest: str) -> Call | None:
        """What the model said to a request, sense or nonsense; calls that brought nothing may be made again."""
        at = self._found.get(digest)
        return None if at is None else self.calls[at]

    def play(self, digest: str, role: str) -> Call:
        """What answers a request in a replay: the recorded answer to it; else the role's next one, marked ``by_place``.

        Requests hold what was measured, so that they differ wherever another machine or another hour measures. Raises
        ModelError when the recording has nothing left for the role.
        """
        at = self._seek(digest, role)
        if at is None:
            what = f"{self.path}: the campaign goes another way than the recorded one: it holds no further answer of role {role}"
            hint = "Replay with the configuration of the recording, or resume without --replay."
            raise ModelError("missing", f"{what} (request {digest[:12]})", hint)
        found = self.calls[at]
        same = found.request_sha256 == digest
        return found if same else found.model_copy(update={"request_sha256": digest, "by_place": True})

    def skip(self, digest: str, role: str) -> None:
        """Pass over what answered a request in an earlier session."""
        self._seek(digest, role)

    def _seek(self, digest: str, role: str) -> int | None:
        """The recorded call that answers, and the role's place behind it."""
        at = self._found.get(digest)
        if at is None:
            later = range(self._at.get(role, 0), len(self.calls))
            at = next((at for at in later if self.calls[at].role == role and self.calls[at].outcome in SAID), None)
        if at is not None:
            self._at[role] = at + 1
        return at

    def append(self, call: Call) -> None:
        """Write a call to the end of the file, at once."""
        with self.path.open("ab") as stream:
            if self._cut:
                stream.truncate(stream.tell() - len(self._cut))
                self._cut = b""
            stream.write(call.model_dump_json().encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        self._keep(call)


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelError("missing", f"{path}: more than {MOST_BYTES} bytes, not a recording")
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ModelError("missing", f"{path}: cannot be read: {error.strerror}", "Mend its rights.") from error
