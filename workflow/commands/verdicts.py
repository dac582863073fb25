"""``countersign verdicts list | show``: what was decided, from the files of runs, and one verdict in full, asked again."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workflow.commands.audit import refused, show
from workflow.errors import EvidenceError, UsageError
from workflow.startup import check_packages, require

if TYPE_CHECKING:
    from audit import Finding
    from workflow.ledger import Ledger

LIST_SCHEMA = "countersign.verdict_list/1"  # 1: first form
SHOWN_SCHEMA = "countersign.explained/1"  # 1: first form
RUNS = Path("runs")
MARKS = ("verdicts.json", "audit_request.json", "campaign.json", "ledger.jsonl")
"""Files that tell a run from a folder of runs."""
BROKEN = 5
KEYS = ("audit_scope", "verdict", "action", "outcome", "e2e_delta_pct", "signed_off")
CELL = 48
"""Characters of one cell in a table of rows."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run in the list; ``problem`` says why it cannot be believed, ``note`` what is missing."""

    name: str
    verdicts: list[dict[str, Any]]
    problem: str | None = None
    note: str | None = None


def list_command(paths: Sequence[Path], form: str) -> int:
    """Print the verdicts of these runs. Returns 0, or 5 when a run is broken."""
    require("audit")
    from audit import canonical_json, clean, table

    runs = [_look(path) for path in _runs(paths)]
    broken = [run for run in runs if run.problem]
    if form == "json":
        plain = [{"run": run.name, "verdicts": run.verdicts, "problem": run.problem, "note": run.note} for run in runs]
        click.echo(canonical_json({"schema": LIST_SCHEMA, "runs": plain}))
        return BROKEN if broken else 0
    rows: list[tuple[str, ...]] = [("run", "request", "scope", "verdict", "action", "outcome", "delta", "banked", "signed")]
    rows += [_line(run.name, verdict) for run in runs for verdict in run.verdicts]
    click.echo("\n".join(table(rows, "")) if len(rows) > 1 else "no verdicts")
    for run in runs:
        if run.note:
            click.echo(clean(f"{run.name}: {run.note}"))
    for run in broken:
        click.echo(clean(f"broken: {run.name}: {run.problem}"))
    return BROKEN if broken else 0


def _runs(paths: Sequence[Path]) -> list[Path]:
    """Runs among the paths, and directly below those that are folders of runs."""
    found: list[Path] = []
    for path in paths or [RUNS]:
        if not path.is_dir():
            if not paths:
                raise UsageError(f"{path}: no such directory, nothing was run here yet", "countersign campaign run --use-auditor")
            raise UsageError(f"{path}: not a directory", "Give a run, or a folder of runs.")
        if _is_run(path):
            found.append(path)
        else:
            found += sorted(item for item in path.iterdir() if item.is_dir() and _is_run(item))
    return list(dict.fromkeys(found))


def _is_run(path: Path) -> bool:
    return any((path / mark).is_file() for mark in MARKS)


def _look(path: Path) -> Run:
    """A run's own story. What contradicts it is a problem, told with what could be read."""
    from audit import clean

    name = clean(str(path).encode("utf-8", "backslashreplace").decode())
    from workflow.history import VERDICTS, contradicted, read_verdicts
    from workflow.ledger import Ledger

    try:
        stored = read_verdicts(path)
        there = (path / "ledger.jsonl").is_file()
        ledger = Ledger(path / "ledger.jsonl", time.time, read_only=True) if there else None
        verdicts = [_summary(short, verdict, ledger) for short, verdict in stored.items()]
    except (EvidenceError, OSError) as error:
        return Run(name, [], problem=str(error))
    return Run(name, verdicts, contradicted(stored, ledger), None if stored else f"not audited yet: no {VERDICTS}")


def _summary(name: str, verdict: dict[str, Any], ledger: Ledger | None) -> dict[str, Any]:
    bank = None if ledger is None else ledger.get(f"bank/{name}")
    return {"short_name": name, **{key: verdict.get(key) for key in KEYS}, "banked": None if ledger is None else bank is not None}


def _line(run: str, verdict: dict[str, Any]) -> tuple[str, ...]:
    delta, words = verdict["e2e_delta_pct"], {True: "yes", False: "no", None: "-"}
    moved = f"{delta:+.2f} %" if isinstance(delta, int | float) else "-"
    plain = (str(verdict[key]) for key in ("short_name", "audit_scope", "verdict", "action", "outcome"))
    marks = (words.get(verdict[key], "?") for key in ("banked", "signed_off"))
    return (run, *plain, moved, *marks)


@dataclass(frozen=True, slots=True)
class How:
    """What to show of a verdict."""

    finding: str | None
    with_sql: bool
    shown: int
    form: str


def show_command(run: Path, name: str | None, how: How) -> int:
    """Audit a run again and print verdicts in full, or one gate's findings. Returns the exit code of audit."""
    check_packages(audit=True)
    require("audit")
    from audit import AuditError, exit_code, explained, question_as_plain

    try:
        found = explained(run, name)
    except AuditError as error:
        raise refused(run, error) from error
    verdicts = [item.verdict for item in found]
    kept = [_of_gate(verdict.findings, how.finding) for verdict in verdicts]
    if how.finding is not None and not any(kept):
        gates = ", ".join(dict.fromkeys(finding.gate for verdict in verdicts for finding in verdict.findings))
        raise UsageError(f"no finding of a gate {how.finding!r}", f"There are: {gates}.")
    asked = [
        [item for item in each.questions if any(item.name in finding.sql for finding in mine)] if how.with_sql else []
        for each, mine in zip(found, kept, strict=True)
    ]
    if how.form == "json":
        _print_json(how, verdicts, kept, [[question_as_plain(item, how.shown) for item in items] for items in asked])
        return exit_code(verdicts)
    for verdict, mine, items in zip(verdicts, kept, asked, strict=True):
        if how.finding is None:
            show([verdict], "text")
        else:
            click.echo("\n".join(_told(verdict.short_name, finding) for finding in mine))
        for item in items:
            click.echo("\n".join(_question(question_as_plain(item, how.shown))))
    return exit_code(verdicts)


def _of_gate(findings: Sequence[Finding], gate: str | None) -> list[Finding]:
    return [finding for finding in findings if gate in (None, finding.gate)]


def _print_json(how: How, verdicts: Sequence[Any], kept: Sequence[Any], asked: Sequence[Any]) -> None:
    """The verdicts as ``audit`` prints them; with findings or queries asked for, an object for each."""
    from audit import canonical_json

    if how.finding is None and not how.with_sql:
        click.echo(canonical_json(verdicts[0] if len(verdicts) == 1 else list(verdicts)))
        return
    parts = []
    for verdict, mine, items in zip(verdicts, kept, asked, strict=True):
        part: dict[str, Any] = {"short_name": verdict.short_name, "questions": items}
        parts.append({**part, "findings": mine} if how.finding else {**part, "verdict": verdict})
    click.echo(canonical_json({"schema": SHOWN_SCHEMA, "shown": parts}))


def _told(name: str, finding: Finding) -> str:
    """One finding with everything it rests on."""
    from audit import clean

    ids = f" [{' '.join(finding.ids)}]" if finding.ids else ""
    lines = [f"{name}: {finding.gate}{ids}: {finding.status}", f"  {finding.reason}"]
    lines += [f"  {label}: {figure.value} {figure.unit}" for label, figure in finding.figures.items()]
    for source in finding.evidence:
        place = source.file if source.line is None else f"{source.file}:{source.line}"
        lines.append(f"  at {place}" + (f" (sha256 {source.sha256[:12]})" if source.sha256 else ""))
    lines += [f"  asked: {', '.join(finding.sql)}"] if finding.sql else []
    lines += [f"  next: {finding.next_step}"] if finding.next_step else []
    return "\n".join(clean(line) for line in lines)


def _question(item: dict[str, Any]) -> list[str]:
    """One query: its text, its parameters, and the rows as a table."""
    from audit import clean, table

    given = ", ".join(f"${key} = {value:g}" for key, value in item["parameters"].items()) or "none"
    lines = ["", f"audit/sql/{clean(item['name'])}.sql, parameters: {given}", ""]
    lines += [f"    {clean(line)}" for line in item["text"].rstrip().split("\n")]
    if not item["asked"]:
        return [*lines, "", "  The gate computed this beside the tables; there are no rows to show."]
    cells = [[_cell(value) for value in row] for row in item["rows"]]
    lines += ["", *table([item["columns"], *cells])]
    return [*lines, f"  and {item['more']} more rows"] if item["more"] else lines


def _cell(value: Any) -> str:  # noqa: ANN401 - any SQL value
    text = "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= CELL else text[: CELL - 3] + "..."


def stored(path: Path) -> list[dict[str, Any]]:
    """The verdicts of a JSON file, as they stand there. Raises UsageError when it holds none."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: cannot be read as verdicts ({error})", "Give what `audit --format json` printed.") from error
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) and isinstance(item.get("verdict"), str) and "short_name" in item for item in found):
        raise UsageError(f"{path}: not a verdict, nor a list of them", "Give what `audit --format json` printed.")
    return found
