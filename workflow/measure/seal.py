"""Sealing a launch: every file hashed, the seal's own digest handed to the ledger before the directory gets its name."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from workflow.canonical import canonical, file_digest, sync_dir
from workflow.errors import EvidenceError
from workflow.ledger import Ledger

SCHEMA = "countersign.seal/1"  # 1: first form
SEAL = "seal.json"
RESTORE = "Restore the directory from a copy, or start a new campaign: a sealed launch is never measured again."


def partial_dir(run_dir: Path, launch_id: str) -> Path:
    """Where a launch is written until it is sealed."""
    final = run_dir / launch_id
    return final.with_name(f".{final.name}.partial")


def seal(directory: Path, launch_id: str) -> str:
    """Write seal.json over every file of ``directory``, flush all to disk, return the seal's sha256 (hex)."""
    files: dict[str, dict[str, str | int]] = {}
    for path in sorted(directory.iterdir()):
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
        files[path.name] = {"sha256": file_digest(path), "bytes": path.stat().st_size}
    target = directory / SEAL
    with target.open("wb") as out:
        out.write(canonical({"schema": SCHEMA, "launch_id": launch_id, "files": files}))
        out.flush()
        os.fsync(out.fileno())
    sync_dir(directory)
    return file_digest(target)


def commit(run_dir: Path, launch_id: str, status: str, ledger: Ledger) -> None:
    """Seal the partial directory, ledger the seal's digest, give the directory its name, in that order.

    A crash after the ledger line and before the rename is healed by ``is_sealed`` on the next start.
    """
    part = partial_dir(run_dir, launch_id)
    seal_sha256 = seal(part, launch_id)
    ledger.append("sealed", f"sealed/{launch_id}", {"launch_id": launch_id, "status": status, "seal_sha256": seal_sha256})
    _rename(part, run_dir / launch_id)


def _rename(part: Path, final: Path) -> None:
    part.rename(final)
    sync_dir(final.parent)


def is_sealed(run_dir: Path, launch_id: str, ledger: Ledger) -> bool:
    """True when the launch is whole and matches its ledger line; False when it still has to be measured.

    Finishes an interrupted rename and clears an unsealed leftover. Raises EvidenceError when a sealed launch is
    gone or altered, or when a directory has the name of a sealed launch that the ledger does not know.
    """
    final, part = run_dir / launch_id, partial_dir(run_dir, launch_id)
    entry = ledger.get(f"sealed/{launch_id}")
    if entry is None:
        if final.exists():
            raise EvidenceError(f"{launch_id}: the directory exists but the ledger never saw it sealed", RESTORE)
        if part.exists():
            shutil.rmtree(part)
        return False
    expected = entry.body["seal_sha256"]
    if not final.exists() and part.exists():
        verify(part, launch_id, expected)
        _rename(part, final)
    verify(final, launch_id, expected)
    return True


def verify(directory: Path, launch_id: str, seal_sha256: str) -> None:
    """Raise EvidenceError naming the first file that does not match the seal, or the seal that does not match its digest."""
    target = directory / SEAL
    if not target.is_file():
        raise EvidenceError(f"{launch_id}: sealed in the ledger, but {SEAL} is missing on disk", RESTORE)
    if file_digest(target) != seal_sha256:
        raise EvidenceError(f"{launch_id}/{SEAL}: does not match the digest in the ledger", RESTORE)
    files = json.loads(target.read_bytes())["files"]
    for name, facts in files.items():
        path = directory / name
        if not path.is_file() or file_digest(path) != facts["sha256"]:
            raise EvidenceError(f"{launch_id}/{name}: missing or altered since it was sealed", RESTORE)
    extra = {path.name for path in directory.iterdir()} - set(files) - {SEAL}
    if extra:
        raise EvidenceError(f"{launch_id}: files that were not sealed: {', '.join(sorted(extra))!r}", RESTORE)
