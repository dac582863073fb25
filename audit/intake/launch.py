"""Reading one launch directory, ours or foreign, into a ``Launch`` and a list of what is damaged in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from audit.contract import Source
from audit.errors import DamageError
from audit.intake import dialects, files, logs, strict
from audit.intake.model import Damage, Host, Launch, Request, Row, Server, Start
from audit.policy import Policy

BENCH, SERVER, REQUESTS, HOST, SEAL, WARMUP = (
    "bench_runs.jsonl", "server.json", "requests.jsonl", "host.json", "seal.json", "warmup.jsonl",
)  # fmt: skip
START = "server_start.json"
MARK = b'"output_throughput"'
"""What a file of rows mentions; the reader decides whether it holds any."""
PACKED = (".jsonl.gz", ".json.gz")
PACKED_WORDS = "compressed rows: unpack the file first, rows are cited by line"
OWN_MARKS = (SERVER, SEAL, HOST)
"""Files that only our stopwatch writes: one of them is enough for a launch to be held to our own rules."""
SCHEMAS = {SERVER: "countersign.server/1", HOST: "countersign.host/1", REQUESTS: "countersign.request/1"}
T = TypeVar("T")


class Reader:
    """Reads one launch directory; ``damage`` and ``files`` grow while it reads."""

    def __init__(self, run_dir: Path, directory: Path, policy: Policy) -> None:
        self._run, self._dir, self._policy = run_dir, directory, policy
        self.id = files.plain(directory.relative_to(run_dir).as_posix())
        self.damage: list[Damage] = []
        self.files: dict[str, str] = {}

    def read(self) -> Launch:
        """The launch as far as it can be believed."""
        listed = {path.name: path for path in files.entries(self._dir)}
        parsed = self._rows(listed)
        own = any(name in listed for name in OWN_MARKS) or any(row.ours for row in parsed)
        if not own:
            log, start = self._log(listed), self._start(listed)
            return Launch(self.id, tuple(parsed), own=False, files=self.files, log=log, start=start)
        for name in (SERVER, BENCH, REQUESTS, HOST):
            if name not in listed:
                self._hurt(name, "is missing", ids=("R14",))
        server_data = self._data(listed.get(SERVER))
        server = self._whole(SERVER, server_data, Server)
        host = self._whole(HOST, self._data(listed.get(HOST)), Host)
        for name in (row.source.file.rpartition("/")[2] for row in parsed if row.ours is None):
            self._hurt(name, "a row without the key 'countersign' in a launch of ours", ids=("R18",))
        return Launch(
            id=self.id,
            rows=tuple(parsed),
            own=True,
            server=server,
            requests=tuple(self._requests(self._data(listed.get(REQUESTS)))),
            samples=tuple(host.samples) if host else (),
            machine=f"{host.cores} x {host.cpu_model}" if host and host.cpu_model else None,
            config_lines=_config_lines(server_data or b""),
            files=self.files,
            log=self._log(listed),
        )

    def _log(self, listed: dict[str, Path]) -> logs.LogFacts | None:
        """The server's log beside the rows: by its usual name, else the one ``*.log`` that reads like one."""
        rules = self._policy.logs
        named = [name for name in rules.names if name in listed]
        found = []
        for name in named or sorted(name for name in listed if name.endswith(".log")):
            data = self._data(listed[name])
            if data is None:
                continue
            facts = logs.parse(data, self._path(name), rules)
            if named or facts.engine is not None:
                found.append(facts)
        return found[0] if len(found) == 1 or named else None

    def _start(self, listed: dict[str, Path]) -> Start | None:
        """The starter's word on the server; a file of another shape is left alone."""
        data = self._data(listed.get(START))
        if data is None:
            return None
        try:
            value = strict.document(data, self._policy.limits)
        except DamageError as error:
            self._hurt(START, error.what, ids=error.ids)
            return None
        if not isinstance(value, dict) or not isinstance(value.get("status"), str):
            return None
        words = " ".join(str(value[key]) for key in ("status", "reason", "phase_hint") if isinstance(value.get(key), str))
        return Start(value["status"] == "ok", words[: self._policy.logs.event_chars], self.source(START))

    def source(self, name: str) -> Source:
        """A whole file of this launch."""
        path = self._path(name)
        return Source(path, self.files.get(path))

    def _path(self, name: str) -> str:
        return f"{self.id}/{files.plain(name)}" if self.id != "." else files.plain(name)

    def _hurt(self, name: str, what: str, line: int | None = None, ids: tuple[str, ...] = ()) -> None:
        path = self._path(name)
        self.damage.append(Damage(Source(path, self.files.get(path), line), what, ids))

    def _data(self, path: Path | None) -> bytes | None:
        if path is None:
            return None
        try:
            data = files.read(self._run, path, self._policy.limits)
        except DamageError as error:
            self._hurt(path.name, error.what, ids=error.ids)
            return None
        self.files[files.plain(path.relative_to(self._run).as_posix())] = files.sha256(data)
        return data

    def _whole(self, name: str, data: bytes | None, kind: type[T]) -> T | None:
        if data is None:
            return None
        try:
            value = strict.document(data, self._policy.limits)
            found = msgspec.convert(value, kind)
            if value["schema"] != SCHEMAS[name]:
                raise DamageError(f"schema {value['schema']!r}, which this version does not know")
        except (DamageError, msgspec.ValidationError) as error:
            self._hurt(name, str(error))
            return None
        return found

    def _requests(self, data: bytes | None) -> list[Request]:
        found: list[Request] = []
        for line in strict.lines(data or b"", self._policy.limits):
            try:
                if line.damage:
                    raise DamageError(line.damage)
                item = msgspec.convert(line.value, Request)
                _possible(item)
                found.append(item)
            except (DamageError, msgspec.ValidationError) as error:
                self._hurt(REQUESTS, str(error), line.number, getattr(error, "ids", ()))
        return found

    def _rows(self, listed: dict[str, Path]) -> list[Row]:
        if BENCH in listed:
            return self._row_lines(BENCH, list(strict.lines(self._data(listed[BENCH]) or b"", self._policy.limits)))
        if any(name in listed for name in OWN_MARKS):
            return []
        claims = set(self._policy.layout.claim_files)
        names = [name for name, path in listed.items() if name not in claims and not name.startswith(".") and not path.is_dir()]
        for name in (name for name in names if name.endswith(PACKED) and files.mentions(listed[name], MARK)):
            self._hurt(name, PACKED_WORDS, ids=("R14",))
        found: list[Row] = []
        for suffix in (".jsonl", ".json"):
            values = {name: self._values(name, self._data(listed[name])) for name in names if name.endswith(suffix)}
            for name, lines in _results(values).items():
                found += self._row_lines(name, lines, len(found))
            if found or self.damage:
                break
        return found

    def _row_lines(self, name: str, lines: list[strict.Line], first: int = 0) -> list[Row]:
        """Rows of one file, numbered from ``first``."""
        found: list[Row] = []
        for line in lines:
            path = self._path(name)
            source = Source(path, self.files.get(path), line.number)
            try:
                if line.damage:
                    raise DamageError(line.damage, ids=("R14",) if line.damage == strict.CUT_OFF else ())
                if not isinstance(line.value, dict):
                    raise DamageError(f"{dialects.stranger(line.value) or 'not an object'}: not a row", ids=("R18",))
                found.append(dialects.parse(line.value, first + len(found), source, self._policy))
            except DamageError as error:
                self._hurt(name, error.what, line.number, error.ids)
        return found

    def _values(self, name: str, data: bytes | None) -> list[strict.Line]:
        """What a file holds: a list is handed on as one value."""
        if data is None:
            return []
        if name.endswith(".json"):
            try:
                value: Any = strict.document(data, self._policy.limits)
            except DamageError:
                return list(strict.lines(data, self._policy.limits))
            return [strict.Line(1, value, None)]
        return list(strict.lines(data, self._policy.limits))


def _results(values: dict[str, list[strict.Line]]) -> dict[str, list[strict.Line]]:
    """The files that hold results, or are damaged; what holds no mark of a row is a stranger and left alone.

    A list of results beside single ones is a summary of them (``summary.json`` of a sweep), not a repeat of its own.
    """
    found = {
        name: lines for name, lines in values.items() if any(line.damage or dialects.looks_like_row(line.value) for line in lines)
    }
    listed = {
        name: lines[0].value
        for name, lines in values.items()
        if len(lines) == 1 and isinstance(lines[0].value, list) and any(dialects.looks_like_row(item) for item in lines[0].value)
    }
    if found or not listed:
        return found
    return {name: [strict.Line(1, item, None) for item in items] for name, items in listed.items()}


def _possible(item: Request) -> None:
    """Raise DamageError when a request's times or counts cannot have happened."""
    if item.schema != SCHEMAS[REQUESTS]:
        raise DamageError(f"schema {item.schema!r}, which this version does not know")
    counts = [value for value in (item.tokens_in, item.tokens_out, item.usage_in, item.usage_out) if value is not None]
    times = [value for value in (item.sent_s, item.first_token_s, item.end_s) if value is not None]
    if min(counts) < 0 or item.index < 0 or min(times) < 0:
        raise DamageError("a negative count or time", ids=("R19",))
    if times != sorted(times):
        raise DamageError("sent, first token and end are not in this order", ids=("R19",))
    if item.error is None and (item.end_s is None or item.answer is None):
        raise DamageError("neither an error nor a whole answer", ids=("W11",))
    if files.sha256(item.prompt.encode()) != item.prompt_sha256:
        raise DamageError("'prompt_sha256' is not the digest of the prompt", ids=("O12",))


def _config_lines(data: bytes) -> dict[str, int]:
    """Line of each key of the block ``effective`` in a pretty-printed server.json; empty when it is on one line."""
    found: dict[str, int] = {}
    block = False
    for number, line in enumerate(data.split(b"\n"), start=1):
        text = line.strip()
        if text.startswith(b'"effective":'):
            block = True
        elif block and text.startswith(b"}"):
            break
        elif block and text.startswith(b'"'):
            found[text.split(b'"')[1].decode("utf-8", "replace")] = number
    return found
