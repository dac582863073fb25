"""Scope baseline: one configuration measured against itself."""

from __future__ import annotations

from audit.gates import baseline_conditions, contention, correctness, lifecycle, seal, spread
from audit.scopes.gate import Gate

GATES = (
    Gate("seal", seal.seals),
    Gate("baseline_conditions", baseline_conditions.check),
    Gate("contention", contention.check),
    Gate("lifecycle", lifecycle.check),
    Gate("coherence", correctness.baseline),
    Gate("spread", spread.check),
)
