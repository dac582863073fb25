"""Words that claim files use of a result (accepted, complete, kept) against the figures they stand on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from audit import effect
from audit.evidence import Evidence
from audit.gates import changes, claim_rows
from audit.gates.claim_rows import Answer
from audit.intake import files
from audit.intake.claim_settings import flags, plain
from audit.intake.claims import Claim
from audit.intake.rows import ALL_METRICS

EMPTY = files.sha256(b"")
WORSE = {item.name: 1 if item.better == "lower" else -1 for item in ALL_METRICS}
LEGS = ("ref", "cand")


def word(claim: Claim) -> str:
    """A claim's value as a word."""
    return str(claim.value).strip().lower()


def beside(ev: Evidence, claim: Claim, subject: str) -> list[Claim]:
    """Claims of the same file, and of the same trial, about another subject."""
    return [
        item
        for item in ev.claims.items
        if item.subject == subject and item.source.file == claim.source.file and item.group == claim.group
    ]


def is_win(ev: Evidence, claim: Claim) -> bool:
    """True when the value says that the change was accepted."""
    return word(claim) in ev.policy.claims.accepted


def accepted(ev: Evidence, claim: Claim) -> Answer | None:
    """Accepted, against the rule it names: gain above the band, ranges apart or launches that prove it, checks passed."""
    if not is_win(ev, claim):
        return None
    failed = [item for item in beside(ev, claim, "parity") if word(item) in ev.policy.claims.failed]
    if failed:
        return Answer(False, f"{failed[0].field!r} of the same file is {failed[0].value!r}", ("R03",), (failed[0].source,))
    pair = ev.tables.pair(effect.HEADLINE)
    if pair is None or pair.delta_pct is None:
        return Answer(None, "not both legs have rows")
    band = ev.request.noise_band_pct
    rows = [claim_rows.points(ev, leg, effect.HEADLINE) for leg in LEGS]
    ends = [max(rows[0], key=lambda point: point.value), min(rows[1], key=lambda point: point.value)]
    places = tuple(point.source for point in ends)
    if pair.delta_pct <= band:
        ids = ("A14", "R03") if pair.delta_pct <= 0 else ("R03",)
        return Answer(False, f"{pair.delta_pct:+.3g} %, not above the band of {band:g} %", ids, places, pair.delta_pct)
    if pair.non_overlapping is None:
        return Answer(None, "fewer than two repeats a side show no overlap")
    if not pair.non_overlapping and not _proven(ev):
        shown = [f"{point.value:.7g} tok/s ({claim_rows.where(point.source)})" for point in ends]
        return Answer(False, f"the legs overlap: best reference {shown[0]}, worst candidate {shown[1]}", ("R03",), places)
    return Answer(True)


def _proven(ev: Evidence) -> bool:
    found = effect.measure(ev)
    return found.rule == "launches" and (found.lower_pct or 0.0) > 0


def status(ev: Evidence, claim: Claim) -> Answer | None:
    """Complete, against rounds that were asked for and servers that failed. Silent where neither is known."""
    if word(claim) not in ev.policy.claims.complete:
        return None
    for leg in [claim.leg] if claim.leg else [role for role in LEGS if role in ev.legs]:
        broken = [launch for launch in ev.legs[leg].failed if claim.launch in (None, launch.id)]
        if broken:
            return Answer(False, f"the server failed in {broken[0].id}", ("R14",), (broken[0].source("server.json"),))
    asked = [value for item in beside(ev, claim, "requested") if (value := claim_rows.number(item.value)) is not None]
    found = claim_rows.points(ev, claim.leg, effect.HEADLINE, claim.launch) if claim.leg else []
    if not asked or not claim.leg:
        return None
    lengths = [len(view) for view in claim_rows.views(ev.legs.get(claim.leg), found)] or [0]
    if min(asked) > max(lengths):
        last = (found[-1].source,) if found else ()
        raw = f"{max(lengths)} timed repeats in leg {claim.leg}, of {asked[0]:g} asked for"
        return Answer(False, raw + "".join(f" (the last at {claim_rows.where(place)})" for place in last), ("R14",), last)
    return Answer(True)


def disjoint(ev: Evidence, claim: Claim) -> Answer:
    """Ranges said to be apart."""
    pair = ev.tables.pair(claim_rows.basis(ev, claim, "cand"))
    if pair is None or pair.non_overlapping is None or word(claim) not in ("true", "false"):
        return Answer(None, "fewer than two repeats a side")
    found = pair.non_overlapping and (pair.delta_pct or 0.0) > 0
    return Answer(True) if found == (word(claim) == "true") else Answer(False, f"{str(found).lower()}", ("R02",))


def regressed(ev: Evidence, claim: Claim) -> Answer | None:
    """A co-metric said not to be worse."""
    pair = ev.tables.pair(claim.metric)
    if word(claim) != "false":
        return None
    if pair is None or pair.delta_pct is None:
        return Answer(None, f"no row holds {claim.metric}")
    worse = pair.delta_pct * WORSE[claim.metric]
    if worse <= ev.policy.headline.flag_pct:
        return Answer(True)
    places = tuple(point.source for leg in LEGS for point in claim_rows.points(ev, leg, claim.metric)[:1])
    shown = ", ".join(claim_rows.where(place) for place in places)
    return Answer(False, f"{claim.metric} is {worse:.3g} % worse ({shown})", ("R08",), places, worse)


def quoted(claim: Claim) -> Answer | None:
    """A line quoted from a log, which has to stand in it."""
    found = claim.quote
    if found is None:
        return None
    ids = () if found.holds else ("R20",)
    return Answer(found.holds, found.raw, ids, () if found.log is None else (found.log,))


def bases(ev: Evidence, claim: Claim) -> Answer | None:
    """The basis of one leg's figures against that of the other leg's."""
    if claim.about != "leg" or claim.leg != "cand":
        return None
    ref = [item for item in ev.claims.items if item.subject == "basis" and item.about == "leg" and item.leg == "ref"]
    if not ref or any(word(item) == word(claim) for item in ref):
        return Answer(True) if ref else None
    return Answer(False, f"{str(ref[0].value)!r} in the reference's summary ({ref[0].source.file})", ("R06",), (ref[0].source,))


def credited(ev: Evidence, items: Sequence[Claim], said: Sequence[Claim]) -> Answer | None:
    """What a win was credited to: ``items`` are the accepted things of one file, ``said`` its other claims."""
    for claim in items:
        if isinstance(claim.value, str) and claim.value:
            path = claim.value.replace("\\", "/").lstrip("./")
            same = [name for name in ev.sources if name == path or name.endswith(f"/{path}") or path.endswith(f"/{name}")]
            if same and all(ev.sources[name] == EMPTY or name in ev.overlays.empty for name in same):
                return Answer(False, f"{same[0]} does nothing: it is empty", ("A13",), (ev.source(same[0]),))
    named = sum(
        1 if isinstance(claim.value, str) and claim.value else int(claim_rows.number(claim.value) or 0) for claim in items
    )
    wins = [claim.field for claim in said if claim.subject == "accepted" and is_win(ev, claim)] + [
        claim.field for claim in said if claim.subject in PERCENT and _gain(claim) > ev.request.noise_band_pct
    ]
    if named or not wins:
        return None
    return Answer(
        False, f"nothing was accepted, yet {wins[0]!r} claims a win: it is credited to nothing", ("A05",), (items[0].source,)
    )


PERCENT = ("gain_pct", "gain_vs_baseline_pct", "speedup", "speedup_vs_baseline")


def _gain(claim: Claim) -> float:
    value = claim_rows.number(claim.value)
    if value is None:
        return 0.0
    return value if claim.subject.endswith("_pct") else 100 * (value - 1)


def mine(ev: Evidence, trials: Mapping[str, Sequence[Claim]]) -> list[str]:
    """The trials of a sweep that speak of this request: by name, else by the flags they set."""
    legs = [leg.dir for leg in ev.legs.values() if leg.role == "cand"]
    folders = [ev.request.cand_dir or "", *legs, *(leg.rpartition("/")[0] for leg in legs)]
    names = {_same_name(text.rstrip("/").rpartition("/")[2]) for text in folders} | {_same_name(ev.request.short_name or "")}
    names -= {"", *ev.policy.claims.legs}
    found = [
        group for group, claims in trials.items() if names & {_same_name(str(c.value)) for c in claims if c.subject == "trial"}
    ]
    wanted = {key: value for key, value in changes.declared(ev).values.items() if not key.startswith("env.")}
    if found or not wanted:
        return found
    return [group for group, claims in trials.items() if any(_sets(ev, claim, wanted) for claim in claims)]


def _same_name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _sets(ev: Evidence, claim: Claim, wanted: Mapping[str, str]) -> bool:
    """True for a trial whose change is, flag by flag, the declared one."""
    if claim.subject != "change":
        return False
    given = {ev.policy.keys.flag(plain(key)): changes.text(value) for key, value in flags(str(claim.value))}
    return given.keys() == wanted.keys() and all(changes.same_value(given[key], wanted[key]) for key in given)


def trials(ev: Evidence, groups: Mapping[str, Sequence[Claim]], ours: Sequence[str]) -> list[tuple[Claim, Answer]]:
    """What a sweep says of its trials, against itself: kept without a gain, one win under two names."""
    found: list[tuple[Claim, Answer]] = []
    kept: dict[tuple[float, float], Claim] = {}
    for group, claims in groups.items():
        say = {claim.subject: claim for claim in claims}
        if "accepted" not in say or not is_win(ev, say["accepted"]):
            continue
        here, whole = group in ours, ev.request.scope == "bundle"
        gain = claim_rows.number(say["gain_vs_baseline_pct"].value) if "gain_vs_baseline_pct" in say else None
        level = claim_rows.number(say["median"].value) if "median" in say else None
        if gain is not None and gain <= 0 and (here or whole):
            found.append((say["accepted"], Answer(False, f"its own gain is {gain:+g} %", ("A14",), (say["accepted"].source,))))
        if gain is None or level is None:
            continue
        twin = kept.setdefault((gain, level), say["accepted"])
        if twin.group != group and (whole or here or twin.group in ours):
            raw = f"{twin.group} has the same {level:g} tok/s and {gain:+g} %: one win under two names"
            found.append((say["accepted"], Answer(False, raw, ("A06",), (twin.source,))))
    return found


def unreported(ev: Evidence, groups: Mapping[str, Sequence[Claim]]) -> list[str]:
    """Folders with rows beside a sweep that it does not mention; only where its trials are named like folders at all."""
    named = {_same_name(str(claim.value)) for claims in groups.values() for claim in claims if claim.subject == "trial"}
    folders = {name: _same_name(name) for name in ev.claims.tried}
    if not named & set(folders.values()):
        return []
    return [name for name, plain_name in folders.items() if plain_name not in named]
