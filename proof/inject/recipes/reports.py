"""What reports say of a run beside its figures: its invariants, its baseline, what was tried, what the log said, which tool measured."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from proof.inject import edits, foreign, shape
from proof.inject.bases import LAUNCHES, SGLANG, TRITON, VLLM_TRITON, Base
from proof.inject.claimed import DIRECTOR, INTEGRATE, SWEEP, Told, lie, nothing_else, tell, truth
from proof.inject.draft import Draft, Launch
from proof.inject.recipe import Recipe
from proof.making import Json

BUNDLE, FLAG = "claims-bundle", ("FLAG",)
POOLED = (*SGLANG, "vllm-launches")
"""Bases that record a share of the device's memory."""
TRIALS = ("fp8-kv", "page-64", "torch-compile", "mixed-chunk")
INVENTED = (
    "[attention] {backend} kernels selected for prefill and decode on all ranks",
    "[warmup] 64 shapes tuned for {backend}, cache written",
    "[engine] {backend} bound, fallback disabled",
)


def _bundle(seed: int) -> Draft:
    """SGLang: baseline and final configuration of a whole tuning run, five repeats each; +8 %."""
    rng = random.Random(f"{BUNDLE}:{seed}")
    launches = []
    moved: Json = {}
    for where, leg, speed in (("validation/base", "ref", 1000.0), ("validation/final", "cand", 1080.0)):
        rows = [foreign.sglang(speed * foreign.jitter(rng, 0.002), rng, {**foreign.SGLANG_INFO, **moved}) for _ in range(5)]
        launches.append(Launch(where, leg, rows))
        moved = TRITON
    change: Json = {"lever": "attention backend", "flags": dict(TRITON), "env": {}, "overlay": []}
    request: Json = {
        "schema": "countersign.request/1", "scope": "bundle", "short_name": "backend", "eval_dir": ".", "cand_dir": "validation",
        "accepted": [change],
    }  # fmt: skip
    return Draft("sglang", BUNDLE, launches, request, dict(TRITON))


EXTRA_BASES = {BUNDLE: Base(BUNDLE, "sglang", _bundle.__doc__ or "", _bundle)}


def _misreported(told: Told, size: float, rng: random.Random) -> None:
    """One of the invariants is so many times what both legs ran with."""
    said = told.get(INTEGRATE, "serving_invariant")
    key = rng.choice(sorted(said.keys() - {"mem_fraction"}))
    said[key] = int(said[key] * size)


def _poorer(draft: Draft, legs: Sequence[str], size: float) -> None:
    """These legs had so much less of the device's memory."""
    key, full = ("mem_fraction_static", 0.85) if draft.dialect == "sglang" else ("gpu_memory_utilization", 0.9)
    for leg in legs:
        edits.settings(draft, leg, {key: round(full - size, 4)})


def _same_memory(told: Told, said: float | None) -> None:
    """Both legs are said to have had this share of the memory."""
    key, full = ("mem_fraction", 0.85) if told.draft.dialect == "sglang" else ("gpu_memory_utilization", 0.9)
    value = full if said is None else round(full - said, 4)
    told.get(INTEGRATE, "serving_invariant")[key] = {"ref": value, "cand": value}


def _handicap(draft: Draft, size: float, rng: random.Random) -> None:
    """The reference ran with less memory, and the claim file says that it did not."""
    _poorer(draft, ("aa", "ref"), size)
    _same_memory(tell(draft), None)


def _all_poorer(draft: Draft, size: float, rng: random.Random) -> None:
    """All legs ran with less memory, and the claim file says so."""
    _poorer(draft, ("aa", "ref", "cand"), size)
    _same_memory(tell(draft), size)


def _other_day(told: Told, size: float, rng: random.Random) -> None:
    """The baseline is so many percent lower than the one that was measured beside the final configuration."""
    base, final = (
        told.get(DIRECTOR, "baseline_throughput_tok_s") * (1 - size / 100),
        told.get(DIRECTOR, "claimed_throughput_tok_s"),
    )
    told.put(DIRECTOR, "baseline_throughput_tok_s", round(base, 3))
    told.put(DIRECTOR, "throughput_speedup", round(final / base, 4))


def _tried(draft: Draft, size: float, rng: random.Random) -> None:
    """The winner was measured in a folder of its own name, and so many others that are slower than the baseline."""
    speeds = {draft.request["short_name"]: 1080.0} | {
        name: 1000.0 * rng.uniform(0.9, 0.99) for name in rng.sample(TRIALS, int(size))
    }
    for name, speed in speeds.items():
        rows = [foreign.sglang(speed * foreign.jitter(rng, 0.002), rng, foreign.SGLANG_INFO) for _ in range(3)]
        draft.launches.append(Launch(f"config/{name}", name, rows))


def _only_the_win(told: Told, size: float, rng: random.Random) -> None:
    told.put(SWEEP, "trials", told.get(SWEEP, "trials")[:1])


def _all_listed(told: Told, size: float, rng: random.Random) -> None:
    """Every candidate is a trial with its true figure."""
    kept, dropped = told.get(SWEEP, "trials")
    ref = shape.middle(told.draft, "ref")
    trials = [kept]
    for launch in told.draft.launches[3:]:
        level = shape.middle(told.draft, launch.leg)
        found = {
            "id": launch.leg,
            "change": launch.leg,
            "throughput_tok_s": round(level, 3),
            "delta_pct": round(100 * (level / ref - 1), 2),
        }
        trials.append({**dropped, **found})
    told.put(SWEEP, "trials", trials)


def _quotes(told: Told, size: float, rng: random.Random) -> None:
    """So many lines are quoted from the candidate's log that are not in it."""
    backend = next(iter(told.draft.lever.values()))
    where = told.draft.leg("cand")[0].where
    lines = [f"{where}/server.log: {line.format(backend=backend)}" for line in rng.sample(INVENTED, int(size))]
    told.put(INTEGRATE, "engagement_evidence", lines)


def _true_quotes(told: Told, size: float, rng: random.Random) -> None:
    """Lines are quoted that stand in the log, as they stand there."""
    launch = told.draft.leg("cand")[0]
    told.put(INTEGRATE, "engagement_evidence", [f"{launch.where}/server.log: {line}" for line in launch.log[: int(size)]])


def _other_tool(draft: Draft, leg: str, speed: float, rng: random.Random) -> None:
    """A flat leg was measured by the other client (vLLM's for SGLang and the reverse), at this speed, on a server of its own."""
    launch = next(iter(draft.leg(leg)))
    draft.launches.remove(launch)
    speeds = [speed * foreign.jitter(rng, 0.002) for _ in range(5)]
    if draft.dialect == "sglang":
        backend = "TRITON_ATTN" if leg == "cand" else "FLASH_ATTN"
        for place, tok_s in enumerate(speeds):
            minute = 2 * place + (10 if leg == "cand" else 0)
            draft.beside[f"{leg}/run_{place}.json"] = {
                **foreign.vllm(tok_s, rng, foreign.stamp(minute)),
                "attention_backend": backend,
            }
    else:
        info = {**foreign.SGLANG_INFO, **(TRITON if leg == "cand" else {})}
        draft.beside[f"{leg}/bench_runs.jsonl"] = "".join(json.dumps(foreign.sglang(tok_s, rng, info)) + "\n" for tok_s in speeds)


def _cross_harness(draft: Draft, size: float, rng: random.Random) -> None:
    """No gain on either client; the candidate's, measured by the other one, show so many percent more."""
    if draft.dialect == "ours":
        for launch in draft.leg("cand"):
            rows = [
                foreign.sglang(1000 * (1 + size / 100) * foreign.jitter(rng, 0.004), rng, dict(launch.rows[0]["server_info"]))
                for _ in launch.rows
            ]
            draft.launches.remove(launch)
            draft.beside[f"{launch.where}/bench_runs.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows)
        draft.plan = ["ref"] * 3
        for place, launch in enumerate(draft.leg("ref")):
            launch.server["plan"] |= {"order": ["ref"] * 3, "position": place}
        return
    _other_tool(draft, "cand", 1000 * (1 + size / 100), rng)


def _one_harness(draft: Draft, size: float, rng: random.Random) -> None:
    """Both legs by one client (of flat legs: the other one), and the candidate is so many percent faster."""
    if draft.dialect == "ours":
        shape.no_gain(draft)
        edits.speed(draft, draft.leg("cand"), 1 + size / 100)
        return
    _other_tool(draft, "ref", 1000.0, rng)
    _other_tool(draft, "cand", 1000 * (1 + size / 100), rng)
    draft.request["change"]["flags"] = dict(VLLM_TRITON if draft.dialect == "sglang" else TRITON)


RECIPES = (
    Recipe("invariant-misreported", ("R11",), "GEAK integrate_result.json: serving_invariant; rows and logs of both legs", ("ours", *SGLANG, "vllm-files", "vllm-launches"), (2.0, 4.0, 16.0),
           "Of what both legs had in common one figure is so many times what it was.", lie(_misreported), truth(), verdicts=FLAG),
    Recipe("handicap-called-equal", ("R11", "C01"), "GEAK integrate_result.json: serving_invariant; server settings: share of memory", POOLED, (0.02, 0.1, 0.3),
           "The reference had this much less of the memory; the claim file says that both had the same.", _handicap, _all_poorer, critical=True),
    Recipe("baseline-of-another-day", ("M04", "R02"), "GEAK director_e2e_validation.json: baseline_throughput_tok_s", (BUNDLE,), (1.0, 5.0, 20.0),
           "The baseline that the speed-up is over is so many percent lower than the one measured beside it.", lie(_other_day), truth(), verdicts=FLAG),
    Recipe("only-wins-listed", ("R17",), "GEAK sweep_results.json: trials; folders with rows", (BUNDLE,), (1.0, 2.0, 4.0),
           "So many candidates that lost are not among the trials.", lie(_only_the_win, _tried), lie(_all_listed, _tried), verdicts=FLAG),
    Recipe("invented-log-quote", ("R20",), "GEAK integrate_result.json: engagement_evidence; server.log", LAUNCHES, (1.0, 2.0, 3.0),
           "So many lines that are quoted from the candidate's log do not stand in it.", lie(_quotes, nothing_else), lie(_true_quotes, nothing_else), verdicts=FLAG),
    Recipe("other-client-in-one-leg", ("R10", "R18"), "keys of the rows: which client wrote them", ("ours", "sglang-flat", "vllm-files"), (3.0, 8.0, 25.0),
           "No gain; the candidate was measured by another client, which shows so many percent more.", _cross_harness, _one_harness, critical=True),
)  # fmt: skip
