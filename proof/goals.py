"""What the judge is held to, and whether it kept it: the first thing a reader of the report sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proof.rates import Rate

Json = dict[str, Any]
LUCK = 0.05
"""Chance of one false accept that a campaign allows."""
DEFAULT = "default"


def of_cases(rates: Mapping[str, Rate]) -> list[Json]:
    """Goals on planted lies, honest twins and recorded runs."""
    return [
        _least("critical planted lies that FAIL", rates["critical_failed"], 1.0),
        _least("planted lies that FAIL or FLAG", rates["lies_caught"], 0.99),
        _least("planted lies with the right id named", rates["id_named"], 0.95),
        _most("honest twins that do not pass", rates["twins_refused"], 0.02),
        _most("clean runs (true gains, quiet baselines) that do not pass", rates["wins_refused"], 0.02),
        _least("recorded runs judged as the key says", rates["recorded_right"], 1.0),
    ]


def of_worlds(worlds: Sequence[Mapping[str, Any]]) -> list[Json]:
    """Goals on simulated campaigns: the worst world that meets the stated assumptions speaks for all of them."""
    fair = [world for world in worlds if world["meets_assumptions"]]
    if not fair:
        return []
    accepts = [
        (_rate(item["per_campaign"]), world["name"]) for world in fair for item in world["policies"] if item["policy"] == DEFAULT
    ]
    worst, where = max(accepts, key=lambda item: (item[0].value or 0.0, item[1]))
    lost = [(_rate(world["true_wins"]["not_proven"]), world["name"]) for world in fair if world.get("true_wins")]
    found = [_most(f"false accepts per campaign of 20 candidates, worst fair world ({where})", worst, LUCK)]
    if lost:
        most, at = max(lost, key=lambda item: (item[0].value or 0.0, item[1]))
        found.append(_most(f"true wins at the 98 %-power effect not proven, worst fair world ({at})", most, 0.02))
    agreed = Rate(0, 0)
    for world in worlds:
        agreed += _rate(world["files"]["agreed"])
    if agreed.n:
        found.append(_least("simulated decisions that whole audits of the same numbers on disk repeat", agreed, 1.0))
    return found


def _rate(plain: Mapping[str, Any]) -> Rate:
    return Rate(plain["k"], plain["n"])


def _least(name: str, value: Rate, least: float) -> Json:
    met = value.value is not None and value.value >= least
    words = "100 %" if least == 1.0 else f">= {100 * least:g} %"
    return {"name": name, "goal": words, "value": value.plain(), "words": value.words(), "met": met, "more_is": "better"}


def _most(name: str, value: Rate, most: float) -> Json:
    met = value.value is not None and value.value <= most
    words = value.words()
    return {"name": name, "goal": f"<= {100 * most:g} %", "value": value.plain(), "words": words, "met": met, "more_is": "worse"}
