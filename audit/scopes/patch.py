"""Scope patch: one declared change against the configuration it was made on."""

from __future__ import annotations

from audit.gates import (
    baseline_drift,
    claims,
    contention,
    correctness,
    engagement,
    headline,
    health,
    isolated,
    lever_class,
    lifecycle,
    load,
    pressure,
    prompts,
    real_delta,
    same_conditions,
    same_work,
    seal,
    warm_cache,
)
from audit.scopes.gate import Gate

GATES = (
    Gate("seal", seal.seals),
    Gate("same_conditions", same_conditions.check),
    Gate("same_work", same_work.check),
    Gate("prompts", prompts.check),
    Gate("load", load.check),
    Gate("warm_cache", warm_cache.check),
    Gate("pressure", pressure.check),
    Gate("health", health.check),
    Gate("contention", contention.check),
    Gate("lifecycle", lifecycle.check),
    Gate("baseline_drift", baseline_drift.check),
    Gate("correctness", correctness.check),
    Gate("real_delta", real_delta.check),
    Gate("engagement", engagement.check),
    Gate("headline", headline.check),
    Gate("lever_class", lever_class.check),
    Gate("isolated", isolated.check),
    Gate("claims", claims.check),
)
