"""Finding the legs of a comparison in a directory nobody promised anything about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from audit.contract import AuditRequest
from audit.errors import AuditError
from audit.intake import benches, files, profiles
from audit.intake.launch import BENCH, MARK, OWN_MARKS, PACKED, START
from audit.policy import Policy


class Found(NamedTuple):
    """Directories of the legs by role, or why there is no telling."""

    dirs: dict[str, Path]
    problem: str | None


class LegDirs(NamedTuple):
    """The launch directories of a leg; ``numbered`` is False for a flat folder of rows."""

    launches: list[Path]
    numbered: bool


def holds_rows(directory: Path, policy: Policy) -> bool:
    """True when a launch or a flat leg lies directly in this directory (by names; files of other names by a look inside)."""
    claims = set(policy.layout.claim_files)
    for path in files.entries(directory):
        if path.name == BENCH or path.name in OWN_MARKS:
            return True
        named = path.name.endswith((".jsonl", ".json", *PACKED)) and path.name not in claims and not path.name.startswith(".")
        if named and files.mentions(path, MARK):
            return True
    return False


def launch_dirs(directory: Path, policy: Policy) -> LegDirs:
    """Numbered launches below a leg (``launch_000``, ``replica_001/attempt_1``), or the leg itself when rows lie in it."""
    names = "|".join(policy.layout.launch_names)
    pattern = re.compile(rf"(?:{names})[-_]?\d+", re.IGNORECASE)

    def below(folder: Path) -> list[Path]:
        children = [path for path in files.entries(folder) if pattern.fullmatch(path.name) and path.is_dir()]
        return [leaf for child in children for leaf in (below(child) or [child])]

    numbered = below(directory)
    if numbered:
        return LegDirs(numbered, True)
    return LegDirs([directory] if holds_rows(directory, policy) else [], False)


def remains(directory: Path, policy: Policy) -> bool:
    """True where a server left its log, or its starter a word, and no row was ever written."""
    names = {*policy.logs.names, START}
    return any(path.name in names for path in files.entries(directory))


def is_leg(directory: Path, policy: Policy) -> bool:
    """True when rows or numbered launches lie here."""
    return bool(launch_dirs(directory, policy).launches)


def pairs_in(directory: Path, policy: Policy) -> list[tuple[Path, Path]]:
    """Known pairs of legs directly in a directory: (reference, candidate)."""
    children = {path.name: path for path in files.entries(directory) if path.is_dir() and not path.name.startswith(".")}
    known = {name for pair in policy.layout.pairs for name in pair}
    found = [(children[a], children[b]) for a, b in policy.layout.pairs if a in children and b in children]
    for name in sorted(children):
        stem = name.removesuffix("_ref")
        if stem != name and f"{stem}_cand" in children and name not in known:
            found.append((children[name], children[f"{stem}_cand"]))
    return [(ref, cand) for ref, cand in found if is_leg(ref, policy) or is_leg(cand, policy)]


def find(run_dir: Path, request: AuditRequest, policy: Policy) -> Found:
    """The legs that a request speaks of. Raises AuditError when one of its paths leads out of the run."""
    eval_dir = files.inside(run_dir, request.eval_dir or ".", "eval_dir")
    cand_dir = None if request.cand_dir is None else files.inside(run_dir, request.cand_dir, "cand_dir")
    for place in (eval_dir, cand_dir):
        if place is not None and not place.is_dir():
            return Found({}, f"{_name(run_dir, place)!r}: no such directory")
    if request.scope == "baseline":
        return _single(run_dir, eval_dir, policy)
    for place in (cand_dir, eval_dir):
        pairs = [] if place is None else pairs_in(place, policy)
        if len(pairs) > 1:
            seen = ", ".join(f"{ref.name}/{cand.name}" for ref, cand in pairs)
            return Found(
                {}, f"{_name(run_dir, place or run_dir)!r} holds more than one pair of legs ({seen}): which one is meant?"
            )
        if pairs and not (place == eval_dir and cand_dir is not None and is_leg(cand_dir, policy)):
            return _distinct(run_dir, pairs[0][0], pairs[0][1])
    if cand_dir is None:
        return Found({}, f"no candidate leg: {_seen(run_dir, eval_dir)}")
    reference = _reference(run_dir, eval_dir, policy)
    if reference.problem or not (is_leg(cand_dir, policy) or remains(cand_dir, policy)):
        return Found({}, reference.problem or f"no candidate leg in {_name(run_dir, cand_dir)!r}: {_seen(run_dir, cand_dir)}")
    return _distinct(run_dir, reference.dirs["ref"], cand_dir)


def parts(legs: Mapping[str, Path]) -> dict[str, Path]:
    """Folders beside the legs with one part left out (``without_<part>``) or one part alone (``only_<part>``), by role."""
    found: dict[str, Path] = {}
    if set(legs) == {"ref", "cand"} and legs["ref"].parent == legs["cand"].parent:
        for path in files.entries(legs["cand"].parent):
            how, _, part = path.name.partition("_")
            if how in ("without", "only") and part and path.is_dir() and not path.is_symlink():
                found[f"{how}:{files.plain(part)}"] = path
    return found


def _distinct(run_dir: Path, ref: Path, cand: Path) -> Found:
    for place in (ref, cand):
        if not files.leads_inside(run_dir, place):
            name = _name(run_dir, place)
            raise AuditError("path_refused", f"leg {name!r}: leads out of the run directory.", "Put the rows themselves there.")
    if ref.resolve() == cand.resolve():
        return Found({}, f"both legs are the same directory {_name(run_dir, ref)!r}")
    return Found({"ref": ref, "cand": cand}, None)


def _single(run_dir: Path, directory: Path, policy: Policy) -> Found:
    if is_leg(directory, policy):
        return Found({"ref": directory}, None)
    inner = [
        path for path in files.entries(directory) if path.is_dir() and not path.name.startswith(".") and is_leg(path, policy)
    ]
    if len(inner) == 1 and files.leads_inside(run_dir, inner[0]):
        return Found({"ref": inner[0]}, None)
    return Found({}, f"{len(inner)} legs where one is needed: {_seen(run_dir, directory)}")


def _reference(run_dir: Path, directory: Path, policy: Policy) -> Found:
    if is_leg(directory, policy):
        return Found({"ref": directory}, None)
    named = [path for name in ("baseline", "ref", "base", "before", "control") if (path := directory / name).is_dir()]
    legs = [path for path in named if is_leg(path, policy)]
    if len(legs) == 1:
        return Found({"ref": legs[0]}, None)
    return Found({}, f"{len(legs)} reference legs where one is needed: {_seen(run_dir, directory)}")


def _name(run_dir: Path, path: Path) -> str:
    return files.plain(path.relative_to(run_dir).as_posix())


def _seen(run_dir: Path, directory: Path) -> str:
    names = [files.plain(path.name) for path in files.entries(directory) if path.is_dir() and not path.name.startswith(".")]
    return f"{_name(run_dir, directory)!r} holds the folders {', '.join(names) or '(none)'}"


def derive(run_dir: Path, policy: Policy) -> list[AuditRequest]:
    """Requests that the layout alone suggests, in the order of their paths; empty when it suggests nothing."""
    found: list[AuditRequest] = []
    used: set[Path] = set()
    base = run_dir / "baseline"
    todo, walked = [run_dir], 0
    while todo and walked < policy.limits.walk_dirs:
        place = todo.pop(0)
        walked += 1
        for ref, cand in pairs_in(place, policy):
            used |= {ref, cand}
            stem = (
                _name(run_dir, place) if ref.name in {pair[0] for pair in policy.layout.pairs} else ref.name.removesuffix("_ref")
            )
            scope = "bundle" if place != run_dir and place.name in policy.claims.final_dirs else "patch"
            found.append(_derived(scope, "run" if stem == "." else stem, _name(run_dir, ref), _name(run_dir, cand)))
        inner = [p for p in files.entries(place) if p.is_dir() and not p.name.startswith(".") and not p.is_symlink()]
        for leg in inner if not is_leg(place, policy) else []:
            if leg not in used and is_leg(leg, policy):
                used.add(leg)
                paired = place == run_dir / "config" and is_leg(base, policy)
                ref_name, name = _name(run_dir, base if paired else leg), _name(run_dir, leg)
                found.append(_derived("patch" if paired else "baseline", name, ref_name, name if paired else None))
        todo += [path for path in inner if path not in used]
    if not found and is_leg(run_dir, policy):
        found.append(_derived("baseline", "run", ".", None))
    if not found:
        found += _without_legs(run_dir, policy)
    return sorted(found, key=lambda request: (request.scope != "baseline", request.short_name or ""))


def _without_legs(run_dir: Path, policy: Policy) -> list[AuditRequest]:
    """A folder of profiles, or of operator benchmarks, and of nothing else."""
    places = [run_dir, *(path for path in files.entries(run_dir) if path.is_dir() and not path.is_symlink())]
    for place in places:
        name = _name(run_dir, place)
        short = "run" if name == "." else name
        if profiles.suggests(place, policy):
            return [AuditRequest("profile", eval_dir=name, short_name=short)]
        if any(path.name in (benches.OPBENCH, benches.RECORD) for path in files.entries(place)):
            return [AuditRequest("harness", eval_dir=name, short_name=short)]
    return []


def _derived(scope: str, name: str, eval_dir: str, cand_dir: str | None) -> AuditRequest:
    if scope == "baseline":
        return AuditRequest("baseline", eval_dir=eval_dir, short_name=name)
    return AuditRequest("bundle" if scope == "bundle" else "patch", eval_dir=eval_dir, cand_dir=cand_dir, short_name=name)
