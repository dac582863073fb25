"""Did an overlay's code run, and did it make the gain? The third leg proves it; lines in a log can only refute it."""

from __future__ import annotations

import math
import re

from msgspec.structs import replace

from audit.contract import Finding, Source
from audit.evidence import Evidence
from audit.gates import recorded, third_leg
from audit.gates.third_leg import LEG, finding, settings, worn
from audit.intake.logs import LogEvent
from audit.intake.model import Launch

BIND = "Have the overlay print one line on every worker when it binds, and keep the server's log beside the rows."


def check(ev: Evidence) -> list[Finding]:
    """Files that do something, then what the logs say against it, then the third leg, then what the logs say for it."""
    bad = _files(ev) + recorded.check(ev) + _refuted(ev)
    if bad:
        return bad
    if ev.off is not None:
        return [third_leg.check(ev)]
    if (left_out := _left_out(ev)) is not None:
        return [left_out]
    found = _testimony(ev)
    return [replace(found, required=_declared(ev) or ev.own)]


def _left_out(ev: Evidence) -> Finding | None:
    """In a bundle, the legs without each overlay; None where one of them was not measured."""
    parts = [change.lever for change in ev.request.accepted if change.overlay]
    legs = [leg for leg in ev.parts if leg.role in {f"without:{name}" for name in parts}]
    if ev.request.scope != "bundle" or not parts or len(legs) < len(set(parts)):
        return None
    places = ", ".join(leg.dir for leg in legs)
    reason = f"what {', '.join(str(name) for name in parts)} brings is measured by leaving it out ({places})"
    return finding("ok", ["E01", "E12"], reason, "", [row.source for leg in legs for _, row in leg.rows[:1]])


def _declared(ev: Evidence) -> bool:
    """False for files that merely lie with the candidate: nobody said that the gain is theirs."""
    return any(change.overlay for change in (ev.request.change, *ev.request.accepted) if change)


def names(ev: Evidence) -> list[str]:
    """The overlay's files, for words."""
    declared = [path for change in (ev.request.change, *ev.request.accepted) if change for path in change.overlay]
    return declared or [path for path, _ in ev.overlays.files]


def _files(ev: Evidence) -> list[Finding]:
    """Files that are missing or unreadable, or an overlay without a line that does anything."""
    if ev.overlays.missing:
        reason = f"overlay files cannot be read: {'; '.join(ev.overlays.missing[: ev.policy.limits.shown])}"
        return [finding("unknown", ["E14"], reason, "Put the overlay's files where the request says.", [])]
    paths = [path for path, _ in ev.overlays.files]
    if paths and set(paths) == set(ev.overlays.empty):
        reason = f"empty patch: no line of {', '.join(paths[: ev.policy.limits.shown])} does anything"
        step = "Take the change out of the list: a gain beside an empty patch is not its gain."
        return [finding("fail", ["A13"], reason, step, [ev.source(path) for path in paths])]
    return []


def _events(launch: Launch, kind: str) -> list[LogEvent]:
    return [event for event in launch.log.events if event.kind == kind] if launch.log else []


def _place(ev: Evidence, launch: Launch, event: LogEvent) -> Source:
    return ev.source(launch.log.file if launch.log else None, event.line)


def _refuted(ev: Evidence) -> list[Finding]:
    """What logs say against it: bound in the reference, import failed, fallback after it bound, no call, a worker left out."""
    found: list[Finding] = []
    own = {worn(event.text) for launch in ev.legs["cand"].launches for event in _events(launch, "bind")}
    theirs = {worn(event.text) for launch in ev.legs["ref"].launches for event in _events(launch, "bind")}
    for launch in ev.legs["ref"].launches if not own - theirs else ():
        for event in _events(launch, "bind")[:1]:
            source = _place(ev, launch, event)
            reason = f"the overlay is bound in the reference too ({source.file}:{source.line}): {event.text!r}"
            found.append(finding("fail", ["H01", "C16"], reason, "Measure the reference without the overlay.", [source]))
    usual = {worn(event.text) for launch in ev.legs["ref"].launches if launch.log for event in launch.log.events}
    for launch in ev.legs["cand"].launches:
        if launch.log is not None and launch not in ev.legs["cand"].failed:
            found += _against(ev, launch, usual) or _workers(ev, launch)
    return found[: ev.policy.limits.shown]


def _against(ev: Evidence, launch: Launch, usual: set[str]) -> list[Finding]:
    binds = _events(launch, "bind")
    first = binds[0].line if binds else 0
    found = []
    for kind, ids, words in (
        ("import_error", ["E15", "E14"], "an import failed"),
        ("fallback", ["E10", "E05"], "the server fell back to something else"),
    ):
        for event in _events(launch, kind):
            if event.line > first and (binds or kind == "import_error") and worn(event.text) not in usual:
                source = _place(ev, launch, event)
                reason = f"{source.file}:{source.line}: {words}{' after the overlay was bound' if binds else ''}: {event.text!r}"
                found.append(
                    finding("fail", ids, reason, "See that the overlay loads and stays bound, then measure again.", [source])
                )
    counts = [(int(match[1]), event) for event in binds if (match := re.search(ev.policy.overlays.counter, event.text))]
    if counts and max(count for count, _ in counts) == 0:
        source = _place(ev, launch, counts[-1][1])
        reason = f"{source.file}:{source.line}: the overlay counts no call of its code: {counts[-1][1].text!r}"
        found.append(finding("fail", ["E01"], reason, "Bind it where the live path calls, then measure again.", [source]))
    return found


def _workers(ev: Evidence, launch: Launch) -> list[Finding]:
    """Some workers say that they bound it and others do not."""
    binds = _events(launch, "bind")
    count = workers(ev, launch)
    ranks = {found for event in binds for found in re.findall(ev.policy.overlays.rank, event.text)}
    if not ranks or count is None or len(ranks) >= count:
        return []
    source = _place(ev, launch, binds[0])
    reason = f"{source.file}:{source.line}: {len(ranks)} of {count} workers bound the overlay ({', '.join(sorted(ranks))})"
    return [finding("fail", ["E12"], reason, "Install it on every worker, then measure again.", [source])]


def workers(ev: Evidence, launch: Launch) -> int | None:
    """Workers of a server, by its own settings; None when it reports none of the sizes."""
    found = settings(launch)
    sizes = [next((found[key] for key in group if key in found), None) for group in ev.policy.overlays.worker_keys]
    known = [int(size) for size in sizes if size is not None and size.isdigit()]
    return math.prod(known) if known else None


def _testimony(ev: Evidence) -> Finding:
    """Without a third leg: our own runs stay open, foreign ones may rest on a line from every launch."""
    shown = ", ".join(names(ev)[: ev.policy.limits.shown])
    alive = [launch for launch in ev.legs["cand"].launches if launch not in ev.legs["cand"].failed]
    silent = [launch for launch in alive if not _events(launch, "bind")]
    if not alive:
        return finding("unknown", ["E01"], f"overlay {shown}: no candidate server lived to use it", LEG, [])
    if silent:
        where = f"the log {silent[0].log.file}" if silent[0].log else f"{silent[0].id}, which has no log,"
        reason = f"overlay {shown}: {where} does not say that it was bound: silence is no proof and no refutation"
        return finding("unknown", ["E01", "E05"], reason, LEG if ev.own else BIND, [])
    first = _events(alive[0], "bind")[0]
    sources = [_place(ev, launch, _events(launch, "bind")[0]) for launch in alive]
    words = f"overlay {shown}: bound in every candidate launch ({sources[0].file}:{sources[0].line}: {first.text!r})"
    if ev.own:
        return finding("unknown", ["E01"], f"{words}, but that line is the candidate's own word", LEG, sources)
    return finding("ok", ["E01", "E12"], f"{words}, on the word of the log alone: no third leg was measured", "", sources)
