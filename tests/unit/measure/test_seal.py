"""Sealed launches: once measured, never again; altered, always noticed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from workflow.errors import EvidenceError
from workflow.ledger import Ledger
from workflow.measure import seal

LAUNCH = "config/c01-x/ref/launch_000"


def sealed(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path / "ledger.jsonl", lambda: 1.0)
    part = seal.partial_dir(tmp_path, LAUNCH)
    part.mkdir(parents=True)
    (part / "bench_runs.jsonl").write_text('{"output_throughput": 10.0}\n{"output_throughput": 11.0}\n')
    (part / "server.json").write_text("{}")
    seal.commit(tmp_path, LAUNCH, "complete", ledger)
    return ledger


def edit_row(launch: Path) -> None:
    rows = (launch / "bench_runs.jsonl").read_text()
    (launch / "bench_runs.jsonl").write_text(rows.replace("10.0", "99.0"))


def delete_repeat(launch: Path) -> None:
    (launch / "bench_runs.jsonl").write_text('{"output_throughput": 10.0}\n')


def add_file(launch: Path) -> None:
    (launch / "x").write_text("x")


def replace_seal(launch: Path) -> None:
    edit_row(launch)
    (launch / "seal.json").unlink()
    seal.seal(launch, LAUNCH)


CASES: list[tuple[str, Callable[[Path], None], str]] = [
    ("an edited row", edit_row, "bench_runs.jsonl: missing or altered"),
    ("a deleted repeat", delete_repeat, "bench_runs.jsonl: missing or altered"),
    ("a replaced seal", replace_seal, "seal.json: does not match the digest in the ledger"),
    ("a deleted file", lambda launch: (launch / "server.json").unlink(), "server.json: missing or altered"),
    ("a deleted seal", lambda launch: (launch / "seal.json").unlink(), "seal.json is missing"),
    ("a deleted launch", shutil.rmtree, "seal.json is missing"),
    ("an added file", add_file, "files that were not sealed"),
]


@pytest.mark.parametrize(("name", "tamper", "expected"), CASES, ids=[case[0] for case in CASES])
def test_tampering_is_caught_and_named(tmp_path: Path, name: str, tamper: Callable[[Path], None], expected: str) -> None:
    ledger = sealed(tmp_path)
    assert seal.is_sealed(tmp_path, LAUNCH, ledger)
    tamper(tmp_path / LAUNCH)
    with pytest.raises(EvidenceError, match=expected):
        seal.is_sealed(tmp_path, LAUNCH, ledger)
    assert name


def test_a_crash_between_ledger_and_rename_is_healed(tmp_path: Path) -> None:
    ledger = sealed(tmp_path)
    (tmp_path / LAUNCH).rename(seal.partial_dir(tmp_path, LAUNCH))
    assert seal.is_sealed(tmp_path, LAUNCH, ledger)
    assert (tmp_path / LAUNCH / "seal.json").is_file()


def test_a_crash_before_the_ledger_leaves_nothing_to_believe(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl", lambda: 1.0)
    part = seal.partial_dir(tmp_path, LAUNCH)
    part.mkdir(parents=True)
    (part / "bench_runs.jsonl").write_text("{}")
    assert not seal.is_sealed(tmp_path, LAUNCH, ledger)
    assert not part.exists()


def test_a_launch_the_ledger_never_saw_is_refused(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl", lambda: 1.0)
    (tmp_path / LAUNCH).mkdir(parents=True)
    with pytest.raises(EvidenceError, match="never saw it sealed"):
        seal.is_sealed(tmp_path, LAUNCH, ledger)


def test_the_seal_lists_every_file_with_its_digest(tmp_path: Path) -> None:
    sealed(tmp_path)
    record = json.loads((tmp_path / LAUNCH / "seal.json").read_bytes())
    assert set(record["files"]) == {"bench_runs.jsonl", "server.json"}
    assert record["launch_id"] == LAUNCH
