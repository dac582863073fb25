"""Scope profile."""

from __future__ import annotations

from audit.gates import profile
from audit.scopes.gate import Gate

GATES = (Gate("profile", profile.check),)
