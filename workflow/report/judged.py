"""What a report takes of a verdict. The file is read as data from strangers: a value of the wrong kind is left out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from workflow.canonical import digest
from workflow.errors import EvidenceError
from workflow.history import UNAUDITED, read_verdicts
from workflow.ledger import Ledger
from workflow.report.evidence import finite

EFFECT = (
    "estimate_pct", "lower_pct", "upper_pct", "alpha", "p", "df", "launch_sd_pct", "min_detectable_gain_pct", "launches_needed",
    "paired_p", "paired_lower_pct", "permutation_p",
)  # fmt: skip
METRICS = ("output_throughput", "ttft_ms", "tpot_ms", "e2e_latency_ms", "success_rate")
SIDE = ("median", "min", "max", "spread_pct")

VerdictFile = Literal["as recorded", "other", "missing", "damaged", ""]
"""Whether verdicts.json holds the verdict that the ledger recorded; empty where there is none to hold."""


class Verdicts(NamedTuple):
    """verdicts.json as it was found."""

    found: Mapping[str, Mapping[str, Any]]
    """By short name."""
    damage: str
    """Why it cannot be read; empty when it can, or is not there."""


def read(run_dir: Path) -> Verdicts:
    """The verdicts on disk; damage is told, not raised."""
    try:
        found = read_verdicts(run_dir)
    except (EvidenceError, OSError, RecursionError) as error:
        return Verdicts({}, str(error).replace(f"{run_dir}/", ""))
    return Verdicts({name: item for name, item in found.items() if isinstance(item, Mapping)}, "")


def judged(name: str, ledger: Ledger, verdicts: Verdicts) -> dict[str, Any]:
    """What was said about one request: the words from the ledger, reasons and figures from the verdict; else UNAUDITED."""
    entry = ledger.get(f"verdict/{name}")
    if entry is None:
        said: dict[str, Any] = {"verdict": UNAUDITED, "action": "", "outcome": "", "verdict_sha256": None}
        return {**said, "reasons": [], "verdict_file": "", **details({})}
    found = verdicts.found.get(name, {})
    error = entry.body.get("error")
    return {
        **{key: entry.body.get(key) for key in ("verdict", "action", "outcome", "verdict_sha256")},
        "reasons": [str(error)] if error else texts(found.get("reasons")),
        "verdict_file": _same(entry.body.get("verdict_sha256"), found, verdicts),
        **details(found),
    }


def details(found: Mapping[str, Any]) -> dict[str, Any]:
    """Reasons aside, everything of a verdict that a report shows; the same keys whatever is missing."""
    findings = [_finding(item) for item in _list(found.get("findings")) if isinstance(item, Mapping)]
    return {
        "next_steps": texts(found.get("next_steps")),
        "effect": effect(found.get("effect")),
        "lever_class": _text(found.get("lever_class")),
        "metrics": _metrics(found.get("metrics")),
        "findings": findings,
        "not_checked": texts(found.get("not_checked")),
        "not_separable": _not_separable(found, findings),
    }


def told(found: Mapping[str, Any]) -> dict[str, Any]:
    """A verdict as the campaign's story takes it, its reasons and next steps made sure of."""
    return {**found, "reasons": texts(found.get("reasons")), "next_steps": texts(found.get("next_steps"))}


def parts(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What each part of a bundle brings, percent, as the gate ``parts`` measured it; empty where it did not."""
    for item in _list(found.get("findings")):
        if isinstance(item, Mapping) and item.get("gate") == "parts" and isinstance(item.get("figures"), Mapping):
            return [
                {"part": str(name), "share_pct": finite(figure.get("value"))}
                for name, figure in item["figures"].items()
                if isinstance(figure, Mapping)
            ]
    return []


def effect(value: object) -> dict[str, Any] | None:
    """The launch-level effect; figures that are none are null."""
    if not isinstance(value, Mapping):
        return None
    return {"rule": _text(value.get("rule")), **{key: finite(value.get(key)) for key in EFFECT}}


def texts(value: object) -> list[str]:
    """The texts of a list."""
    return [item for item in _list(value) if isinstance(item, str)]


def _finding(item: Mapping[str, Any]) -> dict[str, Any]:
    return {**{key: _text(item.get(key)) for key in ("gate", "status", "reason")}, "ids": texts(item.get("ids"))}


def _metrics(value: object) -> list[dict[str, Any]]:
    known = value if isinstance(value, Mapping) else {}
    found = [(name, known[name]) for name in METRICS if isinstance(known.get(name), Mapping)]
    return [
        {
            "name": name,
            "unit": _text(item.get("unit")),
            "better": _text(item.get("better")),
            "ref": _side(item.get("ref")),
            "cand": _side(item.get("cand")),
            "delta_pct": finite(item.get("delta_pct")),
        }
        for name, item in found
    ]


def _side(value: object) -> dict[str, float | None]:
    known = value if isinstance(value, Mapping) else {}
    return {key: finite(known.get(key)) for key in SIDE}


def _not_separable(found: Mapping[str, Any], findings: list[dict[str, Any]]) -> list[str]:
    """Of what cannot be told apart: parts without legs of their own, and shares of a mixed change that nobody measured."""
    said = [item["reason"] for item in findings if item["gate"] == "parts" and item["status"] == "unknown"]
    mixed = found.get("lever_class") == "mixed" and not parts(found)
    return said + (texts(found.get("lever_decomposition")) if mixed else [])


def _same(recorded: object, found: Mapping[str, Any], verdicts: Verdicts) -> VerdictFile:
    if recorded is None:
        return ""
    if not found:
        return "damaged" if verdicts.damage else "missing"
    try:
        return "as recorded" if digest(found) == recorded else "other"
    except ValueError:
        return "damaged"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
