"""Seals and the ledger: has anything changed since the stopwatch let go of it?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from audit.contract import Source
from audit.errors import DamageError
from audit.intake import files, strict
from audit.intake.launch import SEAL
from audit.intake.model import Damage, Launch
from audit.policy import Limits, Policy

LEDGER = "ledger.jsonl"
SEAL_SCHEMA, LEDGER_SCHEMA = "countersign.seal/1", "countersign.ledger/1"
GENESIS = "0" * 64
CHANGED = ("O12",)


class Sealed(Struct, frozen=True):
    """One file in a seal."""

    sha256: str
    bytes: int


class Seal(Struct, frozen=True, forbid_unknown_fields=True):
    """seal.json."""

    schema: str
    launch_id: str
    files: dict[str, Sealed]


class Entry(NamedTuple):
    """A ``sealed`` line of the ledger: 1-based line, launch, seal digest."""

    line: int
    launch_id: str
    seal_sha256: str


class Ledger(NamedTuple):
    """What the ledger says of the launches under audit."""

    present: bool
    sealed: dict[str, Entry]
    damage: list[Damage]
    digests: list[str]
    """Digests of the lines used, for the input digest."""


def read_ledger(run_dir: Path, folders: Sequence[str], policy: Policy) -> Ledger:
    """The ``sealed`` lines of launches in these folders; the chain is checked up to the last of them and not further.

    Lines after that belong to later events: an audit in the middle of a campaign and one at its end see the same.
    """
    path = run_dir / LEDGER
    if not path.is_symlink() and not path.exists():
        return Ledger(False, {}, [], [])
    try:
        data = files.read(run_dir, path, policy.limits)
    except DamageError as error:
        return Ledger(True, {}, [Damage(Source(LEDGER), error.what, CHANGED, "seal")], [])
    lines, broken = _chain(data, policy.limits)
    prefixes = tuple(f"{folder}/" for folder in folders)
    sealed: dict[str, Entry] = {}
    last, digests = -1, []
    planned, unplanned, late = set[str](), dict[str, Entry](), list[Damage]()
    for at, line in enumerate(lines):
        entry, plan = _sealed(line), _planned(line)
        if plan is not None:
            early = next((one for name, one in unplanned.items() if name.startswith(f"{plan}/")), None)
            if early is not None and early.launch_id.startswith(prefixes):
                what = f"the plan of {plan} stands after its launch {early.launch_id} (line {early.line}): made after the data"
                late.append(Damage(Source(LEDGER, None, line.number), what, ("M32",), "seal"))
            planned.add(plan)
        if entry is not None and not any(entry.launch_id.startswith(f"{name}/") for name in planned):
            unplanned.setdefault(entry.launch_id, entry)
        if entry is not None and entry.launch_id.startswith(prefixes):
            sealed.setdefault(entry.launch_id, entry)
            digests.append(str(line.value.get("digest")))
            last = at
    damage = []
    if broken is not None and broken.at <= last:
        damage.append(Damage(Source(LEDGER, None, broken.line), broken.what, CHANGED, "seal"))
    return Ledger(True, sealed, [*damage, *late], digests)


def _planned(line: strict.Line) -> str | None:
    """Folder of the plan that this line holds."""
    record = line.value
    if not isinstance(record, dict) or record.get("kind") != "plan" or not isinstance(record.get("body"), dict):
        return None
    folder = record["body"].get("dir")
    return folder if isinstance(folder, str) else None


def _sealed(line: strict.Line) -> Entry | None:
    record = line.value
    if not isinstance(record, dict) or record.get("kind") != "sealed" or not isinstance(record.get("body"), dict):
        return None
    body = record["body"]
    return Entry(line.number, str(body.get("launch_id")), str(body.get("seal_sha256")))


class _Break(NamedTuple):
    """The first break of the hash chain: index among the lines, line number, description."""

    at: int
    line: int
    what: str


def ledger_lines(data: bytes, limits: Limits) -> tuple[strict.Line, ...]:
    """The lines of a ledger as they stand."""
    return _chain(data, limits)[0]


@lru_cache(maxsize=1)
def _chain(data: bytes, limits: Limits) -> tuple[tuple[strict.Line, ...], _Break | None]:
    """The lines of a ledger and where its chain breaks; kept for the next request on the same bytes."""
    lines = tuple(strict.lines(data, limits))
    return lines, _first_break(lines)


def _first_break(lines: Sequence[strict.Line]) -> _Break | None:
    """The first break of the hash chain."""
    previous, keys = GENESIS, set()
    for seq, line in enumerate(lines):
        if line.damage is not None or not isinstance(line.value, dict):
            return _Break(seq, line.number, f"not a ledger line: {line.damage or 'no object'}")
        record: dict[str, Any] = dict(line.value)
        claimed = record.pop("digest", None)
        text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if files.sha256(text.encode()) != claimed:
            return _Break(seq, line.number, "the line was altered: its digest does not match its content")
        if record.get("prev") != previous or record.get("seq") != seq or record.get("schema") != LEDGER_SCHEMA:
            return _Break(seq, line.number, "the hash chain breaks: a line before it was removed, added or replaced")
        key = record.get("key")
        if key in keys:
            return _Break(seq, line.number, f"key {key!r} is recorded twice")
        keys.add(key)
        previous = str(claimed)
    return None


def check_launch(run_dir: Path, launch: Launch, ledger: Ledger, policy: Policy) -> list[Damage]:
    """Damage of one own launch: its seal against the files, the ledger against its seal."""
    directory = run_dir / launch.id
    path = directory / SEAL
    if not path.is_symlink() and not path.exists():
        return [Damage(launch.source(SEAL), "the seal is missing: nobody vouches for this launch", CHANGED, "seal")]
    try:
        data = files.read(run_dir, path, policy.limits)
        seal = msgspec.convert(strict.document(data, policy.limits), Seal)
        if seal.schema != SEAL_SCHEMA:
            raise DamageError(f"schema {seal.schema!r}, which this version does not know")
    except (DamageError, msgspec.ValidationError) as error:
        return [Damage(launch.source(SEAL), f"the seal cannot be read: {error}", CHANGED, "seal")]
    digest = files.sha256(data)
    found = _against_ledger(launch, ledger, Source(f"{launch.id}/{SEAL}", digest))
    return found + _against_files(run_dir, directory, launch, seal, policy)


def _against_ledger(launch: Launch, ledger: Ledger, source: Source) -> list[Damage]:
    if not ledger.present:
        return []
    entry = ledger.sealed.get(launch.id)
    if entry is None:
        return [Damage(source, f"{LEDGER} never saw this launch sealed", ("R18",), "seal")]
    if entry.seal_sha256 != source.sha256:
        what = f"the seal was replaced: {LEDGER}:{entry.line} records the digest {entry.seal_sha256[:12]}..., this is another"
        return [Damage(source, what, CHANGED, "seal")]
    return []


def _against_files(run_dir: Path, directory: Path, launch: Launch, seal: Seal, policy: Policy) -> list[Damage]:
    found: list[Damage] = []
    present = {files.plain(path.name): path for path in files.entries(directory)}
    for name, facts in sorted(seal.files.items()):
        if name not in present:
            found.append(Damage(launch.source(name), "the seal lists this file, and it is gone", CHANGED, "seal"))
            continue
        source = launch.source(name)
        try:
            digest = source.sha256 or files.sha256(files.read(run_dir, present[name], policy.limits))
            size = present[name].stat().st_size
        except (DamageError, OSError) as error:
            what, ids = (error.what, error.ids) if isinstance(error, DamageError) else (str(error.strerror), CHANGED)
            found.append(Damage(source, what, ids, "seal"))
            continue
        if digest != facts.sha256 or size != facts.bytes:
            found.append(Damage(launch.source(name), "was altered after it was sealed", CHANGED, "seal"))
    extra = sorted(set(present) - set(seal.files) - {SEAL})
    what = "was added after the seal: the seal does not list it"
    return found + [Damage(launch.source(name), what, CHANGED, "seal") for name in extra]


def gone(run_dir: Path, ledger: Ledger) -> list[Damage]:
    """Launches that the ledger saw sealed in a leg's folder and that are no longer on disk."""
    return [
        Damage(Source(launch_id), f"{LEDGER}:{entry.line} saw this launch sealed, and its directory is gone", ("M10",), "seal")
        for launch_id, entry in sorted(ledger.sealed.items())
        if ".." in launch_id.split("/") or not (run_dir / launch_id).is_dir()
    ]
