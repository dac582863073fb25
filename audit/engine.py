"""From a directory and a request to a verdict: intake, questions, gates, decision table, in this order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from audit import effect, requests, scopes, verdict
from audit.contract import AuditRequest, Effect, Finding, Source, Verdict, Verdicts
from audit.errors import AuditError
from audit.evidence import Evidence, Tables
from audit.gates import seal as seal_gate
from audit.intake import benches, claims, files, forensics, legs, overlays, probes, profiles, seal, sweep
from audit.intake.launch import Reader
from audit.intake.model import Damage, Leg
from audit.intake.places import Places
from audit.policy import Loaded, Policy, load
from audit.rendering import canonical_json
from audit.scopes.gate import Gate

DERIVED = "No audit_request.json: this request was derived from the layout."


def audit(run_dir: Path, request: AuditRequest) -> Verdict:
    """The verdict on one request. Raises AuditError when the directory is missing or the request is impossible."""
    return _audit(_directory(run_dir), requests.check(request), load(), ())


def audit_path(path: Path) -> Verdicts:
    """Verdicts on every request of a directory, in the order of ``audit_request.json``; without one, on what the layout suggests.

    Raises AuditError when there is nothing to audit or the request file is not right.
    """
    run_dir, loaded = _directory(path), load()
    commission = requests.read(run_dir, loaded.policy)
    remarks = (DERIVED,) if commission.derived else ()
    found = [_audit(run_dir, request, loaded, remarks) for request in commission.requests]
    return Verdicts(found, as_list=commission.as_list)


def _directory(path: Path) -> Path:
    run_dir = Path(path).absolute()
    if not run_dir.is_dir():
        raise AuditError("run_missing", f"{files.plain(path)!r}: no such directory.", "Name a run directory.")
    return run_dir


class _Read(NamedTuple):
    """Intake of one request."""

    legs: dict[str, Leg]
    noise: list[Leg]
    parts: list[Leg]
    damage: list[Damage]
    problems: list[str]
    ledger: seal.Ledger
    places: Places


def _audit(run_dir: Path, request: AuditRequest, loaded: Loaded, remarks: Sequence[str]) -> Verdict:
    policy = loaded.policy
    read = _read(run_dir, request, policy)
    evidence = _evidence(request, policy, read)
    found, judged = _judge(evidence)
    measured = _effect(evidence) if judged else Effect(rule="none", alpha=request.alpha)
    notes = list(remarks)
    if not judged:
        notes.append("The gates were not asked: the evidence under them is damaged or the legs are unknown.")
    result = verdict.build(evidence, found, measured, notes, loaded)
    return replace(result, input_digest=_digest(request, evidence, read.ledger))


def _read(run_dir: Path, request: AuditRequest, policy: Policy) -> _Read:
    asked_for = files.inside(run_dir, request.eval_dir or ".", "eval_dir")
    other = None if request.cand_dir is None else files.inside(run_dir, request.cand_dir, "cand_dir")
    if request.scope in ("profile", "harness"):
        missing = [] if asked_for.is_dir() else [f"{request.eval_dir!r}: no such directory"]
        return _Read({}, [], [], [], missing, seal.Ledger(False, {}, [], []), Places(run_dir, asked_for, other, {}))
    found = legs.find(run_dir, request, policy)
    damage: list[Damage] = []
    sides: dict[str, Leg] = {}
    for role, place in found.dirs.items():
        sides[role] = _leg(run_dir, place, role, policy, damage)
    places = {leg.dir for leg in sides.values()}
    noise: list[Leg] = []
    problems = [] if found.problem is None else [found.problem]
    for name in dict.fromkeys(request.noise_dirs):
        place = files.inside(run_dir, name, "noise_dirs")
        if not place.is_dir():
            problems.append(f"A/A set {name!r}: no such directory")
        elif place.relative_to(run_dir).as_posix() not in places:
            noise.append(_leg(run_dir, place, f"noise{len(noise)}", policy, damage))
    parts = [_leg(run_dir, place, role, policy, damage) for role, place in legs.parts(found.dirs).items()]
    everything = [*sides.values(), *noise, *parts]
    asked = [request.cand_dir, request.eval_dir] if problems else []
    folders = [leg.dir for leg in everything] + [name.strip("/") for name in asked if name and name != "."]
    ledger = seal.read_ledger(run_dir, folders, policy)
    damage += ledger.damage + seal.gone(run_dir, ledger)
    for leg in everything:
        for launch in leg.launches:
            if leg.own or launch.id in ledger.sealed:
                damage += seal.check_launch(run_dir, launch, ledger, policy)
    damage += _mixed(sides)
    if not problems:
        swept = sweep.common(sides)
        sides = swept.legs
        problems += swept.problems
    return _Read(sides, noise, parts, damage, problems, ledger, Places(run_dir, asked_for, other, found.dirs))


def _leg(run_dir: Path, place: Path, role: str, policy: Policy, damage: list[Damage]) -> Leg:
    """One leg; what is damaged in it is added to ``damage``."""
    where = legs.launch_dirs(place, policy)
    launches = []
    for directory in where.launches:
        reader = Reader(run_dir, directory, policy)
        if not files.leads_inside(run_dir, directory):
            damage.append(Damage(Source(reader.id), "leads out of the run directory", ("R18",)))
            continue
        launches.append(reader.read())
        damage += reader.damage
    return Leg(role, files.plain(place.relative_to(run_dir).as_posix()), tuple(launches), where.numbered)


def _mixed(sides: dict[str, Leg]) -> list[Damage]:
    """Own and foreign launches side by side: rows of two stopwatches are no comparison."""
    launches = [launch for leg in sides.values() for launch in leg.launches]
    if len({launch.own for launch in launches}) < 2:
        return []
    strange = next(launch for launch in launches if not launch.own)
    return [Damage(Source(strange.id), "has no mark of the stopwatch that measured the other launches", ("R10", "R18"))]


def _evidence(request: AuditRequest, policy: Policy, read: _Read) -> Evidence:
    from audit.intake.store import Store

    everything = [*read.legs.values(), *read.noise, *read.parts]
    with Store() as store:
        store.fill(everything, policy)
        damage = [*read.damage, *forensics.examine(store, everything, policy)]
        tables: Tables = store.tables(policy)
    sources = {path: digest for leg in everything for launch in leg.launches for path, digest in launch.files.items()}
    beside = _beside(request, policy, read.places)
    for found in (beside.probes, beside.overlays, beside.benches, beside.profiles):
        sources |= dict(found.files)
        damage += found.damage
    return Evidence(
        request=request,
        policy=policy,
        legs=read.legs,
        noise=tuple(read.noise),
        parts=tuple(read.parts),
        tables=tables,
        damage=tuple(dict.fromkeys(damage)),
        problems=tuple(read.problems),
        ledger_present=read.ledger.present,
        sources=sources,
        **beside._asdict(),
    )


class _Beside(NamedTuple):
    """What lies beside the rows; field names are those of ``Evidence``."""

    claims: claims.Claims
    probes: probes.Probes
    overlays: overlays.Overlays
    benches: benches.Benches
    profiles: profiles.Profiles


def _beside(request: AuditRequest, policy: Policy, places: Places) -> _Beside:
    """The evidence that this scope looks at beside rows, and the claims about it."""
    comparing = request.scope in ("patch", "bundle")
    return _Beside(
        claims=claims.read(places, policy) if comparing else claims.Claims(),
        probes=probes.read(places, policy) if comparing or request.scope == "baseline" else probes.Probes(),
        overlays=overlays.read(places, request, policy) if comparing else overlays.Overlays(),
        benches=benches.read(places, policy) if comparing or request.scope == "harness" else benches.Benches(),
        profiles=profiles.read(places, policy) if request.scope == "profile" else profiles.Profiles(),
    )


def _judge(evidence: Evidence) -> tuple[list[Finding], bool]:
    """Findings of intake, and of the scope's gates where the evidence can carry them (second value)."""
    found = seal_gate.intake(evidence)
    if evidence.damage:
        return [*found, *(item for item in seal_gate.seals(evidence) if item.status == "fail")], False
    if evidence.problems:
        return found, False
    return found + run_gates(scopes.gates(evidence.request.scope), evidence), True


def run_gates(gates: Sequence[Gate], evidence: Evidence) -> list[Finding]:
    """Findings of these gates. A gate that crashes is an ``unknown`` that names the exception, never a pass."""
    found: list[Finding] = []
    for gate in gates:
        try:
            answers = gate.check(evidence)
        except Exception as error:  # noqa: BLE001 - the named edge: whatever breaks in a gate must not become a pass
            words = f"the gate crashed ({type(error).__name__}: {error}): this is a fault of the auditor"
            answers = [Finding(gate=gate.name, status="unknown", reason=words, next_step="Report it with the run directory.")]
            required = True
        else:
            required = _required(gate.name, evidence)
        found += [replace(item, required=item.required and required) for item in answers]
    return found


def _required(name: str, evidence: Evidence) -> bool:
    """The policy's word on a gate, for this evidence."""
    rule = evidence.policy.scopes[evidence.request.scope][name]
    if rule == "declared":
        return evidence.own or evidence.request.change is not None or bool(evidence.request.accepted)
    return rule == "always" or (rule == "own" and evidence.own)


def _effect(evidence: Evidence) -> Effect:
    """The gain for the verdict; a crash leaves it empty, and the gate that needs it says so."""
    try:
        return effect.measure(evidence)
    except Exception:  # noqa: BLE001 - same edge: real_delta computes the same figures and reports the exception
        return Effect(rule="none", alpha=evidence.request.alpha)


def _digest(request: AuditRequest, evidence: Evidence, ledger: seal.Ledger) -> str:
    """sha256 over the request, every file read and the ledger lines used."""
    facts = {"request": msgspec.to_builtins(request), "files": dict(evidence.sources), "ledger": ledger.digests}
    return hashlib.sha256(canonical_json(facts).encode()).hexdigest()
