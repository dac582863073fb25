"""The committed figures: what a quick proof must not fall below. Lowering one needs a decision note."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

FIGURES = Path(__file__).parent / "figures.json"
SCHEMA = "countersign.figures/1"  # 1: first form


class Fall(NamedTuple):
    """One figure that is worse than the committed one."""

    name: str
    committed: float
    now: float

    @property
    def words(self) -> str:
        """``lies caught: 99.6 % committed, now 98.2 %``."""
        return f"{self.name}: {100 * self.committed:.4g} % committed, now {100 * self.now:.4g} %"


def of(proof: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a proof: goal by goal, and the false accepts of every world."""
    found = {
        goal["name"]: {"value": goal["value"]["rate"], "more_is": goal["more_is"]} for goal in proof["goals"] if goal["value"]
    }
    for world in proof["worlds"]:
        for item in world["policies"]:
            if item["policy"] == "default":
                name = f"false accepts per campaign, {world['name']}"
                found[name] = {"value": item["per_campaign"]["rate"], "more_is": "worse"}
    return found


def falls(committed: Mapping[str, Any], now: Mapping[str, Any]) -> list[Fall]:
    """Figures that are worse than committed; one that is no longer there counts as the worst value."""
    found = []
    for name, was in sorted(committed.items()):
        better = was["more_is"] == "better"
        value = now[name]["value"] if name in now and now[name]["value"] is not None else (0.0 if better else 1.0)
        if was["value"] is not None and (value < was["value"] if better else value > was["value"]):
            found.append(Fall(name, was["value"], value))
    return found


def read(path: Path = FIGURES) -> dict[str, Any]:
    """The committed figures; none where the file is not there. Raises ValueError on a file of another schema."""
    if not path.is_file():
        return {}
    whole = json.loads(path.read_text(encoding="utf-8"))
    if whole.get("schema") != SCHEMA:
        raise ValueError(f"{path.name}: schema {whole.get('schema')!r}, this version knows {SCHEMA!r}")
    figures: dict[str, Any] = whole["figures"]
    return figures


def write(figures: Mapping[str, Any], note: str | None, path: Path = FIGURES) -> None:
    """Commit these figures; ``note`` is the decision that lets one of them be lower than before, or None."""
    whole = {"schema": SCHEMA, "mode": "quick", "lowered_by": note, "figures": dict(figures)}
    path.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")
