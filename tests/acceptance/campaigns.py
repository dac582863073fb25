"""Whole campaigns on real servers, started as a person starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from workflow.commands.campaign import embedded as shipped

TIMEOUT_S = 3600.0


class Ended(NamedTuple):
    """A campaign that came to an end, or to an error."""

    run_dir: Path
    exit_code: int
    told: Any
    """What ``--json`` printed; null after an error."""
    said: str
    """The last of what it said while it ran."""

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Calls of models, oldest first."""
        return _lines(self.run_dir / "calls.jsonl")

    @property
    def ledger(self) -> list[dict[str, Any]]:
        """Lines of the ledger, oldest first."""
        return _lines(self.run_dir / "ledger.jsonl")

    @property
    def policy(self) -> str:
        """Who answered for the roles."""
        return str(json.loads((self.run_dir / "campaign.json").read_bytes())["policy"])

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Bodies of the ledger's lines of a kind."""
        return [line["body"] for line in self.ledger if line["kind"] == kind]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def embedded(path: Path, changes: Mapping[str, Any]) -> Path:
    """The shipped campaign with these keys in place of its own."""
    path.write_text(yaml.safe_dump({**yaml.safe_load(shipped().read_text(encoding="utf-8")), **changes}, sort_keys=False))
    return path


def campaign(config: Path, out: Path, name: str, *words: str) -> Ended:
    """Run it with the auditor to its end; what it took and came to is said (``pytest -s`` shows it)."""
    command = [sys.executable, "-m", "workflow", "campaign", "run", str(config), "--use-auditor", "--json"]
    begun = time.monotonic()
    done = subprocess.run(
        [*command, "--out", str(out), "--id", name, *words], env={**os.environ, "OPENAI_API_KEY": "sk-0123456789"},
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    told: Any = json.loads(done.stdout) if done.stdout.startswith("{") else None
    ended = Ended(out / name, done.returncode, told, done.stderr[-3000:])
    say(f"\n{name}: exit {done.returncode}, {time.monotonic() - begun:.0f} s, {len(ended.calls)} calls")
    for row in told["verdicts"] if told else ():
        say(" ", *row.values(), "BANKED" if row["short_name"] in told["banked"] else "")
    return ended


def say(*words: str) -> None:
    """A line for who watches."""
    sys.stdout.write(" ".join(words) + "\n")
