"""Figures as words of a report. A figure that is missing is n/a, never NaN."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from workflow.history import UNAUDITED

Look = Literal["good", "part", "bad", "none"]
LOOKS: Mapping[str, Look] = {"PASS": "good", "FLAG": "part", "FAIL": "bad"}
SIGNS: Mapping[Look, str] = {"good": "✓", "part": "▲", "bad": "✕", "none": "○"}
DECIDED = {"banked": "banked", "dropped": "dropped", "to_fix": "sent back", "open": "not decided yet"}
STATUS: Mapping[str, Look] = {"ok": "good", "flag": "part", "fail": "bad"}
KINDS = {
    "campaign_created": "begin",
    "proposal": "proposal",
    "plan": "plan",
    "verdict": "verdict",
    "bank": "banked",
    "drop": "dropped",
    "set_aside": "set aside",
    "sealed": "sealed",
}
METRICS = {
    "output_throughput": "output throughput",
    "ttft_ms": "time to first token (TTFT)",
    "tpot_ms": "time per output token (TPOT)",
    "e2e_latency_ms": "latency of a request",
    "success_rate": "answered requests",
}
OUTCOMES = {
    "proven": "a gain above the declared band was shown",
    "refuted": "a gain above the declared band can be ruled out",
    "underpowered": "neither shown nor ruled out: too few launches for this noise",
    "not_measured": "it was not measured so that it could be judged",
    "evidence_damaged": "the evidence is damaged",
    "not shown": "the plain rule saw no gain",
    "gain above the band": "the plain rule saw a gain",
}


def standing(final: Mapping[str, Any]) -> str:
    """What is known of the final gain, as a sentence beside its verdict."""
    bounds = effect_text(final["effect"])
    outcome = OUTCOMES.get(final["outcome"], final["outcome"])
    return "; ".join(text for text in (bounds, outcome) if text) + "." if bounds or outcome else "Nobody checked this figure."


def number(value: float | None, digits: int = 1, sign: bool = False) -> str:
    """A figure, or n/a; never NaN."""
    return "n/a" if value is None else f"{value:{'+' if sign else ''}.{digits}f}"


def percent(value: float | None, digits: int = 1, sign: bool = False) -> str:
    """``+3.1 %``, or n/a."""
    return "n/a" if value is None else f"{number(value, digits, sign)} %"


def figure(value: float | None) -> str:
    """Four digits that mean something, with the thousands told apart; or n/a."""
    if value is None:
        return "n/a"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def measured(value: float | None, unit: str) -> str:
    """A figure with its unit; a share, whose unit is 1, as a percentage."""
    if value is None:
        return "n/a"
    return percent(100 * value) if unit == "1" else f"{figure(value)} {unit}"


def setting(value: object) -> str:
    """A value of a setting as a settings file would have it."""
    if value is None:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else str(value)


def effect_text(effect: Mapping[str, Any] | None) -> str:
    """The auditor's launch-level bounds, where it had enough launches to give any."""
    found = effect or {}
    bounds = [found.get("lower_pct"), found.get("upper_pct")]
    if found.get("rule") != "launches" or bounds == [None, None]:
        return ""
    low, high = ("unbounded" if value is None else number(value, sign=True) for value in bounds)
    alpha = found.get("alpha")
    return f"bounds {low} .. {high} % (one-sided, {number(alpha and 100 * alpha, 2)} % each)"


def look(verdict: object) -> Look:
    """How a verdict looks; whatever is none of the three looks like none."""
    return LOOKS.get(str(verdict), "none")


def count(many: int, one: str, more: str = "") -> str:
    """``1 launch``, ``2 launches``."""
    return f"{many:,} {one if many == 1 else more or one + 's'}"


def leg_name(name: str) -> str:
    """A leg as a reader calls it."""
    known = {"aa": "baseline", "ref": "reference", "cand": "candidate", "off": "overlay switched off"}
    return known.get(name, name.replace("_", " ", 1))


def utc(at_unix: float | None) -> str:
    """``2026-11-21 03:53:07 UTC``, or n/a."""
    try:
        return "n/a" if at_unix is None else datetime.fromtimestamp(at_unix, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return "n/a"


def since(at_unix: float | None, begun: float | None) -> str:
    """``+4 min 05 s`` after the beginning, or n/a."""
    if at_unix is None or begun is None:
        return "n/a"
    whole = round(at_unix - begun)
    minutes, seconds = divmod(abs(whole), 60)
    return ("-" if whole < 0 else "+") + (f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s")


def headline(facts: Mapping[str, Any]) -> str:
    """The bottom line as one sentence."""
    tried, banked, final = len(facts["candidates"]), len(facts["banked"]), facts["final"]
    if not tried:
        return "No change was tried"
    if not banked and not facts["stopped"]:
        return f"Nothing is banked so far; {count(tried, 'change')} tried"
    if not banked:
        return f"Nothing was banked: {count(tried, 'change')} tried, none of which held"
    said = f"{banked} of {count(tried, 'change')} banked"
    if not final["measured"]:
        return f"{said}; together they were not measured"
    gain = f"{percent(final['delta_pct'], sign=True)} output throughput"
    doubt = {"FAIL": ", which the auditor REFUSED", UNAUDITED: ", UNAUDITED"}.get(final["verdict"], "")
    return f"{said}; {'together' if banked > 1 else 'at the end'} {gain}{doubt}"


def share(part: float, whole: float) -> float:
    """Percent, between 0 and 100."""
    return min(100.0, max(0.0, 100 * part / whole)) if whole else 0.0


class Unchecked(NamedTuple):
    """Something that nobody looked at, and of what."""

    about: str
    words: str


def unchecked(facts: Mapping[str, Any]) -> list[Unchecked]:
    """Everything that the verdicts leave open, then what no campaign checks."""
    items = [(item["dir"], item) for item in facts["baseline"]]
    items += [(item["short_name"], item) for item in facts["candidates"]]
    items += [("final", facts["final"])] if facts["final"]["measured"] else []
    found = [Unchecked(name, text) for name, item in items for text in _open(item)]
    if not facts["audited"]:
        found = [Unchecked("", "Nothing was audited: no claim here was checked by anybody.")]
    elif not found:
        found = [Unchecked("", "No gate of the auditor was left without an answer.")]
    for kind, launches in facts["sandboxes"].items():
        if kind != "bubblewrap":
            said = (
                "ran without a sandbox, where a server can see what it should not"
                if kind == "none"
                else "do not say in which sandbox"
            )
            found.append(Unchecked("", f"{count(launches, 'launch', 'launches')} {said}."))
    load = facts["workload"]
    asked = f"{count(load['concurrency'], 'client')} and {load['output_len']} output tokens a request"
    return [
        *found,
        Unchecked("", f"Any other load: all of this was measured with {asked}."),
        Unchecked("", "Any other machine, model, or version of the engine."),
        *([] if facts["profiles"] else [Unchecked("", "Where the server spends its time: no profile was taken.")]),
    ]


def _open(item: Mapping[str, Any]) -> list[str]:
    said = [*item["not_checked"], *item["not_separable"]]
    return list(dict.fromkeys([*said, *(line["reason"] for line in item["findings"] if line["status"] == "unknown")]))
