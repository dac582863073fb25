"""Claim files: what producers say. Read for one purpose only, to be compared with the raw rows (gate 6)."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from audit.contract import Scalar, Source
from audit.errors import DamageError
from audit.intake import claim_settings, files, legs, quotes, strict
from audit.intake.places import Places
from audit.intake.quotes import Quote
from audit.policy import ClaimFile, Policy

QUOTED = 300
"""Characters of a text that are kept."""
QUOTE = "quote"
"""Subject of a key that quotes logs."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One assertion of one claim file."""

    source: Source
    field: str
    """Dotted path inside the file, e.g. ``trials[2].delta_pct``."""
    value: Scalar
    subject: str
    """What is asserted, in the auditor's words: the table in docs/claims.md."""
    leg: str = ""
    """``ref`` or ``cand``; empty: both, or the pair."""
    metric: str = ""
    """Metric of the rows, or the producer's name of a setting."""
    about: str = "pair"
    """What the file speaks about: leg, pair, whole, setup, sweep, bench or probe."""
    near: bool = True
    """The file lies with the legs; False: it lies above them and may speak of others."""
    launch: str | None = None
    """The launch, or the folder of launches of a leg, that the file lies in; None: the whole leg."""
    group: str = ""
    """The trial of a sweep, e.g. ``trials[2]``."""
    own: float | None = None
    """What the file's own rows give, for files that hold rows themselves."""
    quote: Quote | None = None
    """What the logs say of a line that is quoted from them."""


@dataclass(frozen=True, slots=True)
class Claims:
    """All claims about one request, and claim files that could not be read (file, why)."""

    items: tuple[Claim, ...] = ()
    unreadable: tuple[tuple[Source, str], ...] = ()
    tried: tuple[str, ...] = ()
    """Folders with rows that lie beside a sweep's results."""


class Place(NamedTuple):
    """A folder in which claim files are looked for."""

    path: Path
    kinds: frozenset[str]
    """What files found here may speak about."""
    near: bool
    leg: str = ""
    launch: str | None = None


WITH_LEG = frozenset({"leg", "pair", "bench", "probe"})
WITH_PAIR = frozenset({"pair", "whole", "setup", "sweep", "bench", "probe"})
ABOVE = frozenset({"whole", "setup", "sweep"})


def read(places: Places, policy: Policy) -> Claims:
    """Claims of every known claim file that belongs to the request, in the order of places, names and fields.

    A file that cannot be read strictly says nothing: it is listed in ``unreadable``, and is no damage. Nulls say nothing.
    """
    items: list[Claim] = []
    unreadable: list[tuple[Source, str]] = []
    tried: list[str] = []
    for place in _places(places, policy):
        for path, rule in _files(place, policy):
            try:
                _lane(places, path)
                items += _file(places, path, place, rule, policy)
            except DamageError as error:
                unreadable.append((Source(_id(path, places.run_dir)), error.what[:QUOTED]))
                continue
            if rule.about == "sweep":
                tried += [
                    files.plain(folder.name) for folder in files.entries(path.parent) if _holds_legs(places, folder, policy)
                ]
    return Claims(tuple(items), tuple(unreadable), tuple(dict.fromkeys(tried)))


def _file(places: Places, path: Path, place: Place, rule: ClaimFile, policy: Policy) -> list[Claim]:
    """The claims of one file. Raises DamageError when it cannot be read."""
    run = places.run_dir
    data = files.read(run, path, policy.limits)
    value = strict.document(data, policy.limits)
    if not isinstance(value, dict):
        raise DamageError("not an object")
    source = Source(_id(path, run), files.sha256(data))
    side = place.leg if rule.about in ("leg", "probe") else ""
    base = Claim(source, "", None, "", side, about=rule.about, near=place.near, launch=place.launch)
    found = [*_claims(value, base, rule, policy), *_quotes(value, base, path.parent, places, rule, policy)]
    if len(found) > policy.claims.max_items:
        raise DamageError(f"more than {policy.claims.max_items} claims")
    return found


def _quotes(
    document: dict[str, Any], base: Claim, folder: Path, places: Places, rule: ClaimFile, policy: Policy
) -> Iterator[Claim]:
    """A claim for each line that is quoted from a log."""
    keys = [key for key, (subject, _, _) in rule.fields.items() if subject == QUOTE and key in document]
    for key in keys:
        for item in quotes.find(key, document[key], folder, places, policy):
            yield replace(base, field=item.field[:QUOTED], value=_cut(item.words), subject=QUOTE, quote=item)


def _holds_legs(places: Places, folder: Path, policy: Policy) -> bool:
    if not folder.is_dir() or folder.name.startswith(".") or not files.leads_inside(places.run_dir, folder):
        return False
    return legs.is_leg(folder, policy) or bool(legs.pairs_in(folder, policy))


def _places(places: Places, policy: Policy) -> list[Place]:
    """The folders that belong to the request, each once, nearest first; nothing above the run."""
    rules, run = policy.claims, places.run_dir
    found: list[Place] = []
    for role, folder in places.legs.items():
        found.append(Place(folder, WITH_LEG, True, role))
        numbered = legs.launch_dirs(folder, policy)
        for launch in numbered.launches if numbered.numbered else []:
            found.append(Place(launch, WITH_LEG - {"pair"}, True, role, _id(launch, run)))
            between = [up for up in launch.parents if folder in up.parents]
            found += [Place(up, frozenset({"leg"}), True, role, _id(up, run)) for up in between]
    parents = {folder.parent for folder in places.legs.values()}
    pair = next(iter(parents)) if len(places.legs) == 2 and len(parents) == 1 else None
    if pair is not None and len(legs.pairs_in(pair, policy)) <= 1:
        found.append(Place(pair, WITH_PAIR, True))
    above = [up / name for up in (places.eval_dir, run) for name in (".", *rules.places)]
    if places.cand_dir is not None:
        found.append(Place(places.cand_dir, WITH_PAIR, True))
        above.insert(0, places.cand_dir.parent)
    final = pair is not None and pair.name in rules.final_dirs
    found += [Place(folder, ABOVE, final) for folder in above]
    merged: dict[Path, Place] = {}
    for place in found:
        if place.path == run or run in place.path.parents:
            old = merged.get(place.path, place)
            merged[place.path] = old._replace(kinds=old.kinds | place.kinds, near=old.near or place.near)
    return list(merged.values())


def _id(folder: Path, run: Path) -> str:
    return files.plain(folder.relative_to(run).as_posix())


def _files(place: Place, policy: Policy) -> Iterator[tuple[Path, ClaimFile]]:
    """Claim files of the kinds that may lie here."""
    rules = policy.claims
    for path in files.entries(place.path):
        kind = next((kind for pattern, kind in rules.names.items() if fnmatchcase(path.name, pattern)), None)
        if kind is not None and not path.is_dir() and rules.files[kind].about in place.kinds:
            yield path, rules.files[kind]


def _lane(places: Places, path: Path) -> None:
    """Raise DamageError for a file of one lane among several when the candidate's folder does not name the lane."""
    stem, _, lane = path.stem.partition("_")
    if stem != "integrate" or lane == "result" or "cand" not in places.legs:
        return
    entries = [item.stem for item in files.entries(path.parent) if fnmatchcase(item.name, "integrate_*.json")]
    lanes = {stem.partition("_")[2] for stem in entries} - {"result"}
    mine = {name for name in lanes if places.legs["cand"].name.endswith(f"_{name}")} or lanes
    if mine != {lane}:
        raise DamageError(f"one of {len(lanes)} lanes, and nothing says that it speaks of these legs")


def _claims(document: dict[str, Any], base: Claim, rule: ClaimFile, policy: Policy) -> list[Claim]:
    """Every claim of one file."""
    found = [claim for key, spec in rule.fields.items() for claim in _field(document, key, spec, base)]
    trials = document.get("trials")
    for at, trial in enumerate(trials if rule.items and isinstance(trials, list) else []):
        group = f"trials[{at}]"
        if isinstance(trial, dict):
            for key, spec in rule.items.items():
                found += [replace(claim, field=f"{group}.{claim.field}", group=group) for claim in _field(trial, key, spec, base)]
    if rule.about == "bench":
        return [_bench(claim, document) for claim in found]
    if rule.about == "probe":
        return _probe(document, base, rule, policy)
    said = claim_settings.walk(document, rule, policy.claims)
    for item in said:
        claim = replace(base, field=item.field[:QUOTED], value=_cut(item.value), subject=item.subject, metric=item.key[:QUOTED])
        found.append(replace(claim, leg=item.leg or base.leg))
    return found


def _cut(value: Any) -> Scalar:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return value[:QUOTED]
    return value if isinstance(value, bool | int | float) else None


def _field(document: dict[str, Any], key: str, spec: tuple[str, str, str], base: Claim) -> list[Claim]:
    """Claims of one key: a list counts as one claim an item for a series, as its length for ``items``."""
    value = document.get(key)
    subject, leg, metric = spec
    if value is None or subject == QUOTE:
        return []
    claim = replace(base, field=key, subject=subject, leg=leg or base.leg, metric=metric)
    if subject == "items":
        return [replace(claim, value=_cut(value) if isinstance(value, str) else _count(value))]
    if subject == "series":
        values = value if isinstance(value, list) else []
        return [replace(claim, field=f"{key}[{at}]", value=item, group=key) for at, item in enumerate(values) if _is_number(item)]
    if isinstance(value, dict | list):
        return []
    return [replace(claim, value=_cut(value))]


def _count(value: Any) -> int:  # noqa: ANN401 - any JSON value
    """How many things a value names: members of lists and objects, one level of objects inside objects opened."""
    if isinstance(value, dict):
        return sum(_count(item) if isinstance(item, dict | list) else 1 for item in value.values())
    return len(value) if isinstance(value, list) else 1


def _is_number(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bench(claim: Claim, document: dict[str, Any]) -> Claim:
    """A claim of an operator benchmark beside what its own times give."""
    winner, baseline, share = (_positive(document.get(key)) for key in ("winner_ms", "baseline_ms", "pct_gpu_time"))
    if winner is None or baseline is None:
        return claim
    if claim.subject == "isolated_speedup":
        return replace(claim, own=baseline / winner)
    if share is not None and share < 100:
        return replace(claim, own=100 * (1 / (1 - share / 100 * (1 - winner / baseline)) - 1))
    return claim


def _positive(value: Any) -> float | None:  # noqa: ANN401 - any JSON value
    return float(value) if _is_number(value) and value > 0 else None


def _probe(document: dict[str, Any], base: Claim, rule: ClaimFile, policy: Policy) -> list[Claim]:
    """The summary of a task probe beside what its own results give; the leg is read from the file's name."""
    summary, results = document.get("summary"), document.get("results")
    if not isinstance(summary, dict):
        return []
    marks = [item.get("ok") for item in results if isinstance(item, dict)] if isinstance(results, list) else []
    sure = bool(marks) and all(isinstance(mark, bool) for mark in marks)
    good = float(sum(mark is True for mark in marks))
    own = (
        {"exact_match": statistics.fmean([mark is True for mark in marks]), "correct": good, "n": float(len(marks))}
        if sure
        else {}
    )
    stem = base.source.file.rpartition("/")[2].rpartition(".")[0].partition("_")[2].lower()
    leg = policy.claims.legs.get(stem, base.leg)
    return [
        replace(claim, field=f"summary.{claim.field}", leg=leg, own=own.get(claim.metric))
        for key, spec in rule.fields.items()
        for claim in _field(summary, key, spec, base)
    ]
