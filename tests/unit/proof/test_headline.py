"""The error rates on the README's first screen are those of the committed report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
REPORT: dict[str, Any] = json.loads((ROOT / "proof/report.json").read_text(encoding="utf-8"))
SCREEN = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split("## What it does")[0].split())


def counted(rate: dict[str, Any]) -> str:
    """A rate as the README has it."""
    return f"{rate['k']:,} of {rate['n']:,}"


def share(rate: dict[str, Any]) -> float:
    """A rate as a number."""
    return float(rate["k"] / rate["n"])


def test_the_first_screen_carries_the_rates_of_the_report() -> None:
    """Counts of lies, critical lies and twins; false accepts of the worst fair world; first looks; a link."""
    rates = REPORT["rates"]
    missed = {**rates["lies_caught"], "k": rates["lies_caught"]["n"] - rates["lies_caught"]["k"]}
    critical = {**rates["critical_failed"], "k": rates["critical_failed"]["n"] - rates["critical_failed"]["k"]}
    for rate in (missed, critical, rates["twins_refused"]):
        assert counted(rate) in SCREEN, counted(rate)
    fair = [world for world in REPORT["worlds"] if world["meets_assumptions"]]
    by_policy = {
        name: max(share(item["per_campaign"]) for world in fair for item in world["policies"] if item["policy"] == name)
        for name in ("default", "range rule")
    }
    assert all(f"{100 * value:.1f} %" in SCREEN for value in by_policy.values()), by_policy
    for look in REPORT["first_looks"]:
        assert f"{100 * share(look['caught']):.1f} %" in SCREEN
    assert "(proof/report.md)" in SCREEN


def test_the_report_is_a_blind_one_with_every_world() -> None:
    """A judge that could see the key proves nothing, and nor does a proof without the worlds or most of the recipes."""
    assert REPORT["blind"] is True
    recipes = {case["recipe"] for case in REPORT["cases"] if case["kind"] == "lie"}
    assert len(recipes) >= 200 and len(REPORT["worlds"]) >= 15 and not REPORT["stability"]["unstable"]
