"""What an audit costs beside the least it could cost, as ratios within one run: its own SQL, and reading the files."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from audit import engine, policy, requests, sql
from audit.intake.store import Record, Store, insertion
from tests.unit.audit.build import Json, foreign, sglang_row

pytestmark = pytest.mark.bench
ROOT = Path(__file__).resolve().parents[2]
SQL_RATIO, READ_RATIO = 2.0, 2.5
"""One audit on a warm connection over its own statements run bare; the whole command over a process that reads the files."""
WARM, COLD = 25, 11
"""Repetitions, of which the best counts."""
VALUES = (None, True, False, "auto", 8192, 0.9, [1, 2, 4, 8], "/models/a/long/path/to/somewhere")
READ = """
import sys, duckdb
link = duckdb.connect(config={"threads": 1})
for leg in ("ref", "cand"):
    link.execute("SELECT * FROM read_json(?)", [f"{sys.argv[1]}/{leg}/bench_runs.jsonl"]).fetchall()
"""
COMMAND = "import sys; from workflow.cli import main; sys.exit(main(['audit', sys.argv[1]]))"


def info(keys: int) -> Json:
    """``server_info`` of a size that SGLang writes: flat arguments, and the scheduler's copy of them."""
    flat: Json = {"model_path": "m", "version": "0.5.5", "attention_backend": "fa3", "mem_fraction_static": 0.9, "tp_size": 1}
    flat |= {f"argument_{number:03d}": VALUES[number % len(VALUES)] for number in range(keys - len(flat))}
    memory = {"weight": 5.97, "kvcache": 79.02, "token_capacity": 2301720, "graph": 0.62}
    return {**flat, "internal_states": [{**flat, "memory_usage": memory, "last_gen_throughput": 1036.09}]}


def run(root: Path, keys: int) -> Path:
    """Two legs of five lines; without settings in the rows the request names the change all the same."""
    settings = info(keys) if keys else None
    moved = {**settings, "attention_backend": "triton"} if settings else None
    foreign(root / "ref", [sglang_row(value, settings) for value in (1000.0, 1001.5, 999.25, 1002.5, 998.75)])
    foreign(root / "cand", [sglang_row(value, moved) for value in (1080.0, 1083.0, 1081.5, 1082.25, 1079.5)])
    change = {"lever": "attention backend", "flags": {"attention_backend": "triton"}}
    (root / "audit_request.json").write_text(json.dumps({"scope": "patch", "cand_dir": ".", "change": change}))
    return root


class Recording(Store):
    """The usual store, keeping every statement with its values."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, dict[str, Any]]] = []

    def ask(self, name: str, values: Mapping[str, float] | None = None) -> list[Record]:
        if self.needs(name):
            self.said.append((sql.load(name), dict(values or {})))
        return super().ask(name, values)

    def _insert(self, table: str, records: Sequence[Record]) -> None:
        if records:
            made = insertion(table, records)
            self.said.append((made.text, made.values))
        super()._insert(table, records)


def statements(place: Path) -> list[tuple[str, dict[str, Any]]]:
    """What one audit says to DuckDB."""
    store = Recording()
    engine.judge(place, requests.read(place, policy.load().policy).requests[0], None, engine.Manner(store=store))
    return store.said


def bare(said: Sequence[tuple[str, Mapping[str, Any]]]) -> Callable[[], object]:
    """The same statements on a connection of their own, and nothing else."""
    link = duckdb.connect(":memory:", config={"threads": 1})
    link.execute(sql.load("tables"))
    tables = sorted({text.split()[2] for text, _ in said if text.startswith("INSERT")})

    def again() -> None:
        for text, values in said:
            link.execute(text, values).fetchall()
        link.execute("; ".join(f"TRUNCATE {table}" for table in tables))

    return again


def best(times: int, clock: Callable[[], float], work: Callable[[], object], least: Callable[[], object]) -> tuple[float, float]:
    """Shortest time of both, ms, after one run of each; taken in turns, so that a busy machine meets both."""
    found = [float("inf")] * 2
    for turn in range(times + 1):
        for place, one in enumerate((work, least)):
            start = clock()
            one()
            if turn:
                found[place] = min(found[place], 1000 * (clock() - start))
    return found[0], found[1]


def children() -> float:
    """Processor time of finished child processes, seconds: what else runs on the machine does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("keys", [280, 0])
def test_an_audit_costs_little_beside_its_own_questions(keys: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Reading, statistics, gates and verdict together take no longer than the statements they rest on."""
    place = run(tmp_path, keys)
    said = statements(place)
    audit, alone = best(WARM, time.process_time, lambda: engine.audit_path(place), bare(said))
    with capsys.disabled():
        sys.stdout.write(
            f"\nbench: audit {audit:.1f} ms, its {len(said)} statements {alone:.1f} ms, {keys} keys: {audit / alone:.2f}\n"
        )
    assert audit / alone <= SQL_RATIO


@pytest.mark.parametrize("keys", [280, 0])
def test_the_command_costs_little_beside_reading_the_files(keys: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Start-up included, against a process that imports DuckDB, connects, and reads both files."""
    place = run(tmp_path / "run", keys)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(tmp_path / "cache")}

    def started(program: str) -> Callable[[], bytes]:
        command = [sys.executable, "-c", program, str(place)]
        return lambda: subprocess.run(command, env=env, capture_output=True, check=False).stdout

    assert b" patch (patch): " in started(COMMAND)()
    assert started(READ)() == b""
    command, read = best(COLD, children, started(COMMAND), started(READ))
    with capsys.disabled():
        sys.stdout.write(f"\nbench: command {command:.0f} ms, reading {read:.0f} ms, {keys} keys: {command / read:.2f}\n")
    assert command / read <= READ_RATIO
