"""All checks in the order in which they are printed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from workflow.doctoring import machine, software
from workflow.doctoring.check import Check
from workflow.doctoring.model import model


def examine(runs: Path, models: Sequence[str] = (), api_base: str | None = None) -> Iterator[Check]:
    """Look at this machine; ``runs`` is where campaigns would be kept. Nothing stays written, no network is asked but for models.

    The load is measured first, before the checks themselves make any.
    """
    busy = machine.busy_cores()
    yield software.python()
    yield software.packages()
    for extra in ("audit", "campaign", "engine", "models", "proof"):
        yield software.dependencies(extra)
    yield software.versions(software.pins(), software.installed())
    probe = software.probe()
    yield software.embedded_engine(probe)
    yield software.shipped_model()
    for name in ("vllm", "sglang"):
        yield software.other_engine(name)
    yield software.accelerator(probe, machine.tools("nvidia-smi", "rocm-smi"))
    yield machine.sandbox()
    yield machine.compiler(os.environ)
    yield machine.disk(runs)
    yield machine.memory(machine.available_bytes())
    yield machine.cores(machine.usable_cores())
    yield machine.load(busy, os.getloadavg()[0])
    yield machine.ports()
    yield machine.clock()
    yield software.keys(os.environ)
    for name in models:
        yield model(name, api_base)
