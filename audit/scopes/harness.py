"""Scope harness."""

from __future__ import annotations

from audit.gates import harness, harness_correctness, harness_numbers, harness_paths, harness_timing
from audit.scopes.gate import Gate

GATES = (
    Gate(harness.GATE, harness.check),
    Gate(harness_numbers.GATE, harness_numbers.check),
    Gate(harness_correctness.GATE, harness_correctness.check),
    Gate(harness_timing.GATE, harness_timing.check),
    Gate(harness_paths.SHAPES, harness_paths.shapes),
    Gate(harness_paths.DISPATCH, harness_paths.dispatch),
    Gate(harness_paths.GUARDS, harness_paths.guards),
    Gate(harness_paths.SOURCES, harness_paths.sources),
)
