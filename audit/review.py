"""Verdicts for people: text and Markdown that read like a code review."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from audit.contract import Finding, Side, Verdict
from audit.plain import clean, clean_markdown, table

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
_CITED = 3
"""Places named below a finding whose reason names none of its own."""
_ORDER = {"FAIL": 0, "FLAG": 1, "PASS": 2}
_COLOURS = {"PASS": "32", "FLAG": "33", "FAIL": "31"}
_BOLD = "1"


def text(verdicts: Sequence[Verdict], width: int, *, colour: bool) -> str:
    """Every verdict in ``width`` columns, and a last word on all of them when there are several."""
    pages = [_text(verdict, width, colour) for verdict in verdicts]
    if len(verdicts) > 1:
        pages.append(_summary(verdicts, width))
    return "\n".join(pages)


def markdown(verdicts: Sequence[Verdict]) -> str:
    """Every verdict as a section."""
    return "\n".join(_markdown(verdict) for verdict in verdicts)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _rows(verdict: Verdict) -> list[tuple[str, ...]]:
    """Lines of the table of figures, header first."""
    found: list[tuple[str, ...]] = [("metric", "ref", "cand", "delta", "spread ref/cand", "n", "launches", "disjoint")]
    for name in _SHOWN:
        metric = verdict.metrics.get(name)
        if metric is None:
            continue
        sides = (metric.ref, metric.cand)
        found.append(
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
    return found


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


def _sections(verdict: Verdict) -> list[tuple[str, list[tuple[str, str]]]]:
    """Headings and their items (what is said, where it stands), in the order of a review."""

    def told(found: list[Finding]) -> list[tuple[str, str]]:
        return [(f"{_tag(item)}: {item.reason}", _places(item) if item.status != "ok" else "") for item in found]

    def of(*statuses: str) -> list[Finding]:
        return [finding for finding in verdict.findings if finding.status in statuses]

    wrong = [f for f in of("fail") + of("unknown") if f.status == "fail" or f.required]
    return [
        ("What fails", told(wrong)),
        ("What is flagged", told(of("flag"))),
        ("What holds", told(of("ok"))),
        ("What was not checked", [(item, "") for item in verdict.not_checked]),
        ("What to do next", [(item, "") for item in verdict.next_steps]),
    ]


def _places(finding: Finding) -> str:
    """Where a finding stands in the raw files, for a reason that does not say so itself."""
    cited = [source.file if source.line is None else f"{source.file}:{source.line}" for source in finding.evidence]
    cited = list(dict.fromkeys(place for place in cited if place not in finding.reason))
    more = f" and {len(cited) - _CITED} more" if len(cited) > _CITED else ""
    return f"see {', '.join(cited[:_CITED])}{more}" if cited else ""


def _tag(finding: Finding) -> str:
    return f"{finding.gate} [{' '.join(finding.ids)}]" if finding.ids else finding.gate


def _headline(verdict: Verdict) -> str:
    compared = verdict.audit_scope in ("patch", "bundle")
    kind = f", lever class {verdict.lever_class}" if compared else ""
    return f"{verdict.short_name} ({verdict.audit_scope}): {verdict.outcome}, action {verdict.action}{kind}"


def _paint(words: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{words}\x1b[0m" if colour else words


def _wrap(words: str, width: int, first: str, rest: str) -> list[str]:
    """Cleaned words in lines of at most ``width`` columns; a path is never broken."""
    return textwrap.wrap(
        clean(words), width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    ) or [first.rstrip()]


def _text(verdict: Verdict, width: int, colour: bool) -> str:
    lines = [f"{_paint(verdict.verdict, _COLOURS[verdict.verdict], colour)}  {clean(_headline(verdict))}"]
    figures = _rows(verdict)
    if len(figures) > 1:
        lines += ["", *table(figures)]
    for line in _effect(verdict):
        lines += _wrap(line, width, "  ", "    ")
    for heading, items in _sections(verdict):
        if items:
            lines += ["", _paint(f"{heading}:", _BOLD, colour)]
        for words, places in items:
            lines += _wrap(words, width, "  - ", "    ")
            lines += _wrap(places, width, "    ", "    ") if places else []
    if verdict.note:
        lines += ["", *_wrap(f"Note: {verdict.note}", width, "", "    ")]
    lines += ["", f"policy {clean(verdict.policy)} {verdict.policy_digest[:12]}, input {verdict.input_digest[:12]}"]
    return "\n".join(lines) + "\n"


def _summary(verdicts: Sequence[Verdict], width: int) -> str:
    """One line for all, the worst first."""
    ranked = sorted(verdicts, key=lambda verdict: _ORDER[verdict.verdict])
    return (
        "\n".join(_wrap(f"{len(ranked)} verdicts: " + ", ".join(f"{v.short_name} {v.verdict}" for v in ranked), width, "", "  "))
        + "\n"
    )


def _markdown(verdict: Verdict) -> str:
    lines = [f"## {verdict.verdict}: {clean_markdown(_headline(verdict))}", ""]
    figures = _rows(verdict)
    if len(figures) > 1:
        lines += ["| " + " | ".join(clean_markdown(cell) for cell in row) + " |" for row in figures]
        lines.insert(3, "|" + " --- |" * len(figures[0]))
        lines.append("")
    lines += [f"{clean_markdown(line)}\n" for line in _effect(verdict)]
    for heading, items in _sections(verdict):
        if items:
            said = [f"{words} ({places})" if places else words for words, places in items]
            lines += [f"### {heading}", "", *(f"* {clean_markdown(item)}" for item in said), ""]
    if verdict.note:
        lines += [clean_markdown(verdict.note), ""]
    lines.append(f"policy {clean_markdown(verdict.policy)} `{verdict.policy_digest[:12]}`, input `{verdict.input_digest[:12]}`")
    return "\n".join(lines) + "\n"
