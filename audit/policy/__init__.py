"""The policy: every threshold, key class and requirement, versioned, with a digest that stands in each verdict."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec
from msgspec import Struct

from audit.policy.answers import Correctness, Judging, ProbeFiles, Text
from audit.policy.claims import ClaimFile, Claims
from audit.policy.kernels import Device, Harness, Sources
from audit.policy.keys import Consequence, Keys
from audit.policy.measuring import (
    Baseline,
    Contention,
    Delta,
    Drift,
    Headline,
    Layout,
    Lifecycle,
    Limits,
    RowRules,
    Series,
    Tolerance,
)
from audit.policy.records import Levers, LogEventPattern, LogPattern, Logs, Profiling, Symbols

__all__ = [
    "SCHEMA",
    "Baseline",
    "ClaimFile",
    "Claims",
    "Consequence",
    "Contention",
    "Correctness",
    "Delta",
    "Device",
    "Drift",
    "Harness",
    "Headline",
    "Judging",
    "Keys",
    "Layout",
    "Levers",
    "Lifecycle",
    "Limits",
    "Loaded",
    "LogEventPattern",
    "LogPattern",
    "Logs",
    "Policy",
    "ProbeFiles",
    "Profiling",
    "Requirement",
    "RowRules",
    "Series",
    "Sources",
    "Symbols",
    "Text",
    "Tolerance",
    "load",
]
SCHEMA = "countersign.policy/1"  # 1: first form
Requirement = Literal["always", "own", "declared", "probed", "never"]
"""When a gate's ``unknown`` is a FAIL: always; for our own runs; for our own runs and whatever was declared;
for our own runs and candidates that were probed for correctness; never."""


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """One policy file."""

    schema: str
    name: str
    strict: bool
    """True: what a gate itself calls advisory is required too."""
    limits: Limits
    tolerance: Tolerance
    rows: RowRules
    contention: Contention
    lifecycle: Lifecycle
    drift: Drift
    delta: Delta
    series: Series
    headline: Headline
    correctness: Correctness
    text: Text
    judge: Judging
    baseline: Baseline
    layout: Layout
    keys: Keys
    logs: Logs
    profile: Profiling
    levers: Levers
    claims: Claims
    overlays: Sources
    harness: Harness
    scopes: dict[str, dict[str, Requirement]]


class Loaded(Struct, frozen=True):
    """A policy and the sha256 of the bytes it was read from."""

    policy: Policy
    digest: str


@cache
def load() -> Loaded:
    """The shipped policy. Raises msgspec.ValidationError when the installation is damaged."""
    data = files("audit").joinpath("policy.json").read_bytes()
    return Loaded(msgspec.json.decode(data, type=Policy), hashlib.sha256(data).hexdigest())
