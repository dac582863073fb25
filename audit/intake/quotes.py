"""Lines that a claim file quotes from a log: are they there, and where? (taxonomy R20)"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from audit.contract import Source
from audit.errors import DamageError
from audit.intake import files, legs
from audit.intake.places import Places
from audit.policy import Policy

_GREP = re.compile(r"^\s*(?P<path>[^\s:\"'`]*\.(?:log|txt|out|err))\s*:(?:\s*(?P<line>\d+)\s*:)?\s*(?P<words>\S.*)$")
"""As grep prints it: file, line if asked for, text."""
_MARKED = re.compile(r"\"([^\"]{12,})\"|`([^`]{12,})`|'([^']{12,})'")
_ANSI = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")
_GAP = re.compile(r"\.\.\.|\u2026")
MAX_QUOTES = 200


class Quote(NamedTuple):
    """A quoted text of one field, and what the logs say of it."""

    field: str
    words: str
    holds: bool | None
    """None: no such log, or a text that does not say that it is a quotation."""
    raw: str
    log: Source | None = None


class _Log(NamedTuple):
    source: Source
    lines: tuple[str, ...]


def find(key: str, value: Any, folder: Path, places: Places, policy: Policy) -> list[Quote]:  # noqa: ANN401 - any JSON value
    """Every quotation under a key of a claim file in ``folder``, looked up in the log it names, else in the candidate's logs."""
    shelf = _Shelf(folder, places, policy)
    found: list[Quote] = []
    for field, text in _texts(key, value):
        for line in text.splitlines():
            found += _judge(field, line, shelf)
    return found[:MAX_QUOTES]


def _texts(key: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for at, item in enumerate(value[:MAX_QUOTES]):
            if isinstance(item, str | dict):
                yield from _texts(f"{key}[{at}]", item)
    elif isinstance(value, dict):
        yield from ((f"{key}.{name}", item) for name, item in value.items() if isinstance(item, str))


class _Shelf:
    """The logs of a run, each read once."""

    def __init__(self, folder: Path, places: Places, policy: Policy) -> None:
        self._folder, self._places, self._policy = folder, places, policy
        self._read: dict[Path, _Log | None] = {}

    def named(self, name: str) -> list[_Log]:
        """The log of this name: from the run, from the claim file's folder, or by as much of the path as exists in the run."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts or "\0" in name:
            return []
        run = self._places.run_dir
        tails = [run.joinpath(*parts[at:]) for at in range(len(parts) - 1)] if name.startswith("/") else []
        for path in (run.joinpath(*parts), self._folder.joinpath(*parts), *tails):
            log = self._open(path)
            if log is not None:
                return [log]
        return [log for log in self.candidates() if len(parts) == 1 and log.source.file.rpartition("/")[2] == parts[0]]

    def candidates(self) -> list[_Log]:
        """The logs beside the candidate's rows."""
        leg = self._places.legs.get("cand")
        if leg is None:
            return []
        where = [leg, *legs.launch_dirs(leg, self._policy).launches]
        paths = [path for place in dict.fromkeys(where) for path in files.entries(place) if path.suffix == ".log"]
        return [log for path in paths if (log := self._open(path)) is not None]

    def _open(self, path: Path) -> _Log | None:
        if path not in self._read:
            self._read[path] = self._load(path)
        return self._read[path]

    def _load(self, path: Path) -> _Log | None:
        if not path.is_file():
            return None
        try:
            data = files.read(self._places.run_dir, path, self._policy.limits)
        except DamageError:
            return None
        name = files.plain(path.relative_to(self._places.run_dir).as_posix())
        text = _ANSI.sub("", data.decode("utf-8", "replace"))
        return _Log(Source(name, files.sha256(data)), tuple(_even(line) for line in text.splitlines()))


def _judge(field: str, text: str, shelf: _Shelf) -> Iterator[Quote]:
    named = _GREP.match(text)
    marked = [_even(next(filter(None, groups))) for groups in _MARKED.findall(named["words"] if named else text)]
    if named is not None:
        logs = shelf.named(named["path"])
        line = int(named["line"]) if named["line"] and len(named["line"]) < 10 else None
        for words in marked or [_even(named["words"])]:
            yield (
                _looked_up(field, words, logs, line)
                if logs
                else Quote(field, words, None, f"no log {named['path']!r} in the run")
            )
    elif marked and re.search(r"\blogs?\b", text, re.IGNORECASE):
        logs = shelf.candidates()
        for words in marked:
            yield _looked_up(field, words, logs, None) if logs else Quote(field, words, None, "no log lies with the candidate")
    elif _even(text):
        held = next((log for log in shelf.candidates() if _place(_even(text), log) is not None), None)
        if held is not None:
            yield Quote(field, _even(text), True, "", held.source)


def _looked_up(field: str, words: str, logs: list[_Log], line: int | None) -> Quote:
    for log in logs:
        place = _place(words, log) if line is None else _place_at(words, log, line)
        if place is not None:
            return Quote(field, words, True, "", Source(log.source.file, log.source.sha256, place))
    elsewhere = next(((log, place) for log in logs if (place := _place(words, log)) is not None), None)
    if elsewhere is not None:
        log, place = elsewhere
        return Quote(field, words, False, f"line {line} says nothing of it, line {place} does", log.source)
    shown = logs[0].source.file + (f" and {len(logs) - 1} more" if len(logs) > 1 else "")
    return Quote(field, words, False, f"no such line in {shown}", logs[0].source)


def _place(words: str, log: _Log) -> int | None:
    pieces = _pieces(words)
    return next((at for at, line in enumerate(log.lines, start=1) if _holds(pieces, line)), None)


def _place_at(words: str, log: _Log, line: int) -> int | None:
    return line if 0 < line <= len(log.lines) and _holds(_pieces(words), log.lines[line - 1]) else None


def _holds(pieces: list[str], line: str) -> bool:
    at = 0
    for piece in pieces:
        found = line.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _pieces(words: str) -> list[str]:
    """The parts of a quotation that leaves something out."""
    return [piece for part in _GAP.split(words) if (piece := part.strip())]


def _even(text: str) -> str:
    return " ".join(_ANSI.sub("", text).split())
