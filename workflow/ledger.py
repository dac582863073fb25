"""The ledger: what was planned, sealed, judged and banked. Append-only, hash-chained, one JSON object a line.

The format is in docs/run-directory.md. A key is recorded once: asking again with the same key returns the line
that is there, which is what makes every node of the campaign safe to run twice.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workflow.canonical import canonical, digest
from workflow.errors import EvidenceError, OwnedError

SCHEMA = "countersign.ledger/1"  # 1: first form
GENESIS = "0" * 64

Kind = Literal[
    "campaign_created",
    "isolated",
    "profile",
    "route",
    "proposal",
    "refusal",
    "opinions",
    "damage",
    "plan",
    "pair",
    "sealed",
    "set_aside",
    "request",
    "verdict",
    "bank",
    "drop",
    "finished",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger."""

    seq: int
    kind: str
    key: str
    at_unix: float
    body: Mapping[str, Any]
    prev: str
    digest: str


class Ledger:
    """An open ledger. One process writes it; anyone may read the file.

    ``fence`` is called before every line and raises where this process may write no more. Whoever else wrote to the file
    since it was opened is noticed all the same, and then nothing is added. ``heard`` is told of every line that was written.

    Opening verifies the whole chain and raises EvidenceError at the first line that does not fit. A torn last line
    (a crash in the middle of a write that was never acknowledged) is cut off; nothing else is ever removed. Opened
    ``read_only`` the file is left alone: a last line without its end may be one that the owner is writing just now.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float],
        *,
        read_only: bool = False,
        fence: Callable[[], None] | None = None,
        heard: Callable[[Entry], None] | None = None,
    ) -> None:
        self._path = path
        self._clock = clock
        self._read_only = read_only
        self._fence, self._heard = fence, heard
        self._size = 0
        self._entries: list[Entry] = []
        self._by_key: dict[str, Entry] = {}
        if path.exists():
            self._load()

    def _load(self) -> None:
        data = self._path.read_bytes()
        whole, _, torn = data.rpartition(b"\n")
        if torn and not self._read_only:
            with self._path.open("r+b") as handle:
                handle.truncate(len(data) - len(torn))
        self._size = len(data) - len(torn)
        for number, line in enumerate(whole.split(b"\n") if whole else [], start=1):
            self._remember(self._parse(line, number))

    def _parse(self, line: bytes, number: int) -> Entry:
        where = f"{self._path.name}:{number}"
        hint = "The file was edited after it was written. Restore it from a copy; a campaign cannot go on from it."
        try:
            record = json.loads(line)
            claimed = record.pop("digest")
            entry = Entry(
                record["seq"], record["kind"], record["key"], record["at_unix"], record["body"], record["prev"], claimed
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EvidenceError(f"{where}: not a ledger line ({error!r})", hint) from error
        expected = self._entries[-1].digest if self._entries else GENESIS
        if digest(record) != claimed or entry.prev != expected or entry.seq != len(self._entries):
            raise EvidenceError(f"{where}: the hash chain breaks at seq {entry.seq!r} ({entry.key!r})", hint)
        if entry.key in self._by_key:
            raise EvidenceError(f"{where}: key {entry.key!r} is recorded twice", hint)
        return entry

    def _remember(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._by_key[entry.key] = entry

    def append(self, kind: Kind, key: str, body: Mapping[str, Any]) -> Entry:
        """Record an event once and return its line; a key that is there already returns the first line unchanged.

        The line is on the disk (fsync) when this returns. Raises OSError (disk full) with the file as it was, and OwnedError
        where the file is no longer this process's to write.
        """
        if key in self._by_key:
            return self._by_key[key]
        if self._read_only:
            raise ValueError(f"{self._path}: opened read-only, {key!r} cannot be recorded")
        record = {
            "schema": SCHEMA,
            "seq": len(self._entries),
            "kind": kind,
            "key": key,
            "at_unix": self._clock(),
            "body": dict(body),
            "prev": self._entries[-1].digest if self._entries else GENESIS,
        }
        line = canonical({**record, "digest": digest(record)}) + b"\n"
        self._write(line)
        entry = self._parse(line[:-1], len(self._entries) + 1)
        self._remember(entry)
        if self._heard is not None:
            self._heard(entry)
        return entry

    def still_ours(self) -> None:
        """Raise OwnedError where this process may no longer go on with the campaign."""
        if self._fence is not None:
            self._fence()

    def _write(self, line: bytes) -> None:
        self.still_ours()
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            before = os.fstat(handle).st_size
            if before != self._size:
                what = f"{self._path}: is {before} bytes, {self._size} after this process's last line: something else wrote it"
                raise OwnedError(what, "End the other writer, then resume: the chain is read anew and says if it is whole.")
            try:
                if os.write(handle, line) != len(line):
                    raise OSError(28, "short write to the ledger (disk full?)", str(self._path))
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, before)
                raise
            self._size = before + len(line)
        finally:
            os.close(handle)

    def get(self, key: str) -> Entry | None:
        """The line recorded under a key, or None."""
        return self._by_key.get(key)

    def of_kind(self, kind: Kind) -> list[Entry]:
        """All lines of a kind, oldest first."""
        return [entry for entry in self._entries if entry.kind == kind]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every line, oldest first."""
        return tuple(self._entries)
