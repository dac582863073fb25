"""From a directory and a request to a verdict: intake, questions, gates, decision table, in this order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from audit import effect, policies, readings, requests, scopes, verdict
from audit import judge as opinions
from audit.contract import AuditRequest, Effect, Finding, Scope, Source, Verdict, Verdicts
from audit.errors import AuditError
from audit.evidence import Evidence, Tables
from audit.gates import seal as seal_gate
from audit.intake import benches, claims, files, forensics, legs, overlays, probes, profiles, seal, sweep
from audit.intake.launch import Reader
from audit.intake.model import Damage, Launch, Leg
from audit.intake.places import Places
from audit.policy import Loaded, Policy, load
from audit.rendering import canonical_json
from audit.scopes.gate import Gate
from audit.verdict import decide

if TYPE_CHECKING:
    from audit.intake.store import Store
    from audit.judge import Judge

CLIENTS = {"countersign": "our stopwatch", "sglang": "SGLang's client", "vllm": "vLLM's client"}
DERIVED = "No audit_request.json: this request was derived from the layout."


def audit(run_dir: Path, request: AuditRequest, policy: str | Path | None = None, second_reader: Judge | None = None) -> Verdict:
    """The verdict on one request. Raises AuditError when the directory is missing or the request is impossible.

    ``second_reader`` is asked after the gates, and can only lower.
    """
    return judge(directory(run_dir), requests.check(request), _chosen(policy), Manner(second_reader=second_reader))


def audit_path(
    path: Path, policy: str | Path | None = None, request_file: Path | None = None, scope: Scope | None = None
) -> Verdicts:
    """Verdicts on every request of a directory, in the order of ``audit_request.json``; without one, on what the layout suggests.

    Raises AuditError when there is nothing to audit or the request file is not right.
    """
    run_dir, chosen = directory(path), _chosen(policy)
    commission = requests.read(run_dir, (chosen or load()).policy, request_file, scope)
    manner = Manner((DERIVED,) if commission.derived else (), shelf={})
    found = [judge(run_dir, request, chosen, manner) for request in commission.requests]
    return Verdicts(found, as_list=commission.as_list)


def audit_legs(
    legs_given: requests.Given, policy: str | Path | None = None, request_file: Path | None = None, scope: Scope | None = None
) -> Verdicts:
    """The verdict on two folders of rows that the caller named. Raises AuditError when one of them is no leg."""
    chosen = _chosen(policy)
    pair = requests.on_legs(legs_given, (chosen or load()).policy, request_file, scope)
    return Verdicts([judge(pair.run_dir, pair.request, chosen, Manner(alone=pair.alone))], as_list=False)


def _chosen(policy: str | Path | None) -> Loaded | None:
    """The caller's policy, read once; None leaves the choice to each request."""
    return None if policy is None else policies.choose(policy)


def directory(path: Path) -> Path:
    """The absolute path of a run. Raises AuditError when there is no such directory."""
    run_dir = Path(path).absolute()
    if not run_dir.is_dir():
        raise AuditError("run_missing", f"{files.plain(path)!r}: no such directory.", "Name a run directory.")
    return run_dir


class _Read(NamedTuple):
    """Intake of one request."""

    legs: dict[str, Leg]
    noise: list[Leg]
    parts: list[Leg]
    off: Leg | None
    damage: list[Damage]
    problems: list[str]
    ledger: seal.Ledger
    places: Places
    left_out: tuple[str, ...] = ()
    """Rows of other loads."""


Shelf = dict[tuple[Path, str], tuple[Launch, list[Damage]]]
"""Directory and digest of the policy -> what was read there. Only A/A sets are kept: they serve many requests."""


class Manner(NamedTuple):
    """How one audit is made."""

    remarks: Sequence[str] = ()
    """Sentences for the verdict's note."""
    store: Store | None = None
    """Stands in for the usual store, to hear what it is asked."""
    second_reader: Judge | None = None
    """Is asked after the gates, and can only lower."""
    alone: bool = False
    """True: nothing but the two legs is read, whatever lies beside them."""
    shelf: Shelf | None = None
    """Launches of A/A sets that were read for an earlier request of the same run."""


PLAIN = Manner()


def judge(run_dir: Path, request: AuditRequest, given: Loaded | None = None, manner: Manner = PLAIN) -> Verdict:
    """One audit: intake, questions, gates, decision."""
    loaded = given or policies.choose(None, request.policy)
    policy = loaded.policy
    read = _read(run_dir, request, loaded, manner)
    evidence = _evidence(request, policy, read, manner.store)
    found, judged = _judge(evidence)
    kept = readings.NONE if manner.alone else readings.read(run_dir, request.short_name or request.scope, policy.limits)
    if judged and manner.second_reader is not None:
        found = opinions.lower(found, evidence, manner.second_reader, run_dir)
    if judged and kept != readings.NONE:
        found = _read_again(found, kept, evidence, run_dir)
    measured = _effect(evidence) if judged else Effect(rule="none", alpha=request.alpha)
    notes = list(manner.remarks)
    if read.left_out:
        shown = ", ".join(read.left_out[: policy.limits.shown])
        more = f" and {len(read.left_out) - policy.limits.shown} more" if len(read.left_out) > policy.limits.shown else ""
        notes.append(f"Rows of other loads were left out: {shown}{more}.")
    if not judged:
        notes.append("The gates were not asked: the evidence under them is damaged or the legs are unknown.")
    notes += [f"UNSIGNED: a second reader was wanted and could not be asked ({words})." for words in dict.fromkeys(kept.degraded)]
    result = verdict.build(evidence, found, measured, notes, loaded)
    signed = result.signed_off and not kept.degraded
    return replace(result, signed_off=signed, input_digest=_digest(request, evidence, read.ledger, kept))


def _read_again(found: list[Finding], kept: readings.Kept, evidence: Evidence, run_dir: Path) -> list[Finding]:
    """The findings, and what a second reader said of them during the campaign."""
    damage = [Finding(gate=opinions.GATE, status="fail", situation="damaged", ids=list(item.ids), reason=item.what,
                      next_step="Restore the file from a copy.", evidence=[item.source]) for item in kept.damage]  # fmt: skip
    if decide(found).verdict == "FAIL":
        return [*found, *damage]
    return opinions.apply([*found, *damage], kept.opinions, opinions.Shelf(run_dir, evidence), evidence.policy.judge)


def questions(path: Path, name: str) -> list[opinions.Question]:
    """What a second reader is asked about the request of that short name; nothing about a FAIL. Raises AuditError."""
    run_dir = directory(path)
    commission = requests.read(run_dir, load().policy, None, None)
    request = next((item for item in commission.requests if (item.short_name or item.scope) == name), None)
    if request is None:
        raise AuditError("request_missing", f"no request is called {name!r}.", "See audit_request.json.")
    loaded = policies.choose(None, request.policy)
    evidence = _evidence(request, loaded.policy, _read(run_dir, request, loaded))
    found, judged = _judge(evidence)
    if not judged or decide(found).verdict == "FAIL":
        return []
    return opinions.questions(evidence, found, opinions.Shelf(run_dir, evidence))


def _read(run_dir: Path, request: AuditRequest, loaded: Loaded, manner: Manner = PLAIN) -> _Read:
    policy, alone = loaded.policy, manner.alone
    asked_for = files.inside(run_dir, request.eval_dir or ".", "eval_dir")
    other = None if request.cand_dir is None else files.inside(run_dir, request.cand_dir, "cand_dir")
    if request.scope in ("profile", "harness"):
        missing = [] if asked_for.is_dir() else [f"{request.eval_dir!r}: no such directory"]
        return _Read({}, [], [], None, [], missing, seal.Ledger(False, {}, [], []), Places(run_dir, asked_for, other, {}))
    found = legs.find(run_dir, request, policy)
    beside = {} if alone else found.dirs
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
            noise.append(_leg(run_dir, place, f"noise{len(noise)}", policy, damage, (manner.shelf, loaded.digest)))
    parts = [_leg(run_dir, place, role, policy, damage) for role, place in legs.parts(beside).items()]
    third = overlays.third_leg(beside)
    off = None if third is None else _leg(run_dir, third, overlays.OFF, policy, damage)
    everything = [*sides.values(), *noise, *parts, *([off] if off else [])]
    asked = [request.cand_dir, request.eval_dir] if problems else []
    folders = [leg.dir for leg in everything] + [name.strip("/") for name in asked if name and name != "."]
    ledger = seal.Ledger(False, {}, [], []) if alone else seal.read_ledger(run_dir, folders, policy)
    damage += ledger.damage + seal.gone(run_dir, ledger)
    for leg in everything:
        for launch in leg.launches:
            if leg.own or launch.id in ledger.sealed:
                damage += seal.check_launch(run_dir, launch, ledger, policy)
    damage += _mixed(sides)
    problems += _unmeasured(run_dir, sides)
    left_out: tuple[str, ...] = ()
    if not problems:
        swept = sweep.common(sides)
        sides = swept.legs
        problems += swept.problems
        left_out = swept.left_out
    return _Read(
        sides, noise, parts, off, damage, problems, ledger, Places(run_dir, asked_for, other, found.dirs, alone), left_out
    )


def _leg(
    run_dir: Path, place: Path, role: str, policy: Policy, damage: list[Damage], kept: tuple[Shelf | None, str] = (None, "")
) -> Leg:
    """One leg; what is damaged in it is added to ``damage``. ``kept``: a shelf, and the policy's digest to look there by."""
    where = legs.launch_dirs(place, policy)
    launches = []
    for directory in where.launches or ([place] if legs.remains(place, policy) else []):
        reader = Reader(run_dir, directory, policy)
        if not files.leads_inside(run_dir, directory):
            damage.append(Damage(Source(reader.id), "leads out of the run directory", ("R18",)))
            continue
        launch, hurt = _launch(reader, directory, *kept)
        launches.append(launch)
        damage += hurt
    return Leg(role, files.plain(place.relative_to(run_dir).as_posix()), tuple(launches), where.numbered)


def _launch(reader: Reader, directory: Path, shelf: Shelf | None, digest: str) -> tuple[Launch, list[Damage]]:
    """A launch and what is damaged in it, from the shelf where it stands there."""
    if shelf is None:
        return reader.read(), reader.damage
    if (directory, digest) not in shelf:
        shelf[directory, digest] = reader.read(), reader.damage
    return shelf[directory, digest]


def _unmeasured(run_dir: Path, sides: dict[str, Leg]) -> list[str]:
    """Launch folders that were prepared and hold nothing at all yet."""
    launches = [launch for leg in sides.values() for launch in leg.launches]
    if not launches or any(files.entries(run_dir / launch.id) for launch in launches):
        return []
    return [f"{seal_gate.EMPTY} in the {len(launches)} launch folders of {' and '.join(leg.dir for leg in sides.values())}"]


def _mixed(sides: dict[str, Leg]) -> list[Damage]:
    """Rows of two stopwatches side by side: no comparison."""
    launches = [launch for leg in sides.values() for launch in leg.launches]
    strange = next((launch for launch in launches if not launch.own), None)
    if strange is not None and any(launch.own for launch in launches):
        return [Damage(Source(strange.id), "has no mark of the stopwatch that measured the other launches", ("R10", "R18"))]
    rows = [row for launch in launches for row in launch.rows]
    other = next((row for row in rows if row.dialect != rows[0].dialect), None)
    if other is None:
        return []
    words = (
        f"a row of {CLIENTS[other.dialect]}, and {rows[0].source.file}:{rows[0].source.line} is one of {CLIENTS[rows[0].dialect]}"
    )
    return [Damage(other.source, words, ("R10", "R18"))]


def _evidence(request: AuditRequest, policy: Policy, read: _Read, given: Store | None = None) -> Evidence:
    from audit.intake.store import Store

    everything = [*read.legs.values(), *read.noise, *read.parts, *([read.off] if read.off else [])]
    with given or Store() as store:
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
        off=read.off,
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
    if places.alone:
        return _Beside(claims.Claims(), probes.Probes(), overlays.Overlays(), benches.Benches(), profiles.Profiles())
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
        found += [replace(item, required=required and (item.required or evidence.policy.strict)) for item in answers]
    return found


def _required(name: str, evidence: Evidence) -> bool:
    """The policy's word on a gate, for this evidence."""
    rule = evidence.policy.scopes[evidence.request.scope][name]
    if rule == "declared":
        return evidence.own or evidence.request.change is not None or bool(evidence.request.accepted)
    if rule == "probed":
        return evidence.own or evidence.probes.asked
    return rule == "always" or (rule == "own" and evidence.own)


def _effect(evidence: Evidence) -> Effect:
    """The gain for the verdict; a crash leaves it empty, and the gate that needs it says so."""
    try:
        return effect.measure(evidence)
    except Exception:  # noqa: BLE001 - same edge: real_delta computes the same figures and reports the exception
        return Effect(rule="none", alpha=evidence.request.alpha)


def _digest(request: AuditRequest, evidence: Evidence, ledger: seal.Ledger, kept: readings.Kept) -> str:
    """sha256 over the request, every file read and the ledger lines used."""
    facts = {"request": msgspec.to_builtins(request), "files": dict(evidence.sources), "ledger": ledger.digests}
    facts |= {} if kept.digest is None else {"readings": kept.digest}
    return hashlib.sha256(canonical_json(facts).encode()).hexdigest()
