"""Scope bundle: everything that was accepted, together, against the true baseline."""

from __future__ import annotations

from audit.gates import parts
from audit.scopes import patch
from audit.scopes.gate import Gate

GATES = (*patch.GATES, Gate("parts", parts.check))
