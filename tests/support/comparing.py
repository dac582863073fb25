"""What two campaign directories are compared by: ledger keys, and the seals that a resume must leave alone."""

from __future__ import annotations

import json
from pathlib import Path

from workflow.ledger import Ledger


def keys(run_dir: Path) -> tuple[list[str], list[str]]:
    """Kinds in their order; keys sorted, since a plan that a later session drew may begin with the other leg."""
    entries = Ledger(run_dir / "ledger.jsonl", lambda: 0.0, read_only=True).entries
    return [entry.kind for entry in entries], sorted(entry.key for entry in entries)


def seals(run_dir: Path) -> dict[str, str]:
    """Digest of the seal by key of the ledger, torn last line or not; empty while there is no ledger."""
    path = run_dir / "ledger.jsonl"
    lines = [json.loads(line) for line in path.read_bytes().splitlines() if line.endswith(b"}")] if path.exists() else []
    return {line["key"]: line["body"]["seal_sha256"] for line in lines if line["kind"] == "sealed"}
