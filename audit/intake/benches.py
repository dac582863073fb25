"""Isolated operator benchmarks: what a harness recorded about itself (docs/harness.md), and the sources that it ran."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from audit.contract import Source
from audit.errors import DamageError
from audit.intake import files, source, strict
from audit.intake.harness_record import RECORD_SCHEMA, HarnessRecord, Opbench
from audit.intake.model import Damage
from audit.intake.places import Places
from audit.intake.source import SourceFile
from audit.policy import Policy

OPBENCH, RECORD = "opbench_result.json", "harness_record.json"
CAND = "cand_"
_KEY = re.compile(r'"(\w+)"\s*:')
T = TypeVar("T", Opbench, HarnessRecord)


@dataclass(frozen=True, slots=True)
class Told:
    """One JSON file of a benchmark: its place, and the line on which each key stands, in order."""

    source: Source
    lines: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def at(self, key: str, number: int = 0) -> Source:
        """The place of the n-th time a key stands in the file; the file when it does not."""
        found = self.lines.get(key, ())
        return Source(self.source.file, self.source.sha256, found[number] if number < len(found) else None)


@dataclass(frozen=True, slots=True)
class Bench:
    """One folder with an operator benchmark; what it lacks is None."""

    dir: str
    opbench: Opbench | None = None
    opbench_at: Told = field(default_factory=lambda: Told(Source("")))
    record: HarnessRecord | None = None
    record_at: Told = field(default_factory=lambda: Told(Source("")))
    sources: tuple[SourceFile, ...] = ()
    """Read for scope harness alone."""
    unreadable: tuple[Damage, ...] = ()


@dataclass(frozen=True, slots=True)
class Benches:
    """What was found; ``files`` maps every file read to its sha256.

    A benchmark that cannot be read is no damage to the rows of a serving comparison: it stays with its bench.
    """

    items: tuple[Bench, ...] = ()
    damage: tuple[Damage, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


def read(places: Places, policy: Policy) -> Benches:
    """Every operator benchmark that belongs to the request; their sources where no legs are compared."""
    found = [_bench(places.run_dir, folder, policy, deep=not places.legs) for folder in _folders(places)]
    return Benches(tuple(bench for bench, _ in found), (), tuple(sorted({item for _, read_ in found for item in read_})))


def _holds(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (OPBENCH, RECORD))


def _folders(places: Places) -> list[Path]:
    """Folders with a benchmark: those named, ``kernels/<op>/``, ``overlay/cand_<op>/``; for a pair, those of its operation."""
    named = [place for place in (places.cand_dir, places.eval_dir) if place is not None]
    named += [place.parent for place in places.legs.values()]
    wanted: list[Path] = []
    for place in named:
        wanted += [place, *_nested(place, _operation(places) if places.legs else None)]
        if place.name.startswith(CAND) and files.leads_inside(places.run_dir, place.parent.parent):
            wanted += _nested(place.parent.parent, place.name.removeprefix(CAND))
    return [place for place in dict.fromkeys(wanted) if files.leads_inside(places.run_dir, place) and _holds(place)]


def _operation(places: Places) -> str | None:
    """The operation whose candidate is compared, where a folder above its legs names it."""
    above = [place for leg in places.legs.values() for place in (leg, *leg.parents)]
    return next((place.name.removeprefix(CAND) for place in above if place.name.startswith(CAND)), None)


def _nested(place: Path, operation: str | None) -> Iterator[Path]:
    for path in files.entries(place / "kernels"):
        if operation is None or path.name == operation:
            yield path
    for path in files.entries(place / "overlay"):
        if path.name.startswith(CAND) and (operation is None or path.name == CAND + operation):
            yield path


def _bench(run_dir: Path, folder: Path, policy: Policy, *, deep: bool) -> tuple[Bench, list[tuple[str, str]]]:
    name = files.plain(folder.relative_to(run_dir).as_posix())
    hurt: list[Damage] = []
    opbench, opbench_at = _document(run_dir, folder / OPBENCH, Opbench, policy, hurt)
    record, record_at = _document(run_dir, folder / RECORD, HarnessRecord, policy, hurt)
    if record is not None and record.schema != RECORD_SCHEMA:
        hurt.append(Damage(record_at.source, f"schema {record.schema[:80]!r}, which this version does not know"))
        record = None
    code = [path for path in source.below(folder, policy) if source.is_code(path, policy)] if deep else []
    read_ = [source.read(run_dir, path, policy) for path in code]
    bench = Bench(name, opbench, opbench_at, record, record_at, tuple(read_), tuple(hurt))
    places = [opbench_at.source, record_at.source, *(item.source for item in read_)]
    return bench, [(place.file, place.sha256) for place in places if place.sha256]


def _document(run_dir: Path, path: Path, kind: type[T], policy: Policy, hurt: list[Damage]) -> tuple[T | None, Told]:
    """A file as ``kind``; what is wrong with it is added to ``hurt``."""
    at = Source(files.plain(path.relative_to(run_dir).as_posix()))
    if not path.is_file():
        return None, Told(at)
    try:
        data = files.read(run_dir, path, policy.limits)
        at = Source(at.file, files.sha256(data))
        return msgspec.convert(strict.document(data, policy.limits), kind), Told(at, _lines(data))
    except (DamageError, msgspec.ValidationError) as error:
        hurt.append(Damage(at, str(error)))
        return None, Told(at)


def _lines(data: bytes) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), start=1):
        for key in _KEY.findall(line):
            found.setdefault(key, []).append(number)
    return {key: tuple(numbers) for key, numbers in found.items()}
