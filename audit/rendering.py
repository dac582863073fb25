"""Verdicts as canonical JSON, and as text or Markdown that reads like a code review.

Text that came from files (names, settings, answers, log lines) is never trusted: in text and Markdown control characters
become visible escapes, and in Markdown every character that could start markup is escaped.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from audit.contract import Finding, Side, Verdict

Format = Literal["json", "text", "md"]
Clean = Callable[[str], str]
_MARKUP = {ord(char): f"\\{char}" for char in "\\`*_{}[]()#|~!"} | {ord("<"): "&lt;", ord(">"): "&gt;", ord("&"): "&amp;"}
_SHOWN = (
    "output_throughput",
    "request_throughput",
    "ttft_ms",
    "p99_ttft_ms",
    "tpot_ms",
    "p99_tpot_ms",
    "e2e_latency_ms",
    "success_rate",
)


def canonical_json(value: Any) -> str:  # noqa: ANN401 - a struct or any JSON value
    """Sorted keys, no spaces, no ASCII escapes, one line without its end. Raises ValueError on NaN or Infinity."""
    plain = msgspec.to_builtins(value)
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def render(verdicts: Sequence[Verdict], format: str = "text", *, as_list: bool | None = None) -> str:
    """All verdicts in one format, with a newline at the end.

    JSON is one object or a list; ``as_list`` None asks the sequence itself (``Verdicts`` remembers what its request
    file held), and for a plain sequence a single verdict is one object. Raises ValueError on an unknown format.
    """
    if format == "json":
        listed = getattr(verdicts, "as_list", len(verdicts) != 1) if as_list is None else as_list
        return canonical_json(list(verdicts) if listed else verdicts[0]) + "\n"
    if format == "text":
        return "\n".join(_text(verdict) for verdict in verdicts)
    if format == "md":
        return "\n".join(_markdown(verdict) for verdict in verdicts)
    raise ValueError(f"format {format!r}: one of 'json', 'text', 'md'")


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """0 PASS, 3 FAIL, 4 FLAG, 5 evidence damaged or a PASS or FLAG without signature; of several 5 beats 3 beats 4 beats 0."""
    codes = {_code(verdict) for verdict in verdicts}
    return next((code for code in (5, 3, 4) if code in codes), 0)


def _code(verdict: Verdict) -> int:
    if verdict.outcome == "evidence_damaged":
        return 5
    if verdict.verdict == "FAIL":
        return 3
    if not verdict.signed_off:
        return 5
    return 4 if verdict.verdict == "FLAG" else 0


def clean(text: str) -> str:
    """One line of text in which nothing can move a cursor, colour a terminal or reverse the reading order."""
    return "".join(_visible(char) if unicodedata.category(char)[0] == "C" or char in "\u2028\u2029" else char for char in text)


def _visible(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def clean_markdown(text: str) -> str:
    """``clean``, and without any markup or HTML."""
    return clean(text).translate(_MARKUP)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _rows(verdict: Verdict) -> list[tuple[str, ...]]:
    """Lines of the table of figures, header first."""
    table: list[tuple[str, ...]] = [("metric", "ref", "cand", "delta", "spread ref/cand", "n", "launches", "disjoint")]
    for name in _SHOWN:
        metric = verdict.metrics.get(name)
        if metric is None:
            continue
        sides = (metric.ref, metric.cand)
        table.append(
            (
                f"{name} [{metric.unit}]",
                *(_number(side.median if side else None) for side in sides),
                "-" if metric.delta_pct is None else f"{metric.delta_pct:+.2f} %",
                " / ".join(_spread(side) for side in sides),
                "/".join("-" if side is None else str(side.n) for side in sides),
                "/".join("-" if side is None else "?" if side.launches is None else str(side.launches) for side in sides),
                "-" if metric.non_overlapping is None else "yes" if metric.non_overlapping else "no",
            )
        )
    return table


def _spread(side: Side | None) -> str:
    return "-" if side is None or side.spread_pct is None else f"{side.spread_pct:.2f} %"


def _effect(verdict: Verdict) -> list[str]:
    found = verdict.effect
    lines = []
    if found.rule == "launches":
        lines.append(
            f"gain {_number(found.estimate_pct)} % [{_number(found.lower_pct)}, {_number(found.upper_pct)}] "
            f"at alpha {found.alpha:g}, p {_number(found.p)}, df {found.df}; launch SD {_number(found.launch_sd_pct)} %; "
            f"detectable from {_number(found.min_detectable_gain_pct)} %"
        )
        lines.append(f"sensitivity: paired p {_number(found.paired_p)}, permutation p {_number(found.permutation_p)}")
    if found.odds_pct:
        odds = ", ".join(f"{chance:g} % at {noise} % launch noise" for noise, chance in sorted(found.odds_pct.items()))
        lines.append(f"chance that the range rule accepts nothing at all: {odds}")
    return lines


def _sections(verdict: Verdict) -> list[tuple[str, list[str]]]:
    """Headings and their lines, in the order of a review."""

    def told(*statuses: str) -> list[Finding]:
        return [finding for finding in verdict.findings if finding.status in statuses]

    wrong = [f for f in told("fail") + told("unknown") if f.status == "fail" or f.required]
    return [
        ("What fails", [f"{_tag(f)}: {f.reason}" for f in wrong]),
        ("What is flagged", [f"{_tag(f)}: {f.reason}" for f in told("flag")]),
        ("What holds", [f"{_tag(f)}: {f.reason}" for f in told("ok")]),
        ("What was not checked", list(verdict.not_checked)),
        ("What to do next", list(verdict.next_steps)),
    ]


def _tag(finding: Finding) -> str:
    return f"{finding.gate} [{' '.join(finding.ids)}]" if finding.ids else finding.gate


def _headline(verdict: Verdict) -> str:
    kind = f", lever class {verdict.lever_class}" if verdict.audit_scope != "baseline" else ""
    return f"{verdict.short_name} ({verdict.audit_scope}): {verdict.outcome}, action {verdict.action}{kind}"


def _text(verdict: Verdict) -> str:
    lines = [f"{verdict.verdict}  {clean(_headline(verdict))}", ""]
    table = _rows(verdict)
    if len(table) > 1:
        widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
        lines += ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    lines += [f"  {line}" for line in _effect(verdict)]
    for heading, items in _sections(verdict):
        if items:
            lines += ["", f"{heading}:", *(f"  - {clean(item)}" for item in items)]
    if verdict.note:
        lines += ["", f"Note: {clean(verdict.note)}"]
    lines += ["", f"policy {verdict.policy} {verdict.policy_digest[:12]}, input {verdict.input_digest[:12]}"]
    return "\n".join(lines) + "\n"


def _markdown(verdict: Verdict) -> str:
    lines = [f"## {verdict.verdict}: {clean_markdown(_headline(verdict))}", ""]
    table = _rows(verdict)
    if len(table) > 1:
        lines += ["| " + " | ".join(clean_markdown(cell) for cell in row) + " |" for row in table]
        lines.insert(3, "|" + " --- |" * len(table[0]))
        lines.append("")
    lines += [f"{clean_markdown(line)}\n" for line in _effect(verdict)]
    for heading, items in _sections(verdict):
        if items:
            lines += [f"### {heading}", "", *(f"* {clean_markdown(item)}" for item in items), ""]
    if verdict.note:
        lines += [clean_markdown(verdict.note), ""]
    lines.append(f"policy `{verdict.policy}` `{verdict.policy_digest[:12]}`, input `{verdict.input_digest[:12]}`")
    return "\n".join(lines) + "\n"
