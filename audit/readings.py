"""What a second reader said during a campaign, kept in ``opinions.jsonl``: each audit of the run hears it again.

One JSON object a line: ``{schema, short_name, about, opinion, degraded}``. ``opinion`` is what ``audit.judge`` takes, or null;
``degraded`` says why nobody could be asked, or null. The ledger holds the digest of each request's lines, so that an objection
cannot be taken back. Like every opinion it can only lower; a degraded reading leaves the verdict and takes the signature.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from audit.contract import Source
from audit.errors import DamageError
from audit.intake import files, seal, strict
from audit.intake.model import Damage
from audit.judge import Asked, Opinion
from audit.policy import Limits

FILE = "opinions.jsonl"
SCHEMA = "countersign.opinion/1"  # 1: first form
KIND = "opinions"
_TAKEN_BACK = ("O12",)


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """One answer to one question on one request."""

    schema: str
    short_name: str
    about: Asked
    opinion: Opinion | None
    degraded: str | None


class Kept(NamedTuple):
    """The readings of one request."""

    opinions: tuple[Opinion, ...] = ()
    degraded: tuple[str, ...] = ()
    """Why nobody could be asked, where that is so."""
    damage: tuple[Damage, ...] = ()
    digest: str | None = None
    """Of the request's lines; None without any."""


NONE = Kept()


def read(run_dir: Path, name: str, limits: Limits) -> Kept:
    """The readings of the request of that short name; damage where they are not what the ledger recorded."""
    recorded = _recorded(run_dir, name, limits)
    path = run_dir / FILE
    if not path.is_symlink() and not path.exists():
        return NONE if recorded is None else Kept(damage=(_gone(recorded.line),))
    try:
        data = files.read(run_dir, path, limits)
        lines = [(line, _line(line)) for line in strict.lines(data, limits)]
    except DamageError as error:
        return Kept(damage=(Damage(Source(FILE), error.what, error.ids or _TAKEN_BACK),))
    raw = data.split(b"\n")
    mine = [(raw[place.number - 1], line) for place, line in lines if line.short_name == name]
    digest = files.sha256(b"\n".join(text for text, _ in mine)) if mine else None
    if recorded is not None and recorded.sha256 != digest:
        return Kept(damage=(_gone(recorded.line),))
    opinions = tuple(line.opinion for _, line in mine if line.opinion is not None)
    return Kept(opinions, tuple(line.degraded for _, line in mine if line.degraded is not None), (), digest)


def _line(line: strict.Line) -> Line:
    try:
        if line.damage is not None:
            raise DamageError(f"line {line.number}: {line.damage}")
        found = msgspec.convert(line.value, Line)
    except msgspec.ValidationError as error:
        raise DamageError(f"line {line.number}: not a reading: {error}") from error
    if found.schema != SCHEMA:
        raise DamageError(f"line {line.number}: schema {found.schema!r}, which this version does not know")
    return found


class _Recorded(NamedTuple):
    line: int
    sha256: str


def _recorded(run_dir: Path, name: str, limits: Limits) -> _Recorded | None:
    """The ledger's word on the readings of a request. A ledger that cannot be read is the seals' affair."""
    path = run_dir / seal.LEDGER
    if not path.exists():
        return None
    try:
        lines = seal.ledger_lines(files.read(run_dir, path, limits), limits)
    except DamageError:
        return None
    for line in lines:
        record = line.value if isinstance(line.value, dict) else {}
        body = record.get("body")
        if record.get("kind") == KIND and isinstance(body, dict) and body.get("short_name") == name:
            return _Recorded(line.number, str(body.get("sha256")))
    return None


def _gone(line: int) -> Damage:
    what = f"not the readings that {seal.LEDGER}:{line} recorded: an objection may have been taken back"
    return Damage(Source(FILE), what, _TAKEN_BACK)
