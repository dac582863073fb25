"""What happens in a campaign, line by line out of ledger.jsonl and log.jsonl, while it happens or afterwards.

Both files may be written at this moment: a last line without its end waits for it. What is no event is told as such.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from workflow.campaign import LEDGER
from workflow.log import FILE as LOG
from workflow.looking import reading, when
from workflow.owner import owner

SCHEMA = "countersign.event/1"  # 1: first form
LONGEST = 1 << 20
"""Bytes of a line beyond which it is no event."""
POLL_S = 0.5
LAST_WORDS_S = 5.0
"""Seconds that the process of a finished campaign is given to say its last words."""

Source = Literal["ledger", "log"]


class Event(NamedTuple):
    """One line of a file; ``record`` is None, and ``kind`` is ``damaged``, where the line is no event."""

    source: Source
    at_unix: float | None
    kind: str
    record: dict[str, Any] | None
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {"schema": SCHEMA, **self._asdict()}


class Reader:
    """Reads whole lines of one growing file; each call returns the events that are new."""

    def __init__(self, path: Path, source: Source) -> None:
        self._path, self._source = path, source
        self._offset = self._number = 0
        self._rest = b""

    def read(self) -> list[Event]:
        """New events, oldest first; nothing for a file that is not there. Raises OSError when it cannot be read."""
        try:
            with self._path.open("rb") as handle:
                if handle.seek(0, 2) < self._offset:
                    self._offset, self._number, self._rest = handle.tell(), 0, b""
                    return [self._damaged(f"{self._path.name} became shorter: it was edited while it was read")]
                handle.seek(self._offset)
                data = handle.read()
        except FileNotFoundError:
            return []
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        found = [self._event(line) for line in lines]
        if len(self._rest) > LONGEST:
            self._rest = b""
            found.append(self._damaged(f"{self._path.name}:{self._number + 1}: a line of more than {LONGEST} bytes, passed over"))
        return found

    @property
    def unfinished(self) -> bool:
        """The last line has no end yet."""
        return bool(self._rest)

    def _event(self, line: bytes) -> Event:
        self._number += 1
        where = f"{self._path.name}:{self._number}"
        try:
            record = json.loads(line)
            kind = record["kind" if self._source == "ledger" else "event"]
            at = record["at_unix"]
            known = isinstance(kind, str) and isinstance(at, int | float) and bool(when(at))
            json.dumps(record, allow_nan=False)
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError, OSError):
            known = False
        if not known:
            start = line[:60].decode("utf-8", "backslashreplace")
            return self._damaged(f"{where}: not a line of a {self._source}: {start!r}")
        return Event(self._source, float(at), kind, record)

    def _damaged(self, words: str) -> Event:
        return Event(self._source, None, "damaged", None, words)


class Tail:
    """The events of one campaign, both files together."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._readers = (Reader(run_dir / LEDGER, "ledger"), Reader(run_dir / LOG, "log"))
        self.finished = False
        """The ledger said that the campaign has finished."""

    def read(self) -> list[Event]:
        """Events that are new since the last call, in the order of their times; what has none stays beside its neighbour."""
        with reading(self._run_dir):
            batches = [reader.read() for reader in self._readers]
        placed: list[tuple[float, Event]] = []
        for batch in batches:
            at = 0.0
            for event in batch:
                at = event.at_unix if event.at_unix is not None else at
                placed.append((at, event))
        self.finished = self.finished or any(event.kind == "finished" and event.source == "ledger" for _, event in placed)
        return [event for _, event in sorted(placed, key=lambda pair: pair[0])]

    @property
    def unfinished(self) -> list[str]:
        """Names of the files whose last line has no end yet."""
        return [name for reader, name in zip(self._readers, (LEDGER, LOG), strict=True) if reader.unfinished]

    def follow(self, pause: Callable[[float], None] = time.sleep) -> Iterator[list[Event]]:
        """Batches of new events until the campaign has finished, or nobody runs it any more."""
        until = math.inf
        while True:
            with reading(self._run_dir):
                alone = owner(self._run_dir) is None  # asked before the files are read: nothing comes after
            yield self.read()
            if alone or time.monotonic() > until:
                return
            if self.finished:
                until = min(until, time.monotonic() + LAST_WORDS_S)
            pause(POLL_S)


def told(event: Event) -> str | None:
    """One event in words; None for what another event tells already. What the record says stands there as it is."""
    if event.record is None:
        return event.problem
    words = _LEDGER if event.source == "ledger" else _LOG
    if event.kind in words:
        try:
            said = words[event.kind]
            return said(event.record["body"] if event.source == "ledger" else event.record) if said else None
        except (KeyError, TypeError, ValueError, AttributeError):
            return f"{event.kind}: of another form: {json.dumps(event.record)}"
    return f"{event.kind}: {json.dumps({key: value for key, value in event.record.items() if key not in _DULL})}"


_DULL = ("at", "at_unix", "campaign", "digest", "event", "kind", "level", "prev", "schema", "seq")
Said = Callable[[Mapping[str, Any]], str] | None


def _plan(body: Mapping[str, Any]) -> str:
    size = f"{len(body['order'])} launches x {body['repeats']} repeats of {body['requests_per_repeat']} requests"
    return f"plan {body['dir']}: {size}, order {' '.join(body['order'])}"


def _route(body: Mapping[str, Any]) -> str:
    said = ", ".join(f"{item['op']} {item['share_pct']:.1f} %" for item in body["routed"])
    return f"route after {body['profile']}: {said or body['because'] or 'nothing to the kernel track'}"


def _times(speedup: float | None) -> str:
    return "no speed-up" if speedup is None else f"{speedup:.2f}x"


def _bank(body: Mapping[str, Any]) -> str:
    signed = ", UNAUDITED" if not body["audited"] else ", UNSIGNED" if body.get("unsigned") else ""
    return f"{body['short_name']}: BANKED, median {body['median_tok_s']:.1f} tok/s{signed}"


def _verdict(body: Mapping[str, Any]) -> str:
    crash = f": {body['error']}" if body.get("error") else ""
    return f"auditor on {body['short_name']}: {body['verdict']} ({body['outcome']}), action {body['action']}{crash}"


def _finished(body: Mapping[str, Any]) -> str:
    banked, dropped = (", ".join(map(str, body[key])) or "nothing" for key in ("banked", "dropped"))
    return f"finished; banked: {banked}; dropped: {dropped}"


def _launch(record: Mapping[str, Any]) -> str:
    rates = ", ".join(f"{rate:.1f}" for rate in record["tok_s"])
    return f"measured {record['launch']}: {record['status']}, {rates or 'no'} tok/s"


_LEDGER: Mapping[str, Said] = {
    "campaign_created": lambda body: f"campaign {body['campaign_id']} begins",
    "proposal": lambda body: f"{body['short_name']}: proposed, {body['why']}",
    "profile": lambda body: f"{body['dir']}: {'no profile, ' + str(body['error']) if body['error'] else 'profiled'}",
    "route": _route,
    "refusal": lambda body: f"proposal refused: {body['said']}",
    "isolated": lambda body: f"{body['short_name']}: by itself {body['error'] or _times(body['speedup'])}",
    "plan": _plan,
    "pair": None,
    "sealed": lambda body: f"sealed {body['launch_id']} ({body['status']})",
    "set_aside": lambda body: f"set aside {body['launch_id']}: strangers used {body['foreign_cores']} cores; measured again",
    "request": lambda body: f"audit of {body['short_name']} commissioned ({body['scope']})",
    "verdict": _verdict,
    "opinions": lambda body: str(body["said"]),
    "damage": lambda body: f"EVIDENCE DAMAGED: {body['said']}",
    "bank": _bank,
    "drop": lambda body: f"{body['short_name']}: dropped, {body['reason']}",
    "finished": _finished,
}
_LOG: Mapping[str, Said] = {
    "session_begins": lambda record: f"session begins, {record['sealed']} launches sealed before",
    "session_ends": lambda _: "session ends",
    "node_begins": lambda record: f"step {record['node']}" + (f" of {record['short_name']}" if record["short_name"] else ""),
    "node_ends": None,
    "launch": _launch,
    "verdict": None,
    "auditor_crashed": lambda record: f"the auditor crashed on {record['request']}; the traceback is in {LOG}",
    "proposal_refused": None,
    "ledger": None,
    "model_call": lambda record: f"{record['role']} asked {record['model']}: {record['outcome']}",
}
