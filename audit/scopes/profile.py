"""Scope profile: where the time goes, before anybody works on it."""

from __future__ import annotations

from audit.gates import profile_config, profile_modules, profile_routing, profile_shares, profile_trace
from audit.scopes.gate import Gate

GATES = (
    Gate("profile_trace", profile_trace.check),
    Gate("profile_shares", profile_shares.check),
    Gate("profile_modules", profile_modules.check),
    Gate("profile_config", profile_config.check),
    Gate("profile_routing", profile_routing.check),
)
