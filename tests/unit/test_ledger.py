"""The ledger keeps every event once and notices every edit."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow.errors import EvidenceError, OwnedError
from workflow.ledger import GENESIS, Ledger


def clock() -> float:
    return 12.5


def filled(path: Path, count: int = 3) -> Ledger:
    ledger = Ledger(path, clock)
    for number in range(count):
        ledger.append("sealed", f"sealed/{number}", {"launch_id": str(number)})
    return ledger


def test_lines_chain_from_genesis(tmp_path: Path) -> None:
    """Each line names the digest of the one before; reading back gives the same entries."""
    path = tmp_path / "ledger.jsonl"
    ledger = filled(path)
    entries = Ledger(path, clock).entries
    assert entries == ledger.entries and entries[0].prev == GENESIS and entries[2].prev == entries[1].digest
    assert [entry.seq for entry in entries] == [0, 1, 2]


def test_a_key_is_recorded_once(tmp_path: Path) -> None:
    """The same key again returns the first line, whatever the body."""
    path = tmp_path / "ledger.jsonl"
    ledger = filled(path)
    size = path.stat().st_size
    assert ledger.append("sealed", "sealed/1", {"launch_id": "other"}).body == {"launch_id": "1"}
    assert path.stat().st_size == size


@given(line=st.integers(0, 2), position=st.floats(0, 0.999), flip=st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_any_changed_byte_breaks_the_chain(
    tmp_path_factory: pytest.TempPathFactory, line: int, position: float, flip: int
) -> None:
    """One byte anywhere in a line (its end mark apart) is noticed when the ledger is opened."""
    path = tmp_path_factory.mktemp("l") / "ledger.jsonl"
    filled(path)
    lines = path.read_bytes().splitlines(keepends=True)
    at = int(position * (len(lines[line]) - 1))
    changed = bytearray(lines[line])
    changed[at] ^= flip
    lines[line] = bytes(changed)
    path.write_bytes(b"".join(lines))
    with pytest.raises(EvidenceError):
        Ledger(path, clock)


@pytest.mark.parametrize("edit", ["drop_first", "swap", "repeat"])
def test_lines_cannot_be_moved(tmp_path: Path, edit: str) -> None:
    """A line removed, moved or doubled is noticed."""
    path = tmp_path / "ledger.jsonl"
    filled(path)
    a, b, c = path.read_bytes().splitlines(keepends=True)
    path.write_bytes({"drop_first": b + c, "swap": a + c + b, "repeat": a + a + b + c}[edit])
    with pytest.raises(EvidenceError):
        Ledger(path, clock)


def test_a_torn_last_line_is_cut_by_the_owner_and_left_by_readers(tmp_path: Path) -> None:
    """A crash in the middle of a write loses the line that was never acknowledged, and nothing else."""
    path = tmp_path / "ledger.jsonl"
    filled(path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"seq":3,"ki')
    reader = Ledger(path, clock, read_only=True)
    assert len(reader.entries) == 3 and path.read_bytes() != whole
    with pytest.raises(ValueError, match="read-only"):
        reader.append("sealed", "sealed/9", {})
    assert len(Ledger(path, clock).entries) == 3 and path.read_bytes() == whole


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that does not fit is taken back, and can be tried again."""
    path = tmp_path / "ledger.jsonl"
    ledger = filled(path)
    before = path.read_bytes()
    real = os.write

    def short(handle: int, data: bytes) -> int:
        return real(handle, data[:10])

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(OSError, match="disk full"):
        ledger.append("sealed", "sealed/3", {})
    monkeypatch.undo()
    assert path.read_bytes() == before
    ledger.append("sealed", "sealed/3", {})
    assert len(Ledger(path, clock).entries) == 4


def test_bodies_are_strict_json(tmp_path: Path) -> None:
    """NaN is no value."""
    ledger = Ledger(tmp_path / "ledger.jsonl", clock)
    with pytest.raises(ValueError, match="JSON"):
        ledger.append("bank", "bank/x", {"median_tok_s": float("nan")})
    assert not (tmp_path / "ledger.jsonl").exists()


def test_lines_are_canonical(tmp_path: Path) -> None:
    """Sorted keys, no spaces, UTF-8."""
    path = tmp_path / "ledger.jsonl"
    Ledger(path, clock).append("drop", "drop/x", {"reason": "größer"})
    line = path.read_bytes().rstrip(b"\n")
    assert line == json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize("meanwhile", ["appended", "cut", "deleted", "replaced"])
def test_a_ledger_that_somebody_else_wrote_gets_no_line(tmp_path: Path, meanwhile: str) -> None:
    """Two writers would make a chain that nobody can read: the one that comes later stops, and leaves the file alone."""
    path = tmp_path / "ledger.jsonl"
    ours, theirs = filled(path), Ledger(path, clock)
    if meanwhile == "appended":
        theirs.append("drop", "drop/x", {"reason": "x"})
    elif meanwhile == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    if meanwhile == "replaced":
        filled(path, 1)
    before = path.read_bytes() if path.exists() else b""
    with pytest.raises(OwnedError, match="something else wrote it"):
        ours.append("bank", "bank/x", {})
    assert (path.read_bytes() if path.exists() else b"") == before and ours.get("bank/x") is None
