"""The shape of what an operator benchmark writes: GEAK's ``opbench_result.json`` and our own ``harness_record.json``."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Amount = Annotated[float, Meta(ge=0.0, le=1e12)]
Count = Annotated[int, Meta(ge=0)]
RECORD_SCHEMA = "countersign.harness/1"  # 1: first form


class Result(Struct, frozen=True):
    """One backend of ``opbench_result.json``; times in ms per call."""

    backend: str
    available: bool | None = None
    correct: bool | None = None
    ms: Amount | None = None
    """By device events."""
    wall_ms: Amount | None = None
    max_rel_err: Amount | None = None
    artifact: str | None = None


class Opbench(Struct, frozen=True):
    """The part of ``opbench_result.json`` that the auditor uses; other keys are ignored."""

    op_kind: str | None = None
    harness_suspect: bool | None = None
    harness_error: str | None = None
    results: list[Result] = []
    winner_backend: str | None = None
    winner_ms: Amount | None = None
    baseline_backend: str | None = None
    baseline_ms: Amount | None = None
    measured: bool | None = None
    isolated_speedup: Amount | None = None
    pct_gpu_time: Amount | None = None
    amdahl_ceiling_e2e_pct: float | None = None
    winner_kind: str | None = None

    def row(self, backend: str | None) -> Result | None:
        """The row of a backend."""
        return next((row for row in self.results if row.backend == backend), None)


class Callable(Struct, frozen=True, forbid_unknown_fields=True):
    """What a leg called, resolved after import; paths relative to the run or to the record."""

    label: str
    file: str
    sha256: str
    """Of the file when it was imported."""
    qualname: str
    module: str
    device_kernels: list[str] = []
    """Names of the device kernels that a profiler saw while the leg was timed."""
    fallback_calls: Count | None = None
    """Calls that the harness saw reach the reference instead; null: not counted."""


class Shape(Struct, frozen=True, forbid_unknown_fields=True):
    """A shape, and how often the live model calls it."""

    dims: list[Count]
    dtype: str
    live: bool
    calls: Count


class Inputs(Struct, frozen=True, forbid_unknown_fields=True):
    """Digests of the inputs, one per timed iteration, before and after the call."""

    fresh_per_iteration: bool
    digests_before: list[str]
    digests_after: list[str]


class Kept(Struct, frozen=True, forbid_unknown_fields=True):
    """A file that must not change while the benchmark runs."""

    file: str
    sha256_before: str
    sha256_after: str


class Timer(Struct, frozen=True, forbid_unknown_fields=True):
    """The device clock: its name, and what it resolved to before and after the candidate ran."""

    name: str
    identity_before: str
    identity_after: str


class Guard(Struct, frozen=True, forbid_unknown_fields=True):
    """A check of the harness on itself."""

    name: str
    status: Literal["passed", "failed", "error", "skipped"]
    detail: str | None = None


class Dispatch(Struct, frozen=True, forbid_unknown_fields=True):
    """How the operation is launched in the benchmark and in the live server: ``eager``, ``graph_replay``; null: not known."""

    bench_path: str | None
    live_path: str | None


class Timed(Struct, frozen=True, forbid_unknown_fields=True):
    """One leg at one shape; times in ms, one per iteration, warm-up left out."""

    leg: Literal["baseline", "candidate"]
    shape: Count
    """Index into ``shapes``."""
    file_sha256: str
    """Of the file whose function was called for this row."""
    timer: str
    device_ms: list[Amount]
    wall_ms: list[Amount]
    reducer: Literal["mean", "median", "min"]
    reported_ms: Amount
    max_rel_err: Amount | None
    max_abs_err: Amount | None
    nonfinite: Count | None
    """NaN and infinite values in this leg's output."""
    nonfinite_reference: Count | None
    output_sha256: list[str]
    """One per iteration."""
    poisoned_bytes_left: Count | None
    """Bytes of the pattern laid into the output before the call that are still there."""
    output_var: Amount | None
    reference_var: Amount | None
    bytes_moved: Count | None = None
    """Bytes that any implementation must read and write; null: not known."""


class HarnessRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """``harness_record.json``."""

    schema: str
    op: str
    device: str | None
    baseline: Callable
    candidate: Callable
    shapes: list[Shape]
    inputs: Inputs
    oracle: Kept
    tolerance: Kept
    timer: Timer
    dispatch: Dispatch
    guards: list[Guard]
    results: list[Timed]
    cache_flushed: bool = False
    """True: the harness emptied the last-level cache before every iteration."""
    speedup: Amount | None = None
    """As the harness reports it over all shapes."""

    def row(self, leg: str, shape: int) -> Timed | None:
        """One leg at one shape."""
        return next((row for row in self.results if row.leg == leg and row.shape == shape), None)
