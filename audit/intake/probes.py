"""Correctness evidence beside the rows: parity dumps and task accuracy files, and the leg each belongs to.

They are looked for in the folders of the legs, in the folder of the pair, in ``eval_dir``, and in ``parity/`` and
``validation/`` below these. The leg comes from the file's name (``parity_base2.json``: the reference, once more) or from the
leg's folder that it lies in. Of a probe that lies in several places the one nearest to the legs counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from audit.contract import Source
from audit.errors import DamageError
from audit.intake import dumps, files, strict
from audit.intake.dumps import Accuracy, Dump, Missing, Side
from audit.intake.model import Damage
from audit.intake.places import Places
from audit.policy import Policy, ProbeFiles


@dataclass(frozen=True, slots=True)
class Probes:
    """What was found; ``files`` maps every file read to its sha256."""

    dumps: tuple[Dump, ...] = ()
    """Of each leg the first is the probe, every further one a repeat of it."""
    accuracies: tuple[Accuracy, ...] = ()
    missing: tuple[Missing, ...] = ()
    damage: tuple[Damage, ...] = ()
    files: tuple[tuple[str, str], ...] = ()

    @property
    def asked(self) -> bool:
        """True when a leg was probed, or a probe of the candidate is named and missing: then correctness has to be told.

        So does a reference that was graded, or decoded twice, alone: both are halves of a comparison. One dump of it is not,
        for that may only show that it answers.
        """
        half = bool(self.accuracies) or len(self.of("ref")) > 1
        return half or bool(self.of("cand")) or any(item.side != "ref" for item in self.missing)

    def of(self, side: Side) -> list[Dump]:
        """The dumps of one leg: the probe, then its repeats."""
        return [item for item in self.dumps if item.side == side]


class _Place(NamedTuple):
    """A folder to look in; ``rank`` grows with the distance from the legs."""

    rank: int
    folder: Path
    side: Side | None


class _Name(NamedTuple):
    """What a file's name says: the leg (None: nothing, or two), and which decode of it."""

    side: Side | None
    repeat: bool
    torn: bool


def read(places: Places, policy: Policy) -> Probes:
    """Every probe that lies in the folders of the request."""
    names = policy.correctness.probes
    found: list[tuple[int, bool, Dump | Accuracy | Missing]] = []
    damage: list[Damage] = []
    digests: dict[str, str] = {}
    for place, path in _files(places, policy):
        shown = files.plain(path.relative_to(places.run_dir).as_posix())
        try:
            data = files.read(places.run_dir, path, policy.limits)
            source = Source(shown, files.sha256(data))
            digests[shown] = files.sha256(data)
            value = strict.document(data, policy.limits)
            said = _said(path.stem, names)
            probe = _probe(value, path, _side(said, place), source, names)
        except DamageError as error:
            damage.append(Damage(Source(shown, digests.get(shown), error.line), error.what, error.ids))
            continue
        if probe is None:
            del digests[shown]
        else:
            found.append((place.rank, said.repeat, probe))
    kept = _nearest(found)
    return Probes(
        dumps=tuple(item for item in kept if isinstance(item, Dump)),
        accuracies=tuple(item for item in kept if isinstance(item, Accuracy)),
        missing=tuple(item for item in kept if isinstance(item, Missing)),
        damage=tuple(damage),
        files=tuple(sorted(digests.items())),
    )


def _places(places: Places) -> Iterator[_Place]:
    legs = dict(places.legs)
    for role, folder in sorted(legs.items()):
        side: Side = "cand" if role == "cand" else "ref"
        yield _Place(0, folder, side)
    pair = [places.cand_dir] if places.cand_dir is not None else []
    if len({folder.parent for folder in legs.values()}) == 1 and len(legs) > 1:
        pair.append(next(iter(legs.values())).parent)
    for folder in pair:
        yield _Place(1, folder, None)
    yield _Place(2, places.eval_dir, None)


def _files(places: Places, policy: Policy) -> list[tuple[_Place, Path]]:
    """Files that may be probes, by a look at their beginning, each once, with the nearest place it was found in."""
    names = policy.correctness.probes
    found: dict[Path, _Place] = {}
    for place in _places(places):
        below = [place.folder / first for first in names.folders]
        deeper = [place.folder / first / second for first in names.folders for second in names.folders if first != second]
        for folder in (place.folder, *below, *deeper):
            if not files.leads_inside(places.run_dir, folder) or not folder.is_dir():
                continue
            for path in files.entries(folder):
                wanted = path.suffix == ".json" and path.name not in policy.layout.claim_files and not path.name.startswith(".")
                if wanted and path not in found and _may_be(path, names):
                    found[path] = place
    return [(place, path) for path, place in sorted(found.items(), key=lambda item: (item[1].rank, item[0].as_posix()))]


def _may_be(path: Path, names: ProbeFiles) -> bool:
    if _named(path.stem, names):
        return True
    dump = files.mentions(path, b'"prompt"') and files.mentions(path, b'"output"')
    return dump or (files.mentions(path, b'"exact_match"') and files.mentions(path, b'"summary"'))


def _named(stem: str, names: ProbeFiles) -> bool:
    return any(stem.lower().startswith(name) for name in names.names)


def _said(stem: str, names: ProbeFiles) -> _Name:
    words = re.findall(r"[a-z]+|\d+", stem.lower())
    told = [(at, side) for at, word in enumerate(words) for side, known in _sides(names) if word in known]
    sides = {side for _, side in told}
    if len(sides) != 1:
        return _Name(None, repeat=False, torn=len(sides) > 1)
    at, side = told[-1]
    after = words[at + 1] if at + 1 < len(words) else ""
    again = (after.isdigit() and int(after) > 1) or any(word in names.repeat_words for word in words)
    return _Name(side, repeat=again, torn=False)


def _sides(names: ProbeFiles) -> tuple[tuple[Side, list[str]], ...]:
    return (("ref", names.ref_words), ("cand", names.cand_words))


def _side(said: _Name, place: _Place) -> Side | None:
    """The leg, where name and folder do not contradict each other."""
    if said.torn or (said.side and place.side and said.side != place.side):
        return None
    return said.side or place.side


def _probe(value: Any, path: Path, side: Side | None, source: Source, names: ProbeFiles) -> Dump | Accuracy | Missing | None:  # noqa: ANN401 - any JSON value
    """The probe in a file; None for a stranger."""
    named = _named(path.stem, names)
    if value is None or value in ([], {}):
        return Missing(side, source, "is empty") if named else None
    is_dump = isinstance(value, list) and isinstance(value[0], dict) and {"prompt", "output"} <= value[0].keys()
    summary = value.get("summary") if isinstance(value, dict) else None
    put_off = _put_off(value, names) or _put_off(summary, names)
    if put_off and (named or summary is not None):
        return Missing(side, source, f"says {put_off!r}")
    if not is_dump and not (isinstance(summary, dict) and "exact_match" in summary):
        return Missing(side, source, "holds neither answers nor a graded task") if named else None
    if side is None:
        return Missing(None, source, "tells neither by its name nor by its folder which leg it probed")
    if is_dump:
        return dumps.dump(value, side, source, names)
    graded = dumps.accuracy(value, side, source, names)
    return graded if graded.n else Missing(side, source, "graded no question")


def _put_off(value: Any, names: ProbeFiles) -> str | None:  # noqa: ANN401 - any JSON value
    """The word by which an object says that its probe was not run."""
    if not isinstance(value, dict):
        return None
    told = [value[key] for key in names.status_keys if isinstance(value.get(key), str)]
    return next((word for word in told if word.lower() in names.put_off), None)


def _nearest(found: list[tuple[int, bool, Dump | Accuracy | Missing]]) -> list[Dump | Accuracy | Missing]:
    """Of each kind and leg what lies nearest; a leg's repeats after its probe."""
    least: dict[tuple[type, Side | None], int] = {}
    for rank, _, probe in found:
        key = (type(probe), probe.side)
        least[key] = min(rank, least.get(key, rank))
    kept = [item for item in found if item[0] == least[(type(item[2]), item[2].side)]]
    return [probe for _, _, probe in sorted(kept, key=lambda item: (item[1], item[2].source.file))]
