"""Tables and lists made of profiles: what is left out of the total, called editable, promised, weighed, routed or skipped."""

from __future__ import annotations

import random

from proof.inject import traces
from proof.inject.draft import Draft
from proof.inject.recipe import Edit, Recipe
from proof.inject.traces import ATTN, COPY, EAGER, GEMM, GRAPHS, NORM, REDUCE

BOTH = (EAGER, GRAPHS)
SAYS, TRACE = "GEAK profile_topN.json", "torch trace"
BACKENDS = ("flashinfer", "torch_native", "aiter")


def _longer_window(draft: Draft, size: float, rng: random.Random) -> None:
    """A few steps more."""
    seen = traces.window(draft)
    seen.steps += [traces.Step(traces.mix(rng)) for _ in range(3)]


def _closed(open_: bool) -> Edit:
    """A library's kernel, this share of the device's time in percent, is called editable (or not)."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        seen = traces.window(draft)
        factor = (size / 100) / (1 - size / 100) * 70 / 30
        seen.steps = [traces.renamed(step, GEMM, GEMM, factor) for step in seen.steps]
        seen.routed = []
        seen.edits[GEMM] = {"editable": open_}

    return edit


def _copies(counted: bool) -> Edit:
    """Copies take this share of the device's time in percent; the table counts them, or divides by kernels alone."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        seen = traces.window(draft)
        bare = list(seen.steps)
        seen.steps = [traces.beside(step, COPY, size) for step in seen.steps]
        if not counted:
            seen.counted = bare
        of = bare if not counted else seen.steps
        seen.routed = [{"op": ATTN, "share_pct": round(traces.shares(of)[ATTN], 2)}]

    return edit


def _ranks(draft: Draft, size: float, rng: random.Random) -> None:
    """One of so many ranks, and no collective in its trace."""
    traces.window(draft).top = {"distributedInfo": {"backend": "nccl", "rank": 0, "world_size": int(size)}}


def _collective(draft: Draft, size: float, rng: random.Random) -> None:
    """The same, and the collectives are there."""
    _ranks(draft, size, rng)
    seen = traces.window(draft)
    seen.steps = [traces.beside(step, REDUCE, 15.0) for step in seen.steps]
    seen.routed = [{"op": ATTN, "share_pct": round(traces.shares(seen.steps)[ATTN], 2)}]


def _dead(share: float) -> Edit:
    """An operation of this share (in percent; 0: the size) was routed beside the largest."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        seen = traces.window(draft)
        seen.steps = [traces.beside(step, "rope_kernel", share or size) for step in seen.steps]
        seen.routed = [{"op": ATTN}, {"op": "rope_kernel", "reason": "easy"}]

    return edit


def _steps(factor: float) -> Edit:
    """The table divides by so many times the steps that were run (0: the size)."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        steps = len(traces.window(draft).steps)
        traces.window(draft).keys = {"serving": {"n_prefill_steps": 0, "n_decode_steps": round(steps * (factor or size))}}

    return edit


def _promise(factor: float) -> Edit:
    """From a speed-up of an operation a gain is promised that is so many times what its share allows (0: the size)."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        seen = traces.window(draft)
        speedup = rng.choice((1.3, 1.5, 2.0))
        share = traces.shares(seen.steps)[ATTN] / 100
        ceiling = 100 * (1 / (1 - share * (1 - 1 / speedup)) - 1)
        seen.routed[0] |= {"speedup": speedup, "gain_pct": round(ceiling * (factor or size), 2)}

    return edit


def _share_said(draft: Draft, size: float, rng: random.Random) -> None:
    """The table's share of attention is so many points from what its own times give."""
    share = traces.shares(traces.window(draft).steps)[ATTN]
    traces.window(draft).edits[ATTN] = {"pct_gpu_time": round(share - size, 2)}


def _noted(draft: Draft, size: float, rng: random.Random) -> None:
    """The table says more of attention than it has to."""
    traces.window(draft).edits[ATTN] = {"note": f"block {rng.choice((16, 32, 64))}"}


def _weights(factor: float) -> Edit:
    """The workload's prefill case weighs so many times what its count and time give (0: the size)."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        cases = [(2, round(rng.uniform(0.2, 0.4), 6), "prefill"), (rng.randint(4, 12), 0.06, "decode")]
        weights = [
            round(1000 * count * ms * ((factor or size) if at == 0 else 1.0), 3) for at, (count, ms, _) in enumerate(cases)
        ]
        found = [
            {"dims": [[8, 4096]], "count": count, "baseline_latency_ms": ms, "weight": weights[at],
             "weight_norm": round(weights[at] / sum(weights), 6), "regime": regime}
            for at, (count, ms, regime) in enumerate(cases)
        ]  # fmt: skip
        total = sum(count * ms for count, ms, _ in cases)
        kernel = {
            "name": ATTN,
            "calls": sum(count for count, _, _ in cases),
            "total_ms": round(total, 6),
            "num_cases": 2,
            "cases": found,
        }
        traces.window(draft).workload = {"schema": "workload-v1", "kernels": [kernel]}

    return edit


def _largest(share: float, draft: Draft) -> None:
    """Attention takes this share of the device's time in percent."""
    seen = traces.window(draft)
    factor = (share / 100) / (1 - share / 100) * 40 / 60
    seen.steps = [traces.renamed(step, ATTN, ATTN, factor) for step in seen.steps]


def _skipped(draft: Draft, size: float, rng: random.Random) -> None:
    """The largest operation, of this share in percent, was left out; the smallest was routed."""
    _largest(size, draft)
    seen = traces.window(draft)
    seen.routed = [{"op": NORM, "share_pct": round(traces.shares(seen.steps)[NORM], 2)}]


def _not_skipped(draft: Draft, size: float, rng: random.Random) -> None:
    _largest(size, draft)
    seen = traces.window(draft)
    seen.routed = [{"op": name, "share_pct": round(traces.shares(seen.steps)[name], 2)} for name in (ATTN, NORM)]


def _another_trace(draft: Draft, size: float, rng: random.Random) -> None:
    """The table was made of another trace, in which attention took so many points less."""
    seen = traces.window(draft)
    share = traces.shares(seen.steps)[ATTN]
    factor = (share - size) / (100 - share + size) * (100 - share) / share
    seen.counted = [traces.renamed(step, ATTN, ATTN, factor) for step in seen.steps]
    seen.routed = [{"op": ATTN, "share_pct": round(traces.shares(seen.counted)[ATTN], 2)}]


RECIPES = (
    Recipe("library-called-editable", ("P07",), f"{SAYS}: editable", BOTH, (8.0, 30.0, 55.0),
           "A library's kernel of this share (percent) is called editable.", _closed(open_=True), _closed(open_=False)),
    Recipe("copies-left-out", ("P08",), f"{SAYS}: total_gpu_time_ms; {TRACE}: gpu_memcpy", (EAGER,), (6.0, 20.0, 45.0),
           "Copies take this share (percent) of the device's time, which the table does not count.", _copies(counted=False), _copies(counted=True)),
    Recipe("ranks-without-collectives", ("P08",), f"{TRACE}: distributedInfo.world_size", BOTH, (2.0, 8.0, 64.0),
           "One of so many ranks, and its trace holds no collective.", _ranks, _collective),
    Recipe("dead-operation-routed", ("P09",), "routing.json: routed[].op; GEAK profile_topN.json", BOTH, (1.5, 0.4, 0.05),
           "An operation of this share (percent) was routed.", _dead(0), _dead(5.0)),
    Recipe("divided-by-other-steps", ("P12",), f"{SAYS}: serving.n_decode_steps", BOTH, (1.5, 2.0, 10.0),
           "The table divides by so many times the steps that were run.", _steps(0), _steps(1.0)),
    Recipe("promise-above-the-share", ("A04",), "routing.json: routed[].speedup, gain_pct", BOTH, (1.2, 1.5, 3.0),
           "The gain promised is so many times what the operation's share allows.", _promise(0), _promise(0.95)),
    Recipe("share-against-its-own-time", ("A15",), f"{SAYS}: pct_gpu_time, total_ms", BOTH, (5.0, 15.0, 40.0),
           "The share of attention is so many points below what its own time gives.", _share_said, _noted, critical=True),
    Recipe("weights-divided-twice", ("A15",), "GEAK profile_workload.json: cases[].weight", BOTH, (0.9, 0.5, 0.1),
           "The prefill case weighs this share of what its count and time give.", _weights(0), _weights(1.0), critical=True),
    Recipe("largest-operation-left-out", ("A16",), "routing.json: routed[].op", BOTH, (45.0, 60.0, 85.0),
           "The largest operation, of this share (percent), was not routed, the smallest was.", _skipped, _not_skipped),
    Recipe("table-of-another-trace", ("R18",), f"{SAYS}: pct_gpu_time; {TRACE}: dur", BOTH, (8.0, 20.0, 45.0),
           "In the trace that the table was made of attention took so many points less.", _another_trace, _longer_window),
)  # fmt: skip
