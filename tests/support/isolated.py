"""What the processes of an isolated benchmark say, made up: two shapes of one operation, at a pace, off by a share."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workflow.canonical import pretty, write_atomic
from workflow.harness import RECORD, told
from workflow.harness.record import Kept, record
from workflow.measure.types import Prompt, Settings, Workload
from workflow.serving.overlay import Overlay

TIMES = 40
KEPT = (Kept("reference.json", "cd" * 32, "cd" * 32), Kept("tolerance.json", "ef" * 32, "ef" * 32))


def numbers(values: Any) -> str:
    """As the worker writes an output."""
    return base64.b64encode(np.asarray(values, dtype="<f8").tobytes()).decode()


def leg(seed: int, ms: float, off: float = 0.0, file: str = "modeling.py") -> dict[str, Any]:
    """What the worker of one leg says: two shapes, an output that is off by a share of its largest value."""
    drawn = random.Random(seed)
    cases = []
    for rows, calls in ((8, 900), (64, 9)):
        reference = np.random.default_rng(rows).normal(size=rows * 16)
        output = reference.astype("<f4").astype("<f8")
        output[0] += off * abs(reference).max()
        times = [ms * rows / 8 * drawn.uniform(0.97, 1.03) for _ in range(TIMES)]
        inputs = [hashlib.sha256(f"{seed}{rows}{n}".encode()).hexdigest() for n in range(TIMES)]
        outputs = [hashlib.sha256(f"out {rows} {file}".encode()).hexdigest()] * TIMES
        cases.append(
            {
                "mark": f"{rows} x 16", "dims": [rows, 16], "dtype": "float32", "calls": calls, "device_ms": times,
                "wall_ms": [value + 0.0004 for value in times], "output_sha256": outputs, "inputs_before": inputs,
                "inputs_after": inputs, "poisoned_bytes_left": 0, "output": numbers(output), "reference": numbers(reference),
            }
        )  # fmt: skip
    sha256 = hashlib.sha256(file.encode()).hexdigest()
    clock = "time.perf_counter_ns builtin_function_or_method"
    return {
        "callable": {"file": file, "sha256": sha256, "qualname": f"{file[0]}.forward", "module": file},
        "cases": cases,
        "timer": {"name": "time.perf_counter_ns", "identity_before": clock, "identity_after": clock},
    }  # fmt: skip


def read(answer: Any) -> told.Leg:
    """An answer as the campaign reads it from the worker."""
    return told.leg(json.dumps(answer).encode(), TIMES)


class SimulatedIsolator:
    """See ``Isolator``: every overlay halves the time of its operation."""

    def __call__(
        self, settings: Settings, overlay: Overlay, prompts: Sequence[Prompt], load: Workload, folder: Path
    ) -> float | None:
        """Write the record, return its speed-up."""
        del settings, prompts, load
        found = record(overlay, (read(leg(1, 0.04)), read(leg(2, 0.02, file="overlay.py"))), KEPT, "eager")
        write_atomic(folder / RECORD, pretty(found))
        speedup: float | None = found["speedup"]
        return speedup
