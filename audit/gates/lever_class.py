"""Lever class from the measured difference: A makes an operation faster, B is serving. A producer's label is no evidence."""

from __future__ import annotations

from typing import Literal, NamedTuple

from audit.contract import Finding, Source
from audit.evidence import Evidence
from audit.gates import changes, same_conditions, shares

GATE = "lever_class"
Class = Literal["A", "B", "mixed", "indeterminate", "n/a"]


class Levers(NamedTuple):
    """Class of the whole change, each setting and source line with its own, and what each part brings where legs tell."""

    kind: Class
    evidence: list[str]
    parts: list[str]


class _Cited(NamedTuple):
    """One thing that tells a class, with its place."""

    kind: Literal["A", "B"]
    what: str
    source: Source


def _cited(ev: Evidence) -> list[_Cited]:
    """Settings that differ and are declared (or taken as the lever), and what the overlay's source does."""
    found: dict[str, _Cited] = {}
    for item in changes.differences(ev):
        if item.because not in ("declared", "confound") or item.root.startswith(changes.WORKLOAD) or item.root in found:
            continue
        if item.because == "confound" and changes.declared(ev).known:
            continue
        row = item.row
        what = f"{item.root} {row.ref or 'absent'} -> {row.cand or 'absent'}"
        place = ev.source(row.cand_file or row.ref_file, row.cand_line or row.ref_line)
        found[item.root] = _Cited(ev.policy.levers.class_of(item.root), what, place)
    cited = [found[root] for root in sorted(found)]
    if not cited:
        cited = _vouched(ev)
    for trait in ev.overlays.traits:
        kind = ev.policy.levers.traits.get(trait.kind)
        if kind is not None:
            cited.append(_Cited(kind, f"{trait.kind.replace('_', ' ')} {trait.detail!r}", trait.source))
    return cited


def _vouched(ev: Evidence) -> list[_Cited]:
    """Where no settings are recorded at all, the declared flags are what is left to read a class from."""
    recorded = any(row.config or launch.server for leg in ev.legs.values() for launch, row in leg.rows)
    if recorded or any(launch.log and launch.log.config for leg in ev.legs.values() for launch in leg.launches):
        return []
    wanted = changes.declared(ev)
    roots = sorted({ev.policy.keys.root(key) for key in wanted.values} | wanted.named)
    place = Source("audit_request.json")
    return [
        _Cited(ev.policy.levers.class_of(root), f"{root}={wanted.values.get(root, '?')}, on the request's word", place)
        for root in roots
    ]


def classify(ev: Evidence) -> Levers:
    """The class, from the diff between the legs and from overlay sources, each cited with its place."""
    cited = _cited(ev)
    evidence = [f"{item.kind}: {item.what} ({item.source.file}:{item.source.line or '?'})" for item in cited]
    kinds = {item.kind for item in cited}
    kind: Class = "indeterminate" if not kinds else "mixed" if len(kinds) > 1 else next(iter(kinds))
    parts = [share.words for share in shares.measured(ev)]
    if kind == "mixed" and not parts:
        parts = [f"{item.kind}: {item.what}: share not measured" for item in cited]
    return Levers(kind, evidence, parts)


def called_kernel(ev: Evidence) -> bool:
    """True when the commission's words sell the change as a kernel."""
    said = [ev.request.what, *(change.lever for change in (ev.request.change, *ev.request.accepted) if change)]
    words = " ".join(item for item in said if item).lower()
    for denial in ev.policy.levers.kernel_denials:
        words = words.replace(denial, "")
    return any(word in words for word in ev.policy.levers.kernel_words)


def check(ev: Evidence) -> list[Finding]:
    """Flag a serving lever that is sold as a kernel; a gain whose cause nothing shows is credited to nothing."""
    levers = classify(ev)
    if levers.kind == "indeterminate":
        blind = bool(same_conditions.unrecorded(ev))
        return [
            Finding(
                gate=GATE,
                status="unknown" if blind else "fail",
                situation=None if blind else "not_comparable",
                ids=["A11", "A05"],
                reason="no class: no setting and no source that differs between the legs tells what was changed",
                next_step="Declare the change in the request, with the settings or files that it touches.",
            )
        ]
    shown = "; ".join(levers.evidence)
    sources = [item.source for item in _cited(ev)]
    separated = bool(shares.measured(ev))
    if called_kernel(ev) and levers.kind != "A":
        return [_not_a_kernel(levers, shown, sources, separated=separated)]
    tail = "; the parts cannot be separated without legs of their own" if levers.kind == "mixed" and not separated else ""
    return [Finding(gate=GATE, status="ok", ids=["A01"], reason=f"class {shown}{tail}", sql=["config_between"], evidence=sources)]


def _not_a_kernel(levers: Levers, shown: str, sources: list[Source], *, separated: bool) -> Finding:
    words, step = "claimed as a kernel gain, but the legs differ in serving settings", "Quote it as a serving gain."
    if levers.kind == "mixed":
        words = "claimed as a kernel gain, but serving settings differ too" + ("" if separated else " and no leg separates them")
        step = "Quote each part's own share." if separated else "Measure each part in a leg of its own (without_<part>/)."
    return Finding(
        gate=GATE,
        status="flag",
        situation="downgrade",
        ids=["A01"],
        reason=f"{words} ({shown})",
        next_step=step,
        sql=["config_between"],
        evidence=sources,
    )
