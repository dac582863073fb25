"""The third leg: an overlay installed with its rebinding switched off tells its code from its presence."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from audit import effect, stats
from audit.contract import Figure, Finding, Source
from audit.evidence import Evidence
from audit.gates.changes import same_value
from audit.intake.model import Launch
from audit.intake.overlays import OFF
from audit.intake.rows import flatten

GATE = "engagement"
LEG = "Measure a third leg, off/ beside ref/ and cand/, with the overlay installed and its rebinding switched off."


class Gap(NamedTuple):
    """One leg over another, percent: estimate, and bounds where launches carry them."""

    estimate: float
    lower: float | None
    upper: float | None


def finding(status: str, ids: list[str], reason: str, step: str, evidence: list[Source]) -> Finding:
    return Finding(
        gate=GATE,
        status="fail" if status == "fail" else "flag" if status == "flag" else "ok" if status == "ok" else "unknown",
        situation="not_comparable" if status == "fail" else "flagged" if status == "flag" else None,
        ids=ids,
        reason=reason,
        next_step=step,
        evidence=evidence,
    )


def settings(launch: Launch) -> dict[str, str]:
    """Effective settings of a launch, JSON text by key; those of its log where nothing else records them."""
    if launch.server is not None:
        return flatten(json.dumps(dict(launch.server.effective)))
    recorded = flatten(next((row.config for row in launch.rows if row.config), None) or "{}")
    logged = {item.key: item.value for item in launch.log.config} if launch.log else {}
    return logged | recorded


def _gap(ev: Evidence, one: str, other: str) -> Gap | None:
    """``other`` over ``one`` in output throughput, percent."""
    base, more = ([row.median for row in ev.tables.medians(role)] for role in (one, other))
    if not base or not more:
        return None
    estimate = stats.pct(_mean_log(more) - _mean_log(base))
    groups = [[row.median for row in ev.tables.medians(role)] for role in ("ref", "cand", OFF, *(leg.role for leg in ev.noise))]
    pooled = stats.pool(groups)
    known = all(leg.launches_known for leg in [*ev.legs.values(), *([ev.off] if ev.off else [])])
    if not known or pooled is None or pooled.sd <= 0 or min(len(base), len(more)) < ev.policy.delta.min_launches:
        return Gap(estimate, None, None)
    found = stats.gain(base, more, pooled, ev.request.alpha)
    return Gap(estimate, stats.pct(found.lower), stats.pct(found.upper))


def _mean_log(values: list[float]) -> float:
    return math.fsum(math.log(value) for value in values) / len(values)


def _beats(ev: Evidence, one: str, other: str, gap: Gap) -> bool:
    """``other`` is shown to be faster than ``one`` by more than the band."""
    band = ev.request.noise_band_pct
    if gap.lower is not None:
        return gap.lower > 0 and gap.estimate > band
    slow, fast = (ev.tables.metric(role, effect.HEADLINE) for role in (one, other))
    return slow is not None and fast is not None and gap.estimate > band and fast.low > slow.high


def check(ev: Evidence) -> Finding:
    """The candidate against its own overlay switched off, and that against the reference."""
    from msgspec.structs import replace

    off = ev.off
    gain, rest, whole = (_gap(ev, *pair) for pair in ((OFF, "cand"), ("ref", OFF), ("ref", "cand")))
    if off is None or gain is None or rest is None or whole is None:
        return finding("unknown", ["E01"], "the third leg (overlay off) has no rows", LEG, [])
    places = [row.source for _, row in off.rows[:1]]
    strange = next(_other_settings(ev), None)
    logs = [launch.log for launch in off.launches if launch.log]
    usual = {worn(event.text) for launch in ev.legs["ref"].launches if launch.log for event in launch.log.events}
    lines = [(log.file, event) for log in logs for event in log.events if event.kind == "bind" and worn(event.text) not in usual]
    bound = Source(lines[0][0], None, lines[0][1].line) if lines else None
    figures = {
        "cand_over_off": Figure(stats.significant(gain.estimate), "%"),
        "off_over_ref": Figure(stats.significant(rest.estimate), "%"),
    }
    words = f"cand runs {_shown(gain)} against {off.dir} (overlay off), which runs {_shown(rest)} against ref"
    if strange is not None or bound is not None:
        why = f"its {strange}" if strange is not None else f"{bound.file}:{bound.line} says that it was bound" if bound else ""
        found = finding("unknown", ["E01"], f"the third leg proves nothing: {why}", LEG, places)
    elif _beats(ev, OFF, "cand", gain):
        if _beats(ev, "ref", OFF, rest):
            reason = f"{words}: part of the gain is there without the overlay's code"
            found = finding("flag", ["A02", "E01"], reason, "Credit the overlay with its own part only.", places)
        else:
            found = finding("ok", ["E01", "E12"], f"{words}: the overlay's code makes the gain", "", places)
    elif _beats(ev, "ref", OFF, rest) or (gain.upper is not None and gain.upper < ev.request.noise_band_pct):
        reason = f"{words}: with the overlay's code switched off it is as fast, so that code is not what gained"
        found = finding("fail", ["E01", "A02"], reason, "Find what else moved between ref and cand.", places)
    else:
        found = finding("unknown", ["E01"], f"{words}: too close to tell what the overlay's code brings", LEG, places)
    return replace(found, figures=figures, sql=["launch_medians", "leg_metrics"])


def worn(text: str) -> str:
    """A line without its numbers: the same message at another time or from another process."""
    return re.sub(r"\d+", "", text)


def _shown(gap: Gap) -> str:
    bounds = "" if gap.lower is None or gap.upper is None else f" [{gap.lower:+.2f}, {gap.upper:+.2f}]"
    return f"{gap.estimate:+.2f} %{bounds}"


def _other_settings(ev: Evidence) -> Iterator[str]:
    """Settings of the third leg that are neither the candidate's nor the reference's: it compares with nothing."""
    off = ev.off
    sides = [settings(launch) for role in ("ref", "cand") for launch in ev.legs[role].launches[:1]]
    for launch in off.launches if off else ():
        for key, value in sorted(settings(launch).items()):
            known = [side[key] for side in sides if key in side]
            if not ev.policy.keys.is_volatile(key) and known and not any(same_value(value, item) for item in known):
                yield f"{key} is {value} in {launch.id}, {' and '.join(sorted(set(known)))} elsewhere"
