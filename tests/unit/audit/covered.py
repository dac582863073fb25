"""From planted lies to the pages that say what is covered; ``python -m tests.unit.audit.planted`` writes them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from audit import Verdict, audit_path, known_lies
from audit.policy import load
from audit.taxonomy import Lie, as_page
from tests.unit.audit.planted import Planted, every

ROOT = Path(__file__).resolve().parents[3]
PAGE, TABLE = ROOT / "docs/covered.md", ROOT / "audit/taxonomy.json"
INTAKE = ("intake", "legs")
"""Gates that no scope lists: they speak before the others."""
LONGEST = 160
HEAD = """# What is covered

{count} of the {all} known ways a performance claim is false are *covered*: a test plants the lie in a whole run directory, the
auditor catches it under this id, and the same run without the lie passes. `countersign taxonomy ID` tells more of each; the lies
are in `tests/unit/audit/planted/`. This page is written by `python -m tests.unit.audit.planted`; a test fails when it is stale.

| id | lie | planted as | field that decides it | gate | verdict |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Seen:
    """What an audit said of one planted lie."""

    case: Planted
    verdict: str
    gate: str
    reason: str


def observe(place: Path) -> tuple[list[Seen], list[str]]:
    """Audit every lie below an empty directory: what was seen, and which lies were not caught."""
    seen, missed = [], []
    for number, case in enumerate(every()):
        root = place / str(number)
        root.mkdir()
        found = _accusation(case, list(audit_path(case.lie(root))))
        if found is None:
            missed.append(f"{case.id} {case.name}")
        else:
            seen.append(found)
    return seen, missed


def _accusation(case: Planted, verdicts: list[Verdict]) -> Seen | None:
    for verdict in verdicts:
        for finding in verdict.findings if verdict.verdict in case.caught else []:
            lowers = finding.status in ("flag", "fail") or (finding.status == "unknown" and finding.required)
            if lowers and case.id in finding.ids:
                return Seen(case, verdict.verdict, finding.gate, finding.reason)
    return None


def gates() -> set[str]:
    """Every gate there is."""
    return {*INTAKE, *(gate for scope in load().policy.scopes.values() for gate in scope)}


def named_in_source() -> dict[str, list[str]]:
    """Ids that stand as literals in the gates, in intake and in the policy -> modules, sorted."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "audit").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[A-Z]\d\d", node.value):
                found.setdefault(node.value, []).append(path.relative_to(ROOT / "audit").with_suffix("").as_posix())
    for name in sorted(set(load().policy.keys.ids.values())):
        found.setdefault(name, []).append("gates/same_conditions")
    return found


def merged(seen: list[Seen]) -> tuple[Lie, ...]:
    """The taxonomy with gate, example and the covered mark as the planted lies show them; for the rest, as the source says."""
    source, known = named_in_source(), gates()
    lies = []
    for lie in known_lies():
        mine = [item for item in seen if item.case.id == lie.id]
        named = [name.rpartition("/")[2] for name in source.get(lie.id, []) if name.startswith("gates/")]
        gate = next((name for name in named if name in known), "intake" if lie.id in source else None)
        example = None
        if mine:
            gate, example = mine[0].gate, mine[0].reason
            example = example if len(example) <= LONGEST else example[: LONGEST - 3] + "..."
        lies.append(replace(lie, gate=gate, covered=bool(mine), example=example))
    return tuple(lies)


def page(lies: tuple[Lie, ...], seen: list[Seen]) -> str:
    """``docs/covered.md``."""
    names = {lie.id: lie.name for lie in lies}
    lines = [
        f"| {case.id} | {names[case.id]} | {_cell(case.name)} | {_cell(case.field)} | {item.gate} | {item.verdict} |"
        for item in seen
        for case in [item.case]
    ]
    head = HEAD.format(count=sum(lie.covered for lie in lies), all=len(lies))
    return head + "\n".join(lines) + "\n"


def rows(text: str) -> list[tuple[str, ...]]:
    """The rows of ``docs/covered.md``, cell by cell."""
    body = [line for line in text.splitlines() if line.startswith("| ")][1:]
    return [tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]) for line in body]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def expected(case: Planted) -> tuple[str, str, str]:
    """Id, name and field as their row must hold them."""
    return (case.id, _cell(case.name), _cell(case.field))


def write(lies: tuple[Lie, ...], seen: list[Seen]) -> None:
    """Both pages."""
    TABLE.write_text(as_page(lies), encoding="utf-8")
    PAGE.write_text(page(lies, seen), encoding="utf-8")
