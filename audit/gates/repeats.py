"""Gate 3, second half: does the gain hang on a faulted, early or missing repeat, a coarse clock, two modes, a borrowed band?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from audit import effect, rules, stats
from audit.contract import Figure, Finding, Situation
from audit.evidence import Evidence, LegRow
from audit.intake.model import Launch, Row

GATE = "real_delta"


def check(ev: Evidence) -> list[Finding]:
    """Doubts about the repeats behind a gain; nothing where there is no gain to doubt."""
    rows = {role: [row for row in ev.tables.leg_rows if row.leg == role] for role in ("ref", "cand")}
    pair = ev.tables.pair(effect.HEADLINE)
    gain = pair.delta_pct if pair is not None else None
    if gain is None or gain <= 0 or min(len(found) for found in rows.values()) < 2:
        return []
    found = [
        *(_faulted(ev, rows, gain) or _wide(ev, rows, gain)),
        *_early(ev, rows, gain),
        *_missing(ev, rows, gain),
        *_modes(ev, rows),
    ]
    return [*found, *_coarse(ev), *_band(ev, gain)]


def flag(ids: list[str], reason: str, step: str, rows: Sequence[LegRow], ev: Evidence, kind: Situation = "flagged") -> Finding:
    """A doubt as a finding, citing rows."""
    return Finding(
        gate=GATE,
        status="flag",
        situation=kind,
        ids=ids,
        reason=reason,
        next_step=step,
        sql=["leg_rows"] if rows else [],
        evidence=[ev.source(row.file, row.line) for row in rows],
    )


def _gain(ref: Sequence[LegRow], cand: Sequence[LegRow]) -> float:
    """Gain of the medians, percent."""
    return 100 * (statistics.median(row.value for row in cand) / statistics.median(row.value for row in ref) - 1)


def _kind(ev: Evidence, rows: dict[str, list[LegRow]]) -> Situation:
    """What a doubt means: a smaller gain where the rule still proves one on the rows that are left, else no gain shown yet."""
    ref, cand = (rules.leg([[row.value for row in group] for group in launches(rows[role])]) for role in ("ref", "cand"))
    terms = rules.Terms(ev.request.alpha, ev.request.noise_band_pct, ev.policy.delta.min_launches)
    left = rules.gain(ref, cand, effect.sets(ev), terms, known=effect.launches_known(ev))
    return "flagged" if left.word == "proven" else "noisy"


def _hangs(ev: Evidence, gain: float, without: float) -> bool:
    """True when so much of the gain goes that it has to be told: down into the band, or by more than the policy's share."""
    return without < gain * (1 - ev.policy.series.inflation_share) or without <= ev.request.noise_band_pct < gain


def launches(rows: Sequence[LegRow]) -> list[list[LegRow]]:
    """Rows by launch, both in their own order."""
    found: dict[str, list[LegRow]] = {}
    for row in rows:
        found.setdefault(row.launch, []).append(row)
    return list(found.values())


def _faulted(ev: Evidence, rows: dict[str, list[LegRow]], gain: float) -> list[Finding]:
    """A repeat that stands out of its leg, by throughput or by TPOT, and makes the gain larger."""
    found = []
    for role, mine in rows.items():
        others = rows["cand" if role == "ref" else "ref"]
        places = {(row.source.file, row.source.line): row for _, row in ev.legs[role].rows}
        tpot = [item.metrics.get("tpot_ms", 0.0) if (item := places.get((row.file, row.line))) else 0.0 for row in mine]
        for words, values in (("throughput", [row.value for row in mine]), ("TPOT", tpot)):
            odd = stats.outlier(values) if min(values) > 0 else None
            if odd is None or odd.p > ev.policy.series.outlier_p or abs(odd.off_pct) <= ev.request.noise_band_pct:
                continue
            kept = [row for place, row in enumerate(mine) if place != odd.place]
            without = _gain(kept, others) if role == "ref" else _gain(others, kept)
            if not _hangs(ev, gain, without):
                continue
            row = mine[odd.place]
            reason = (
                f"repeat {row.repeat} of leg {role} ({row.file}:{row.line}) is {odd.off_pct:+.1f} % off the others in {words}: "
                f"the gain is {gain:+.2f} % with it and {without:+.2f} % without"
            )
            step = "Find out what happened to that repeat and measure the whole leg again; quote the smaller gain until then."
            found.append(flag(["M12"], reason, step, [row], ev, _kind(ev, {**rows, role: kept})))
            break
    return found


def _wide(ev: Evidence, rows: dict[str, list[LegRow]], gain: float) -> list[Finding]:
    """Ranges decide, and one leg is wider than several times the gain: a median inside it can be off by as much.

    Sick repeats hide each other from a test of single ones; the width of their leg they cannot hide.
    """
    if effect.by_launches(ev):
        return []
    for role, mine in rows.items():
        wide = 100 * (max(mine, key=_value).value - min(mine, key=_value).value) / statistics.median(row.value for row in mine)
        if wide <= ev.policy.series.width_x * gain:
            continue
        far = max(mine, key=lambda row: (abs(row.value - statistics.median(item.value for item in mine)), row.file, row.line))
        reason = (
            f"the repeats of leg {role} are {wide:.3g} % apart (the farthest {far.value:.6g} tok/s, {far.file}:{far.line}): "
            f"a gain of {gain:+.2f} % is less than 1/{ev.policy.series.width_x:g} of it"
        )
        step = "Find out what happened in that leg, or measure at least three launches a side: then their scatter is weighed."
        return [flag(["M12", "M07"], reason, step, [far], ev, "noisy")]
    return []


def _value(row: LegRow) -> tuple[float, str, int]:
    return (row.value, row.file, row.line)


def _early(ev: Evidence, rows: dict[str, list[LegRow]], gain: float) -> list[Finding]:
    """First repeats that differ from the rest, or a climb inside the launches, and a gain that is smaller once they are over."""
    found = []
    for role, mine in rows.items():
        groups = launches(mine)
        values = [[row.value for row in group] for group in groups]
        settings, band = ev.policy.series, ev.request.noise_band_pct
        climb = stats.trend(values)
        alike = [stats.first_repeat(values), *([stats.first_repeat([*values, *_sets(ev)])] if role == "ref" and ev.noise else [])]
        first = next((one for one in alike if one and one.p <= settings.first_p and abs(one.shift_pct) > band), None)
        cold = first is not None
        climbs = climb is not None and climb.p <= settings.trend_p and abs(climb.change_pct) > band
        if not cold and not climbs:
            continue
        settled = {
            name: [row for group in launches(items) for row in group[_unsettled(len(group), climbs=climbs) :]]
            for name, items in rows.items()
        }
        if min(len(items) for items in settled.values()) == 0:
            continue
        without = _gain(settled["ref"], settled["cand"])
        if not _hangs(ev, gain, without):
            continue
        what = (
            f"the repeats of leg {role} move in one direction ({climb.change_pct:+.1f} % from first to last, p {climb.p:.2g})"
            if climbs and climb is not None
            else f"the first repeat of leg {role} is {first.shift_pct if first else 0:+.1f} % off the rest"
        )
        reason = f"{what}: the gain is {gain:+.2f} % over all repeats and {without:+.2f} % once both legs have settled"
        step = "Warm both legs until their repeats stop moving, then measure again; quote the smaller gain until then."
        ids, places = ["M01", "M05"] if climbs else ["M01"], [groups[0][0], groups[0][-1]]
        found.append(flag(ids, reason, step, places, ev, _kind(ev, settled)))
    return found[:1]


def _sets(ev: Evidence) -> list[list[float]]:
    """Repeats of each launch of the A/A sets: of the reference's kind, so their first repeats speak for its first repeats too."""
    return [[row.metrics[effect.HEADLINE] for row in launch.rows] for leg in ev.noise for launch in leg.launches if launch.rows]


def _unsettled(n: int, *, climbs: bool) -> int:
    """Repeats of a launch that are left out: half of a climb, else the first; never the last."""
    return min(n - 1, n // 2 if climbs else 1)


def _missing(ev: Evidence, rows: dict[str, list[LegRow]], gain: float) -> list[Finding]:
    """Legs with unequal numbers of repeats: would the gain survive if those that are not there had spoken against it?"""
    ref, cand = rows["ref"], rows["cand"]
    if len(ref) == len(cand) or ev.own:
        return []
    without = stats.gain_if_missing([row.value for row in ref], [row.value for row in cand])
    fewer = "cand" if len(cand) < len(ref) else "ref"
    words = f"{len(ref)} repeats in ref and {len(cand)} in cand"
    if without > ev.request.noise_band_pct:
        reason = f"{words}: the gain is above the band even if those that {fewer} lacks had spoken against it ({without:+.2f} %)"
        return [Finding(gate=GATE, status="ok", ids=["M11", "M27"], reason=reason, figures={"worst": Figure(without, "%")})]
    reason = f"{words}: if those that {fewer} lacks had spoken against it, the gain of {gain:+.2f} % would be {without:+.2f} %"
    step = f"Measure as many repeats of {fewer}, or show the ones that were left out."
    return [flag(["M10", "M11", "M27"], reason, step, [ref[0], cand[0]], ev)]


def _modes(ev: Evidence, rows: dict[str, list[LegRow]]) -> list[Finding]:
    """Both legs fall into the same two clusters: then the medians tell how often each was hit."""
    low, high = (stats.two_modes([row.value for row in rows[role]], ev.policy.series.modes) for role in ("ref", "cand"))
    if low is None or high is None or not (low.low < high.high and high.low < low.high):
        return []
    apart = 100 * (min(low.high, high.high) / max(low.low, high.low) - 1)
    shared = max(low.low, high.low) < min(low.high, high.high) and apart > ev.request.noise_band_pct
    if not shared:
        return []
    reason = (
        f"both legs run in two modes: ref at {low.low:.6g} ({low.n_low} repeats) and {low.high:.6g} ({low.n_high}) tok/s, "
        f"cand at {high.low:.6g} ({high.n_low}) and {high.high:.6g} ({high.n_high}): the medians tell how often each was hit"
    )
    step = "Find what switches between the modes and hold it still, then measure again."
    return [flag(["M13"], reason, step, [rows["ref"][0], rows["cand"][0]], ev, "noisy")]


def _coarse(ev: Evidence) -> list[Finding]:
    """Durations of equal work that a clock wrote in steps wider than the band."""
    for role in ("ref", "cand"):
        measured = ev.legs[role].rows
        step = clock_step(measured)
        if step is None:
            continue
        row = measured[0][1]
        pct = 100 * step / row.duration
        if pct > ev.request.noise_band_pct:
            reason = (
                f"the durations of leg {role} come in steps of {step:g} s ({row.source.file}:{row.source.line}), "
                f"{pct:.2g} % of a repeat: the clock is coarser than the band of {ev.request.noise_band_pct:g} %"
            )
            pair = ev.tables.pair(effect.HEADLINE)
            small = pair is not None and pair.delta_pct is not None and pair.delta_pct <= 2 * pct
            advice = "Measure with a finer clock, or make each repeat last longer."
            finding = flag(["M24"], reason, advice, [], ev, "noisy" if small else "flagged")
            return [_citing(finding, ev, row)]
    return []


def clock_step(measured: Sequence[tuple[Launch, Row]]) -> float | None:
    """Step of the clock behind durations of the same work, where repeats agree in it to the last digit; None for a fine clock."""
    durations = [row.duration for _, row in measured]
    work = {(row.completed, row.tokens_out) for _, row in measured}
    if len(durations) < 3 or len(work) > 1 or len(set(durations)) == len(durations):
        return None
    return stats.tick(durations)


def _citing(finding: Finding, ev: Evidence, row: Row) -> Finding:
    from msgspec.structs import replace

    return replace(finding, evidence=[ev.source(row.source.file, row.source.line)])


def _band(ev: Evidence, gain: float) -> list[Finding]:
    """Where ranges decide, the band is the only guard: it must cover what A/A sets of this workload differ by."""
    band, same = ev.request.noise_band_pct, effect.same_band(ev)
    if same is None or same <= band or effect.by_launches(ev):
        return []
    words = f"the declared band is {band:g} %, but launches of the same thing differ by up to {same:.3g} % here (A/A set)"
    if gain > same:
        reason = f"{words}; the gain of {gain:+.2f} % is beyond that too"
        return [Finding(gate=GATE, status="ok", ids=["M14"], reason=reason, figures={"aa_band": Figure(same, "%")})]
    from msgspec.structs import replace

    reason = f"{words}, and the gain is {gain:+.2f} %: the band was measured on something else"
    finding = flag(["M14"], reason, f"Measure at least {ev.policy.delta.min_launches} launches a side.", [], ev, "noisy")
    return [replace(finding, figures={"aa_band": Figure(stats.significant(same), "%"), "band": Figure(band, "%")})]
