"""Taking evidence away never helps: on our own runs every removal is noticed, on foreign runs those that cannot be are listed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audit import AuditError, audit_path, canonical_json
from audit.policy import load
from tests.unit.audit.build import Json, canonical, foreign, seal, sglang_row, sha
from tests.unit.audit.cases import CASES, build

RAW_RUNS = Path(__file__).resolve().parents[3] / "raw_runs"
RANK = {"FAIL": 0, "FLAG": 1, "PASS": 2}
OWN = (
    "clean win", "continuous batching", "small gain in noise", "second knob", "contended reference", "answers lost",
    "candidate crashed", "short windows", "survivor",
)  # fmt: skip


def best(run: Path) -> int:
    """Rank of the verdict; a refusal to audit at all ranks lowest."""
    try:
        return max(RANK[verdict.verdict] for verdict in audit_path(run))
    except AuditError:
        return -1


def reseal(run: Path) -> None:
    """What a forger with full control would do after a removal: new seals, and a ledger chained anew over them."""
    ledger = run / "ledger.jsonl"
    entries = [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []
    kept: list[Json] = []
    for entry in entries:
        if entry["kind"] == "sealed":
            folder = run / entry["body"]["launch_id"]
            if not folder.is_dir():
                continue
            entry["body"]["seal_sha256"] = seal(folder, entry["body"]["launch_id"])
        entry.pop("digest")
        entry |= {"seq": len(kept), "prev": kept[-1]["digest"] if kept else "0" * 64}
        kept.append({**entry, "digest": sha(canonical(entry))})
    if entries:
        ledger.write_bytes(b"".join(canonical(entry) + b"\n" for entry in kept))


def removals(run: Path) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Every file, every launch, and the first, a middle and the last line of every file of rows, requests and samples."""
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run)
        if path.is_dir() and path.name.startswith("launch_"):
            yield f"launch {name}", lambda copy, name=name: shutil.rmtree(copy / name)  # type: ignore[misc]
        elif path.is_file() and path.name not in ("audit_request.json", "ledger.jsonl"):
            yield f"file {name}", lambda copy, name=name: (copy / name).unlink()  # type: ignore[misc]
            if path.suffix == ".jsonl" and path.stat().st_size:
                count = len(path.read_bytes().splitlines())
                for at in sorted({0, count // 2, count - 1}):
                    yield f"line {at} of {name}", lambda copy, name=name, at=at: _drop(copy / name, at)  # type: ignore[misc]


def _drop(path: Path, at: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:at] + lines[at + 1 :]))


@pytest.mark.parametrize("name", OWN)
def test_no_removal_helps_an_own_run(name: str, tmp_path: Path) -> None:
    """Files, launches, rows, requests: re-sealed and re-ledgered, no verdict gets better by their absence."""
    run = build(tmp_path / "run", next(case for case in CASES if case.name == name))
    before = best(run)
    legs = [item for item in removals(run) if "launch_000" in item[0] or "launch_002" in item[0]]
    for number, (what, remove) in enumerate(legs[:: 1 if name == "clean win" else 5]):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(run, copy)
        remove(copy)
        reseal(copy)
        assert best(copy) <= before, f"without {what} the verdict is better"
        shutil.rmtree(copy)


INFO: Json = {"model_path": "m", "attention_backend": "fa3", "mem_fraction_static": 0.85}
FOREIGN_GAINS = {
    "a row that spreads a baseline": ("baseline", "line 0 of baseline/bench_runs.jsonl"),
    "a reference row that overlaps the candidate's": ("overlap", "line 0 of ref/bench_runs.jsonl"),
    "a candidate row that overlaps the reference's": ("overlap", "line 0 of cand/bench_runs.jsonl"),
}
"""Removals from foreign runs that nothing on record can betray: nobody sealed the rows, and no count of them stands elsewhere."""


def _foreign(root: Path, kind: str) -> Path:
    if kind == "baseline":
        foreign(root / "baseline", [sglang_row(value, INFO) for value in (966.36, 1004.05, 1004.71)])
        return root
    foreign(root / "ref", [sglang_row(value, INFO) for value in (1079.0, 1000.0, 1001.5)])
    foreign(root / "cand", [sglang_row(value, {**INFO, "attention_backend": "triton"}) for value in (1078.0, 1080.5, 1083.0)])
    return root


@pytest.mark.parametrize("kind", ["baseline", "overlap"])
def test_foreign_removals_that_help_are_the_listed_ones(kind: str, tmp_path: Path) -> None:
    """Exactly these deletions make a foreign verdict better; docs/audit.md lists them as what the auditor cannot see."""
    run = _foreign(tmp_path / "run", kind)
    before = best(run)
    helpful = set()
    for number, (what, remove) in enumerate(removals(run)):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(run, copy)
        remove(copy)
        if best(copy) > before:
            helpful.add(what)
    listed = {what for place, what in FOREIGN_GAINS.values() if place == kind}
    assert helpful <= listed
    assert helpful


@pytest.mark.parametrize("run", sorted(RAW_RUNS.glob("*/")), ids=lambda run: run.name)
def test_objective_gates_do_not_read_claims(run: Path, tmp_path: Path) -> None:
    """With every claim file emptied, every finding of the gates before gate 6 comes out byte for byte."""
    claims = set(load().policy.layout.claim_files) - {"audit_request.json", "ledger.jsonl"}
    shutil.copytree(run, tmp_path / "run")
    for path in (tmp_path / "run").rglob("*"):
        if path.name in claims:
            path.write_bytes(b"")

    def objective(place: Path) -> list[str]:
        return [
            canonical_json(finding)
            for verdict in audit_path(place)
            for finding in verdict.findings
            if finding.gate not in ("claims", "isolated")
        ]

    assert objective(run) == objective(tmp_path / "run")
