"""Figures that claim files state, against the same figures of the raw rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from audit.contract import Source
from audit.evidence import Evidence
from audit.gates import claim_rows, claim_slips
from audit.gates.claim_rows import Answer, Point
from audit.gates.claim_slips import Slip
from audit.intake.claims import Claim

UNITS = {"spread_pct": "%", "count": "repeats", "gain_pct": "%", "gain_vs_baseline_pct": "%", "ceiling_pct": "%"}
GAINS = {"gain_pct": True, "gain_vs_baseline_pct": True, "speedup": False, "speedup_vs_baseline": False}
"""Subject -> True for percent, False for a ratio."""
OWN = ("probe", "isolated_speedup", "ceiling_pct")
LEGS = ("ref", "cand")


def close(ev: Evidence, claim: Claim, raw: float, *, exact: bool = False) -> bool:
    """True when the claim is ``raw`` up to its digits and the policy's tolerance; ``exact``: its digits alone."""
    rules, said = ev.policy.claims, claim_rows.number(claim.value)
    if said is None:
        return False
    rounding = claim_rows.unit_of(claim.value) / 2 * (1 + 1e-9)
    if exact:
        return abs(said - raw) <= min(rounding, rules.rounding_pct / 100 * abs(raw)) + 1e-9 * abs(raw)
    slack = rules.tolerance_pct / 100 * abs(raw)
    if claim.subject.endswith("_pct"):
        slack += rules.gain_points
    else:
        rounding = min(rounding, rules.rounding_pct / 100 * abs(raw))
        slack += rules.gain_points / 100 if claim.subject in GAINS else 0.0
    return abs(said - raw) <= rounding + slack


def judge(ev: Evidence, claim: Claim) -> Answer:
    """One figure against the rows."""
    if claim_rows.number(claim.value) is None:
        return Answer(None, "it is not a number")
    if claim.subject in OWN:
        return _own(ev, claim)
    if claim.subject == "accuracy":
        return _accuracy(ev, claim)
    if claim.subject in GAINS:
        return _gain(ev, claim)
    if claim.subject == "count":
        return _count(ev, claim)
    if claim.subject == "baseline":
        return _baseline(ev, claim)
    return _level(ev, claim)


def _level(ev: Evidence, claim: Claim) -> Answer:
    metric = claim_rows.basis(ev, claim, claim.leg)
    found = claim_rows.points(ev, claim.leg, metric, claim.launch)
    seen = claim_rows.views(ev.legs.get(claim.leg), found)
    if not seen:
        return Answer(None, "no row holds this figure")
    if claim.subject == "spread_pct" and len(found) < 2:
        return Answer(
            False,
            "one repeat, which has no spread",
            ("M28",),
            (found[0].source,),
            None,
            "a structural zero: it stands there after every single run",
        )
    values = [value for view in seen if (value := claim_rows.level(claim.subject, view)) is not None]
    whole = claim_rows.measured(ev, claim.subject, claim.leg, metric) if claim.launch is None else None
    raw = values[0] if whole is None else whole
    if any(close(ev, claim, value) for value in [raw, *values]):
        return Answer(True)
    slip = _slip(ev, claim, claim_slips.of_level(ev, claim, claim.leg, metric))
    ids, words = (slip.ids, slip.words) if slip else (("R02",), "")
    if claim.subject == "spread_pct" and claim_rows.number(claim.value) == 0:
        ids, words = ("M28",), "a single run, for which 0.0 is written"
    return Answer(False, _raw(ev, claim, raw, metric, found), ids, _places(ev, claim, found, raw), raw, words)


def _slip(ev: Evidence, claim: Claim, slips: Iterable[Slip]) -> Slip | None:
    return next((slip for slip in slips if close(ev, claim, slip.value, exact=True)), None)


def _places(ev: Evidence, claim: Claim, found: Sequence[Point], raw: float) -> tuple[Source, ...]:
    shown = ev.policy.limits.shown
    if claim.subject in ("median", "min", "max", "baseline"):
        return claim_rows.nearest(found, raw, shown)
    return tuple(point.source for point in found[:shown])


def _raw(ev: Evidence, claim: Claim, raw: float, metric: str, found: Sequence[Point]) -> str:
    unit = UNITS.get(claim.subject, "ms" if metric.endswith("_ms") else "tok/s")
    what = "median" if claim.subject == "baseline" else claim.subject.removesuffix("_pct")
    places = ", ".join(claim_rows.where(source) for source in _places(ev, claim, found, raw))
    return f"{raw:.7g} {unit}, the {what} of {metric} over {len(found)} repeats of leg {claim.leg} ({places})"


def _count(ev: Evidence, claim: Claim) -> Answer:
    said = claim_rows.number(claim.value)
    for leg in [claim.leg] if claim.leg else LEGS:
        found = claim_rows.points(ev, leg, claim_rows.basis(ev, claim, leg) or "output_throughput", claim.launch)
        lengths = [len(view) for view in claim_rows.views(ev.legs.get(leg), found)]
        if not lengths:
            return Answer(None, f"leg {leg} has no rows")
        if said not in lengths:
            ends = f"{claim_rows.where(found[0].source)} to {claim_rows.where(found[-1].source)}"
            raw = f"{lengths[0]} timed repeats of leg {leg} ({ends})"
            more = said is not None and said > lengths[0]
            words = "counting rows that are not there" if more else "leaving out rows that are there"
            return Answer(False, raw, ("R14",) if more else ("M10",), (found[-1].source,), float(lengths[0]), words)
    return Answer(True)


def _gain(ev: Evidence, claim: Claim) -> Answer:
    """A gain of the medians; a gain over "the baseline" may be over the number in the commission as well."""
    metric = claim_rows.basis(ev, claim, "cand")
    ref, cand = (claim_rows.measured(ev, "median", leg, metric) for leg in LEGS)
    if not ref or cand is None:
        return Answer(None, "not both legs have rows that hold this figure")
    percent = GAINS[claim.subject]
    given = ev.request.baseline_throughput if claim.subject.endswith(("vs_baseline", "vs_baseline_pct")) else None
    ratios = [cand / base for base in (ref, given) if base]
    figures = [100 * (ratio - 1) if percent else ratio for ratio in ratios]
    rows = [claim_rows.points(ev, leg, metric) for leg in LEGS]
    places = tuple(
        source for found, middle in zip(rows, (ref, cand), strict=True) for source in claim_rows.nearest(found, middle, 1)
    )
    raw = (
        f"{figures[0]:+.4g} %" if percent else f"{figures[0]:.6g}x"
    ) + f", from the medians {ref:.7g} and {cand:.7g} tok/s ({', '.join(claim_rows.where(source) for source in places)})"
    holds = [ratio for ratio, figure in zip(ratios, figures, strict=True) if close(ev, claim, figure)]
    if holds:
        band, said = ev.request.noise_band_pct, claim_rows.number(claim.value) or 0.0
        said_pct = said if percent else 100 * (said - 1)
        if all(100 * (ratio - 1) < band for ratio in holds) and said_pct >= band - 1e-9:
            return Answer(False, raw, ("R04",), places, figures[0], f"rounding up across the band of {band:g} %")
        return Answer(True)
    slip = _slip(ev, claim, claim_slips.of_gain(ev, metric, percent=percent))
    return Answer(False, raw, slip.ids if slip else ("R02",), places, figures[0], slip.words if slip else "")


def _baseline(ev: Evidence, claim: Claim) -> Answer:
    """A baseline measured before: the reference leg shows it again only where that leg is the true baseline."""
    metric = claim_rows.basis(ev, claim, "ref")
    raw = claim_rows.measured(ev, "median", "ref", metric)
    again = claim.near or ev.legs["ref"].dir.rpartition("/")[2] in ev.policy.claims.baseline_dirs
    if raw is None or not (again or ev.request.scope == "bundle"):
        return Answer(None, "the rows of that baseline are not among the legs")
    given = ev.request.baseline_throughput
    if close(ev, claim, raw) or (given is not None and close(ev, claim, given)):
        return Answer(True)
    off = 100 * abs((claim_rows.number(claim.value) or 0.0) - raw) / raw
    if off <= ev.request.noise_band_pct:
        return Answer(None, f"the reference leg gives {raw:.7g} tok/s, within the band; the rows of the baseline are not there")
    found = claim_rows.points(ev, "ref", metric)
    slip = _slip(ev, claim, claim_slips.of_level(ev, claim, "ref", metric))
    ids, words = (slip.ids, slip.words) if slip else (("R02", "M04"), "a baseline measured at another time")
    return Answer(False, _raw(ev, claim, raw, metric, found), ids, _places(ev, claim, found, raw), raw, words)


def _own(ev: Evidence, claim: Claim) -> Answer:
    """A figure of a file that holds its own rows."""
    if claim.own is None:
        return Answer(None, "the file holds no rows behind it")
    if close(ev, claim, claim.own):
        return Answer(True)
    unit = UNITS.get(claim.subject, "x" if claim.subject == "isolated_speedup" else "")
    ids = ("A07", "R02") if claim.subject == "isolated_speedup" else ("R02",)
    return Answer(False, f"{claim.own:.6g} {unit}".strip() + ", from the file's own rows", ids, (claim.source,), claim.own)


def _accuracy(ev: Evidence, claim: Claim) -> Answer:
    """An accuracy against the task probe of the same leg."""
    found = [
        item for item in ev.claims.items if item.subject == "probe" and item.metric == "exact_match" and item.leg == claim.leg
    ]
    known = [item for item in found if item.own is not None]
    if not known:
        return Answer(None, f"no task probe of leg {claim.leg} lies beside it")
    raw = known[0].own or 0.0
    if close(ev, claim, raw):
        return Answer(True)
    percent = close(ev, claim, 100 * raw)
    return Answer(
        False,
        f"{raw:.4g}, from the results in {known[0].source.file}",
        ("R23",) if percent else ("R02",),
        (known[0].source,),
        raw,
        "percent where a share is asked" if percent else "",
    )


def series(ev: Evidence, claims: Sequence[Claim]) -> Answer:
    """A list of repeats against the rows: each must be there, and none may be missing."""
    first = claims[0]
    metric = claim_rows.basis(ev, first, first.leg)
    found = claim_rows.points(ev, first.leg, metric, first.launch)
    seen = claim_rows.views(ev.legs.get(first.leg), found)
    if not seen:
        return Answer(None, "no row holds this figure")
    rests = [_unmatched(ev, claims, view) for view in seen]
    if any(not strange and not missing for strange, missing in rests):
        return Answer(True)
    strange, missing = rests[0]
    total = [point.value for point in claim_rows.points(ev, first.leg, "total_throughput", first.launch)]
    if metric != "total_throughput" and total and not any(_unmatched(ev, claims, total)):
        return Answer(
            False, f"{len(found)} repeats of {metric}", ("R06",), (found[0].source,), None, "total tokens, prompts counted in"
        )
    lost = [point for point in found if point.value in missing]
    if strange:
        words = f"{', '.join(f'{item.value}' for item in strange[: ev.policy.limits.shown])} stands in no row"
        return Answer(False, f"{len(found)} repeats, {words}", ("R19", "R02"), tuple(point.source for point in found[:1]), None)
    places = ", ".join(f"{point.value:.7g} tok/s at {claim_rows.where(point.source)}" for point in lost[: ev.policy.limits.shown])
    return Answer(False, f"{len(found)} repeats; left out: {places}", ("M10",), tuple(point.source for point in lost), None)


def _unmatched(ev: Evidence, claims: Sequence[Claim], values: Sequence[float]) -> tuple[list[Claim], list[float]]:
    """Claims without a value, and values without a claim."""
    rest, strange = list(values), []
    for claim in claims:
        match = next((value for value in rest if close(ev, claim, value)), None)
        if match is None:
            strange.append(claim)
        else:
            rest.remove(match)
    return strange, rest
