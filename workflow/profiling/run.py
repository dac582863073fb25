"""Running one profile: the worker in the sandbox, its trace and tables in a folder of the run."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from workflow.canonical import pretty, write_atomic
from workflow.errors import WorkerFailedError
from workflow.jobs import Limits, last_words, run
from workflow.profiling.table import Row, Table, table
from workflow.sandbox import Job, Sandbox
from workflow.serving import Engine
from workflow.serving.overlay import Overlay, install

SCHEMA = "countersign.profile/1"  # 1: first form
WORKER = Path(__file__).resolve().parent / "worker.py"
TRACE, TABLE, SETTINGS, LOG = "served.trace.json.gz", "profile_topN.json", "server_info.json", "worker.log"
TOP = 20
MOST_BYTES = 64 * 1024 * 1024
"""Bytes of a packed trace; the load is as many prompts as it has clients, a megabyte or two."""


Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
Passes = Annotated[list[Seconds], msgspec.Meta(max_length=1_000_000)]


class Latency(msgspec.Struct, frozen=True):
    """Seconds without the profiler: of every forward pass by phase, and of the whole."""

    prefill: Passes
    decode: Passes
    whole: Seconds


class Told(msgspec.Struct, frozen=True):
    """What the worker says of itself."""

    latency: Latency
    versions: dict[str, str]
    threads: int


@dataclass(frozen=True, slots=True)
class ProfileSpec:
    """What to profile: the engine's settings in force, and the shapes of the load."""

    engine: Engine
    model: Path
    flags: Mapping[str, Any]
    env: Mapping[str, str]
    overlays: Sequence[Overlay]
    prompts: Sequence[str]
    output_len: int
    timeout_s: float = 300.0


def profile(spec: ProfileSpec, sandbox: Sandbox, folder: Path) -> Table:
    """Profile once, write trace, table and settings into ``folder``, and return the table.

    Raises WorkerFailedError when the worker fails, hangs or writes no trace; what it printed is in worker.log.
    """
    put = install(spec.overlays, sandboxed=sandbox.kind == "bubblewrap")
    env = {**spec.engine.environment(spec.env), **put.env}
    job = Job(argv=[sys.executable, str(WORKER)], env=env, readable=[spec.model], placed={**put.placed, str(WORKER): WORKER})
    asked = {
        "model": str(spec.model),
        "flags": dict(spec.flags),
        "prompts": list(spec.prompts),
        "output_len": spec.output_len,
        "functions": list(spec.engine.functions),
    }
    told, trace = _run(job, sandbox, json.dumps(asked).encode(), folder, spec.timeout_s)
    return write_profile(folder, trace, told, spec.flags)


def write_profile(folder: Path, trace: bytes, told: Told, flags: Mapping[str, Any]) -> Table:
    """Trace, tables and settings as files of a profile; the table. Raises WorkerFailedError on what is no trace."""
    found = table(trace)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / TRACE, trace)
    write_atomic(folder / SETTINGS, pretty({"dtype": "float32", **flags}))
    write_atomic(folder / TABLE, pretty(_as_file(found, told)))
    return found


def _run(job: Job, sandbox: Sandbox, given: bytes, folder: Path, timeout_s: float) -> tuple[Told, bytes]:
    """The worker's word and its trace; what it printed is kept in worker.log."""
    folder.mkdir(parents=True, exist_ok=True)
    done = run(job, sandbox, given, Limits(timeout_s, MOST_BYTES))
    (folder / LOG).write_text(done.words, encoding="utf-8")
    line, _, trace = done.out.partition(b"\n")
    if done.code != 0 or not trace:
        raise WorkerFailedError(f"the profile ended with {done.code} and {len(trace)} bytes of trace: {last_words(done.words)}")
    try:
        return msgspec.json.decode(line, type=Told), trace
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WorkerFailedError(f"the profile's process wrote no record ({error})") from error


def _as_file(found: Table, told: Told) -> dict[str, Any]:
    """profile_topN.json: times in us, shares of the time in operations; latencies in ms, without the profiler."""
    return {
        "schema": SCHEMA,
        "total_us": found.total_us,
        "kernels": [_row(row) for row in found.ops[:TOP]],
        "modules": [_row(row) for row in found.modules],
        "steps": found.steps,
        "unprofiled_ms": {
            "prefill": [1000 * value for value in told.latency.prefill],
            "decode": [1000 * value for value in told.latency.decode],
            "whole": 1000 * told.latency.whole,
        },
        "versions": told.versions,
        "threads": told.threads,
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name, "us": row.us, "pct": row.share_pct, "ceiling_pct": row.ceiling_pct, "calls": row.calls,
        "shapes": list(row.shapes), "modules": list(row.modules),
    }  # fmt: skip
