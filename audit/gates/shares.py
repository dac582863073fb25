"""What each part of a change brings, by legs that lack one part (``without_<part>``) or hold only one (``only_<part>``)."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from audit import stats
from audit.evidence import Evidence
from audit.intake.model import Leg

PREFIXES: tuple[Literal["without", "only"], ...] = ("without", "only")


class Share(NamedTuple):
    """One part's share of the gain, percent, with a two-sided interval where launches carry one."""

    part: str
    how: Literal["without", "only"]
    estimate_pct: float
    lower_pct: float | None
    upper_pct: float | None
    leg: Leg

    @property
    def words(self) -> str:
        """``attention: +12.1 % [+10.2, +14.0] (whole against the leg without it)``."""
        bounds = "" if self.lower_pct is None or self.upper_pct is None else f" [{self.lower_pct:+.2f}, {self.upper_pct:+.2f}]"
        against = "whole against the leg without it" if self.how == "without" else "alone, against the reference"
        return f"{self.part}: {self.estimate_pct:+.2f} %{bounds} ({against})"


def measured(ev: Evidence) -> list[Share]:
    """Shares of the parts that have a leg of their own, in the order of their names."""
    found = []
    for leg in ev.parts:
        how: Literal["without", "only"] = "without" if leg.role.startswith("without") else "only"
        one, other = (leg.role, "cand") if how == "without" else ("ref", leg.role)
        share = _share(ev, leg, how, one, other)
        if share is not None:
            found.append(share)
    return found


def interaction(ev: Evidence, found: list[Share]) -> float | None:
    """Percent by which the whole differs from all leave-one-out shares together; None unless every share is one, of several."""
    ref, cand = (_logs(ev, role) for role in ("ref", "cand"))
    if not ref or not cand or len(found) < 2 or any(share.how != "without" for share in found):
        return None
    whole = math.fsum(cand) / len(cand) - math.fsum(ref) / len(ref)
    return stats.pct(whole - math.fsum(math.log1p(share.estimate_pct / 100) for share in found))


def _logs(ev: Evidence, role: str) -> list[float]:
    return [math.log(row.median) for row in ev.tables.medians(role)]


def _share(ev: Evidence, leg: Leg, how: Literal["without", "only"], one: str, other: str) -> Share | None:
    base, more = _logs(ev, one), _logs(ev, other)
    if not base or not more:
        return None
    estimate = math.fsum(more) / len(more) - math.fsum(base) / len(base)
    part = leg.role.partition(":")[2]
    groups = [[row.median for row in ev.tables.medians(role)] for role in ("ref", "cand", leg.role)]
    groups += [[row.median for row in ev.tables.medians(item.role)] for item in ev.noise]
    pooled = stats.pool(groups)
    known = leg.launches_known and all(item.launches_known for item in ev.legs.values())
    least = ev.policy.delta.min_launches
    if not known or pooled is None or pooled.sd <= 0 or min(len(base), len(more)) < least:
        return Share(part, how, stats.pct(estimate), None, None, leg)
    found = stats.gain([math.exp(value) for value in base], [math.exp(value) for value in more], pooled, ev.request.alpha)
    return Share(part, how, stats.pct(estimate), stats.pct(found.lower), stats.pct(found.upper), leg)
