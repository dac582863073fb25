"""Scope harness."""

from __future__ import annotations

from audit.gates import harness
from audit.scopes.gate import Gate

GATES = (Gate("harness", harness.check),)
