"""Running one profile: the worker in the sandbox, its trace and tables in a folder of the run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.canonical import pretty, write_atomic
from workflow.errors import InfrastructureError
from workflow.profiling.table import Row, Table, table
from workflow.sandbox import Job, Sandbox
from workflow.serving import Engine
from workflow.serving.overlay import Overlay, install

SCHEMA = "countersign.profile/1"  # 1: first form
WORKER = Path(__file__).resolve().parent / "worker.py"
TRACE, TABLE, SETTINGS, LOG = "served.trace.json.gz", "profile_topN.json", "server_info.json", "worker.log"
TOP = 20


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

    Raises InfrastructureError when the worker fails, hangs or writes no trace; what it printed is in worker.log.
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


def write_profile(folder: Path, trace: bytes, told: Mapping[str, Any], flags: Mapping[str, Any]) -> Table:
    """Trace, tables and settings as files of a profile; the table. Raises InfrastructureError on what is no trace."""
    found = table(trace)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / TRACE, trace)
    write_atomic(folder / SETTINGS, pretty({"dtype": "float32", **flags}))
    write_atomic(folder / TABLE, pretty(_as_file(found, told)))
    return found


def _run(job: Job, sandbox: Sandbox, given: bytes, folder: Path, timeout_s: float) -> tuple[dict[str, Any], bytes]:
    """The worker's word and its trace."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / LOG
    hint = f"Read {log}; a model that is served but not profiled can go without: set `profile: false`."
    with tempfile.TemporaryDirectory(prefix="countersign-") as private, log.open("wb") as errors:
        try:
            done = subprocess.run(
                sandbox.command(job), input=given, stdout=subprocess.PIPE, stderr=errors, check=False, timeout=timeout_s,
                env=sandbox.environment(job, Path(private)),
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise InfrastructureError(f"the profile did not end within {timeout_s:g} s", hint) from error
    line, _, trace = done.stdout.partition(b"\n")
    if done.returncode != 0 or not trace:
        raise InfrastructureError(f"the profile's process ended with {done.returncode} and {len(trace)} bytes of trace", hint)
    try:
        told: dict[str, Any] = json.loads(line)
    except ValueError as error:
        raise InfrastructureError(f"the profile's process wrote no record ({error})", hint) from error
    return told, trace


def _as_file(found: Table, told: Mapping[str, Any]) -> dict[str, Any]:
    """profile_topN.json: times in us, shares of the time in operations; latencies in ms, without the profiler."""
    latency = told["latency"]
    return {
        "schema": SCHEMA,
        "total_us": found.total_us,
        "kernels": [_row(row) for row in found.ops[:TOP]],
        "modules": [_row(row) for row in found.modules],
        "steps": found.steps,
        "unprofiled_ms": {
            "prefill": [1000 * value for value in latency["prefill"]],
            "decode": [1000 * value for value in latency["decode"]],
            "whole": 1000 * latency["whole"],
        },
        "versions": told["versions"],
        "threads": told["threads"],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name, "us": row.us, "pct": row.share_pct, "ceiling_pct": row.ceiling_pct, "calls": row.calls,
        "shapes": list(row.shapes), "modules": list(row.modules),
    }  # fmt: skip
