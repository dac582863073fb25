"""An isolated benchmark of one overlay: each leg in a process of its own, and the record that the auditor reads."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.canonical import file_digest, pretty, write_atomic
from workflow.errors import WorkerFailedError
from workflow.harness import told
from workflow.harness.record import MAX_REL_ERR, Kept, record
from workflow.jobs import Limits, last_words, run
from workflow.profiling import run as profiling
from workflow.sandbox import Job, Sandbox
from workflow.serving import Engine
from workflow.serving.overlay import Overlay, install

RECORD, ORACLE, TOLERANCE = "harness_record.json", "reference.json", "tolerance.json"
WORKER = Path(__file__).resolve().parent / "isolated_worker.py"
CASES, ITERATIONS = 3, 60
LIMITS = Limits(180.0, 256 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class Isolated:
    """What to measure: one overlay in one configuration, on prompts of the load."""

    engine: Engine
    model: Path
    flags: Mapping[str, Any]
    env: Mapping[str, str]
    beside: Sequence[Overlay]
    """Overlays in force."""
    overlay: Overlay
    prompts: Sequence[str]
    output_len: int


def measure(bench: Isolated, sandbox: Sandbox, folder: Path) -> dict[str, Any]:
    """Run both legs, write the record and what it refers to into ``folder``, return the record.

    The reference comes from the baseline's process and is kept before the candidate's is started. Raises WorkerFailedError
    when a leg's process fails or says what cannot be; what it printed stands in the message.
    """
    baseline = _leg(bench, bench.beside, sandbox)
    folder.mkdir(parents=True, exist_ok=True)
    references = [base64.b64encode(case.reference or case.output).decode() for case in baseline.cases]
    own = [case.reference is None for case in baseline.cases]
    write_atomic(folder / ORACLE, pretty({"float64": references, "is_the_baselines_own_output": own}))
    write_atomic(folder / TOLERANCE, pretty({"max_rel_err": dict(MAX_REL_ERR)}))
    before = [file_digest(folder / name) for name in (ORACLE, TOLERANCE)]
    candidate = _leg(bench, (*bench.beside, bench.overlay), sandbox)
    oracle, tolerance = (
        Kept(name, digest, file_digest(folder / name)) for name, digest in zip((ORACLE, TOLERANCE), before, strict=True)
    )
    found = record(bench.overlay, (baseline, candidate), (oracle, tolerance), bench.engine.dispatch(bench.flags))
    write_atomic(folder / RECORD, pretty(found))
    return found


def _leg(bench: Isolated, overlays: Sequence[Overlay], sandbox: Sandbox) -> told.Leg:
    """What the worker of one leg says, with these overlays installed."""
    put = install(overlays, sandboxed=sandbox.kind == "bubblewrap")
    job = Job(
        [sys.executable, str(WORKER), str(profiling.WORKER)],
        {**bench.engine.environment(bench.env), **put.env},
        readable=[bench.model],
        placed={**put.placed, str(WORKER): WORKER, str(profiling.WORKER): profiling.WORKER},
    )
    asked = {
        "model": str(bench.model), "flags": dict(bench.flags), "prompts": list(bench.prompts), "output_len": bench.output_len,
        "target": bench.overlay.target, "cases": CASES, "iterations": ITERATIONS,
    }  # fmt: skip
    done = run(job, sandbox, json.dumps(asked).encode(), LIMITS)
    if done.code != 0:
        raise WorkerFailedError(f"the isolated benchmark's process ended with {done.code}: {last_words(done.words)}")
    return told.leg(done.out, ITERATIONS)
