"""Carrying out a plan: each launch measured once, sealed, ledgered; what is sealed already is left alone."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from workflow.errors import InfrastructureError
from workflow.ledger import Entry, Ledger
from workflow.measure import seal
from workflow.measure.plan import Plan, Slot, draw_order, size_repeat, slots
from workflow.measure.records import write_launch
from workflow.measure.types import REFERENCES, Driver, LaunchSpec, Leg, Observation, Prompt, PromptSource, Settings, Workload
from workflow.profiling.table import Table
from workflow.sandbox import Sandbox
from workflow.serving.overlay import Overlay

QUIET_CORES = 0.05
"""A launch during which strangers used more CPU than this is measured again, once."""
MOST_ATTEMPTS = 2
PILOT_ROUNDS = 4
"""Requests of a pilot per client."""


class Isolator(Protocol):
    """Benchmarks an overlay by itself. The real one is ``workflow.harness.isolated.measure``."""

    def __call__(
        self, settings: Settings, overlay: Overlay, prompts: Sequence[Prompt], load: Workload, folder: Path
    ) -> float | None:
        """Write the record into the folder and return the speed-up it states. Raises WorkerFailedError when that fails."""
        ...


UNCONFINED = Sandbox("none", "nothing was confined")


class Profiler(Protocol):
    """Profiles a model as it is served. The real one is ``workflow.profiling.profile``."""

    def __call__(self, settings: Settings, prompts: Sequence[Prompt], load: Workload, folder: Path) -> Table:
        """Write trace and tables into the folder and return the table. Raises WorkerFailedError when that fails."""
        ...


@dataclass(frozen=True, slots=True)
class Bench:
    """What a plan needs from the world; tests put their own clock, entropy and driver here."""

    driver: Driver
    prompts: PromptSource
    clock: Callable[[], float]
    entropy: Callable[[], int]
    progress: Callable[[str, float], None]
    """Called with a sentence and the fraction (0 to 1) of the plan's launches that are done."""
    sandbox: Sandbox = UNCONFINED
    """How code that is not ours is confined on this machine."""
    profiler: Profiler | None = None
    """Profiles the served model; None where nothing can be profiled."""
    isolator: Isolator | None = None
    """Benchmarks one overlay by itself; None where nothing can."""


class LaunchSummary(NamedTuple):
    """What is on disk of one launch: output tokens per second of each timed repeat."""

    launch_id: str
    leg: Leg
    status: str
    output_throughputs: tuple[float, ...]


def execute(plan: Plan, run_dir: Path, ledger: Ledger, bench: Bench) -> list[LaunchSummary]:
    """Measure every launch of the plan that is not sealed yet; return all of them in time order.

    Seed and order are drawn here, after the proposal is frozen, and kept in the ledger, as is the prompt seed of each
    pair at the moment the pair starts. A candidate's server that fails ends the plan early, sealed as ``failed``.
    Raises InfrastructureError when a reference launch fails or the disk is full, EvidenceError when sealed
    evidence was altered.
    """
    entry = ledger.get(f"plan/{plan.dir}") or _settle(plan, ledger, bench)
    order: list[Leg] = list(entry.body["order"])
    plan = replace(plan, workload=replace(plan.workload, requests_per_repeat=entry.body["requests_per_repeat"]))
    places = slots(plan, order)
    done: list[LaunchSummary] = []
    for slot in places:

        def report(what: str, part: float, slot: Slot = slot) -> None:
            bench.progress(f"{slot.launch_id}: {what}", (slot.position + part) / len(places))

        try:
            if not seal.is_sealed(run_dir, slot.launch_id, ledger):
                spec = _spec(plan, slot, order, _prompts(plan, slot, ledger, bench))
                _measure(spec, run_dir, ledger, bench, report)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise InfrastructureError(
                    f"{slot.launch_id}: cannot be written: {error.strerror}",
                    f"Free space under {run_dir} and run `countersign campaign resume {run_dir}`.",
                ) from error
            raise
        done.append(read_summary(run_dir, slot))
        if done[-1].status == "failed":
            break
    return done


def _settle(plan: Plan, ledger: Ledger, bench: Bench) -> Entry:
    """Draw the seed, pilot the leg under test to size the repeats, and ledger the plan; nothing of it changes later."""
    drawn = bench.entropy()
    pilot = pilot_tok_s(plan, drawn, bench)
    body = {
        "dir": plan.dir,
        "seed": drawn,
        "order": draw_order(plan, drawn),
        "launches": plan.launches,
        "repeats": plan.repeats,
        "requests_per_repeat": size_repeat(plan, pilot),
        "pilot_tok_s": round(pilot, 3),
    }
    return ledger.append("plan", f"plan/{plan.dir}", body)


def pilot_tok_s(plan: Plan, seed: int, bench: Bench) -> float:
    """Output tok/s of one short launch that leaves no evidence: it sizes the repeats and decides nothing.

    0.0 when its server fails; the measured launch of the same server then fails for the record.
    """
    leg = plan.under_test
    load = plan.workload
    prompts = bench.prompts.draw(seed, load.warmup_requests + PILOT_ROUNDS * load.concurrency, load.output_len)
    spec = LaunchSpec(
        launch_id=f"{plan.dir}/pilot",
        leg=leg,
        settings=plan.legs[leg],
        workload=load,
        warmup=prompts[: load.warmup_requests],
        repeats=[prompts[load.warmup_requests :]],
        pair=-1,
        position=-1,
        order=(),
    )
    seen = bench.driver.observe(spec, lambda what, _: bench.progress(f"{plan.dir}: sizing the repeats: {what}", 0.0))
    if seen.status != "complete" or not seen.repeats:
        return 0.0
    repeat = seen.repeats[0]
    return sum(record.tokens_out for record in repeat.requests if record.error is None) / repeat.duration_s


def _prompts(plan: Plan, slot: Slot, ledger: Ledger, bench: Bench) -> list[Prompt]:
    key = f"pair/{plan.dir}/{slot.pair}"
    entry = ledger.get(key)
    if entry is None:
        entry = ledger.append("pair", key, {"dir": plan.dir, "pair": slot.pair, "prompt_seed": bench.entropy()})
    load = plan.workload
    count = load.warmup_requests + plan.repeats * load.requests_per_repeat
    return bench.prompts.draw(entry.body["prompt_seed"], count, load.output_len)


def _spec(plan: Plan, slot: Slot, order: list[Leg], prompts: list[Prompt]) -> LaunchSpec:
    load = plan.workload
    timed = prompts[load.warmup_requests :]
    size = load.requests_per_repeat
    return LaunchSpec(
        launch_id=slot.launch_id,
        leg=slot.leg,
        settings=plan.legs[slot.leg],
        workload=load,
        warmup=prompts[: load.warmup_requests],
        repeats=[timed[n * size : (n + 1) * size] for n in range(plan.repeats)],
        pair=slot.pair,
        position=slot.position,
        order=order,
    )


def _measure(spec: LaunchSpec, run_dir: Path, ledger: Ledger, bench: Bench, report: Callable[[str, float], None]) -> None:
    """Measure one launch into its partial directory and commit it.

    A launch during which strangers used the machine is set aside (kept and ledgered, never counted) and measured once more:
    by what the neighbours did, never by what was measured, and for both legs alike. See docs/decisions/0006.
    """
    part = seal.partial_dir(run_dir, spec.launch_id)
    try:
        for attempt in range(1, MOST_ATTEMPTS + 1):
            part.mkdir(parents=True)
            seen = bench.driver.observe(spec, report)
            ledger.still_ours()
            write_launch(part, spec, seen)
            if seen.status == "failed" and spec.leg in REFERENCES:
                raise InfrastructureError(*_reference_failed(spec, seen, run_dir, part))
            used = foreign_cores(seen)
            if used <= QUIET_CORES or attempt == MOST_ATTEMPTS or ledger.get(f"set_aside/{spec.launch_id}") is not None:
                break
            _set_aside(spec, used, run_dir, ledger, part)
            report(f"other processes used {used:.2f} cores; measuring this launch again", 0.0)
        seal.commit(run_dir, spec.launch_id, seen.status, ledger)
    except BaseException:
        ledger.still_ours()  # else what lies there now is being measured by another owner
        if ledger.get(f"sealed/{spec.launch_id}") is None and part.exists():
            shutil.rmtree(part)
        raise


def foreign_cores(seen: Observation) -> float:
    """CPU that strangers used in the busiest timed repeat of a launch, mean over the repeat, in cores; 0.0 without samples."""
    worst = 0.0
    for repeat in seen.repeats:
        samples = [
            s["foreign_cores"] for s in seen.host.get("samples", []) if repeat.start_unix < s["t_unix"] <= repeat.end_unix + 1
        ]
        worst = max(worst, sum(samples) / len(samples) if samples else 0.0)
    return worst


def _set_aside(spec: LaunchSpec, used: float, run_dir: Path, ledger: Ledger, part: Path) -> None:
    """Move a contended launch out of its leg, sealed, and say so in the ledger."""
    keep = run_dir / "set_aside" / spec.launch_id
    shutil.rmtree(keep, ignore_errors=True)
    keep.parent.mkdir(parents=True, exist_ok=True)
    seal_sha256 = seal.seal(part, spec.launch_id)
    part.rename(keep)
    body = {"launch_id": spec.launch_id, "foreign_cores": round(used, 4), "seal_sha256": seal_sha256}
    ledger.append("set_aside", f"set_aside/{spec.launch_id}", body)


def _reference_failed(spec: LaunchSpec, seen: Observation, run_dir: Path, part: Path) -> tuple[str, str]:
    """Keep what a failed reference left (it is no evidence) and say where it is."""
    keep = run_dir / ".state" / "failed" / spec.launch_id.replace("/", "__")
    shutil.rmtree(keep, ignore_errors=True)
    keep.parent.mkdir(parents=True, exist_ok=True)
    part.rename(keep)
    why = seen.failure or {}
    message = f"{spec.launch_id}: the reference server failed in phase {why.get('phase')}: {why.get('detail')}"
    return message, f"Read {keep / 'server.log'}, mend the cause, then `countersign campaign resume {run_dir}`."


def read_summary(run_dir: Path, slot: Slot) -> LaunchSummary:
    """Read one sealed launch back from disk."""
    directory = run_dir / slot.launch_id
    server: dict[str, Any] = json.loads((directory / "server.json").read_bytes())
    rows = [json.loads(line) for line in (directory / "bench_runs.jsonl").read_bytes().splitlines()]
    return LaunchSummary(slot.launch_id, slot.leg, server["status"], tuple(row["output_throughput"] for row in rows))
