"""Verdicts as JUnit XML: a suite for each verdict, a case for each gate."""

from __future__ import annotations

from collections.abc import Sequence

from audit.contract import Finding, Verdict
from audit.plain import clean

_SPECIAL = {ord("<"): "&lt;", ord(">"): "&gt;", ord("&"): "&amp;", ord('"'): "&quot;", ord("'"): "&apos;"}


def document(verdicts: Sequence[Verdict]) -> str:
    """One XML document. It says what was decided, nothing of when or where, so equal verdicts are equal bytes."""
    suites = [_Suite(verdict) for verdict in verdicts]
    totals = {name: sum(suite.counts[name] for suite in suites) for name in ("tests", "failures", "errors", "skipped")}
    head = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites{_attributes({'name': 'countersign', **_words(totals)})}>"]
    return "\n".join([*head, *(line for suite in suites for line in suite.lines), "</testsuites>"]) + "\n"


class _Suite:
    """One verdict: its lines of XML, and its counts."""

    def __init__(self, verdict: Verdict) -> None:
        gates = dict.fromkeys(finding.gate for finding in verdict.findings)
        self.counts = {"tests": len(gates), "failures": 0, "errors": 0, "skipped": 0}
        name = f"{verdict.short_name} ({verdict.audit_scope})"
        cases: list[str] = []
        for gate in gates:
            mine = [finding for finding in verdict.findings if finding.gate == gate]
            kind = _kind(mine)
            if kind is not None:
                self.counts[{"failure": "failures", "error": "errors", "skipped": "skipped"}[kind]] += 1
            cases += _case(f"countersign.{verdict.audit_scope}.{verdict.short_name}", gate, mine, kind)
        self.lines = [f"  <testsuite{_attributes({'name': name, **_words(self.counts), 'time': '0'})}>", "    <properties>"]
        facts = {
            key: getattr(verdict, key) for key in ("verdict", "action", "outcome", "policy", "policy_digest", "input_digest")
        }
        self.lines += [f"      <property{_attributes({'name': key, 'value': value})}/>" for key, value in facts.items()]
        self.lines += ["    </properties>", *cases, "  </testsuite>"]


def _kind(findings: Sequence[Finding]) -> str | None:
    """How a case ends: damage is an error, whatever lowers the verdict a failure, what was not or need not be asked skipped."""
    if any(finding.situation == "damaged" for finding in findings):
        return "error"
    if any(_lowers(finding) for finding in findings):
        return "failure"
    return None if any(finding.status == "ok" for finding in findings) else "skipped"


def _lowers(finding: Finding) -> bool:
    return finding.status in ("flag", "fail") or (finding.status == "unknown" and finding.required)


def _case(classname: str, gate: str, findings: Sequence[Finding], kind: str | None) -> list[str]:
    opening = f"    <testcase{_attributes({'classname': classname, 'name': gate, 'time': '0'})}"
    if kind is None:
        return [f"{opening}/>"]
    told = [finding for finding in findings if kind == "skipped" or _lowers(finding)]
    message = {"message": told[0].reason}
    if kind == "skipped":
        return [f"{opening}>", f"      <skipped{_attributes(message)}/>", "    </testcase>"]
    body = "\n".join(_escaped(f"{finding.status}: {_words_of(finding)}") for finding in told)
    return [f"{opening}>", f"      <{kind}{_attributes({**message, 'type': told[0].status})}>{body}</{kind}>", "    </testcase>"]


def _words_of(finding: Finding) -> str:
    ids = f"[{' '.join(finding.ids)}] " if finding.ids else ""
    cited = ", ".join(source.file + ("" if source.line is None else f":{source.line}") for source in finding.evidence)
    return (
        f"{ids}{finding.reason}" + (f" ({cited})" if cited else "") + (f" Next: {finding.next_step}" if finding.next_step else "")
    )


def _words(counts: dict[str, int]) -> dict[str, str]:
    return {name: str(count) for name, count in counts.items()}


def _attributes(values: dict[str, str]) -> str:
    return "".join(f' {name}="{_escaped(value)}"' for name, value in values.items())


def _escaped(text: str) -> str:
    """Text that no parser takes for markup; what XML 1.0 does not allow at all is shown as an escape."""
    return clean(text).translate(_SPECIAL)
