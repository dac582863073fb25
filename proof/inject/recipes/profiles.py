"""Profiles that do not show what the server does: kernels split, hidden, lost or from elsewhere; windows, settings, idle time."""

from __future__ import annotations

import random

from proof.inject import traces
from proof.inject.draft import Draft
from proof.inject.recipe import Edit, Recipe
from proof.inject.traces import ATTN, EAGER, GEMM, GRAPHS, NORM, PREFILL
from proof.making import Json

EXTRA_BASES = traces.EXTRA_BASES
BOTH = (EAGER, GRAPHS)
SAYS, TRACE = "GEAK profile_topN.json", "torch trace"
BACKENDS = ("flashinfer", "torch_native", "aiter")


def _split(draft: Draft, size: float, rng: random.Random) -> None:
    """Attention ran under so many names, each of its own tuning, one step after the other; the table is by raw name."""
    _tuned(draft, int(size), rng)


def _one_tuning(draft: Draft, size: float, rng: random.Random) -> None:
    """All but the first step ran under one name."""
    seen = traces.window(draft)
    name = f"{ATTN}_BLOCK_M_{rng.choice((16, 32, 64))}_BLOCK_N_64"
    seen.steps = [traces.renamed(step, ATTN, name) for step in seen.steps]
    seen.routed = [{"op": ATTN, "share_pct": round(traces.shares(seen.steps)[name], 2)}]


def _tuned(draft: Draft, names: int, rng: random.Random) -> None:
    seen = traces.window(draft)
    found = [f"{ATTN}_BLOCK_M_{16 << number % 4}_BLOCK_N_{32 << number // 4}" for number in range(names)]
    seen.steps = [traces.renamed(step, ATTN, found[place % names]) for place, step in enumerate(seen.steps)]
    seen.routed = [{"op": GEMM, "share_pct": round(traces.shares(seen.steps)[GEMM], 2)}]


def _blank(draft: Draft, size: float, rng: random.Random) -> None:
    """The trace has no shapes for this share of the launches that could have them; the table names shapes for all."""
    traces.window(draft).blank = size


def _mostly_shaped(draft: Draft, size: float, rng: random.Random) -> None:
    traces.window(draft).blank = 0.05 * size


def _hidden(draft: Draft, size: float, rng: random.Random) -> None:
    """This share of the graph replays stands in the trace without its kernels."""
    seen = traces.window(draft)
    places = [place for place, step in enumerate(seen.steps) if step.graph]
    for place in rng.sample(places, max(1, round(size * len(places)))):
        seen.steps[place] = seen.steps[place]._replace(hidden=True)


def _longer_window(draft: Draft, size: float, rng: random.Random) -> None:
    """A few steps more."""
    seen = traces.window(draft)
    seen.steps += [traces.Step(traces.mix(rng)) for _ in range(3)]


def _lost(draft: Draft, size: float, rng: random.Random) -> None:
    """In this share of the steps the last kernels are missing."""
    seen = traces.window(draft)
    for place in rng.sample(range(len(seen.steps)), max(1, round(size * len(seen.steps)))):
        seen.steps[place] = seen.steps[place]._replace(lost=rng.choice((1, 2)))


def _phased(prefills: int) -> Edit:
    """So many prefill steps to eight of decode (0: the size); the benchmark's load has one to eight."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        seen = traces.window(draft)
        count = prefills or int(size)
        slow = [tuple((name, 5 * us) for name, us in traces.mix(rng)) for _ in range(count)]
        seen.steps = [traces.Step(mix, PREFILL) for mix in slow] + [traces.Step(traces.mix(rng)) for _ in range(8)]
        serving = {
            "n_prefill_steps": count,
            "n_decode_steps": 8,
            "decode_batch_captured": 8,
            "decode_batch_steady": 8,
            "steady": True,
        }
        seen.keys = {"serving": {**serving, "analytic_calls": {"prefill": 288, "decode": 2304}}}
        for name in (ATTN, GEMM, NORM):
            parts = [
                [us for step in part for kernel, us in step.mix if kernel == name]
                for part in (seen.steps[:count], seen.steps[count:])
            ]
            ms = [round(sum(us) / len(us) / 1000, 6) for us in parts]
            seen.edits[name] = {
                "phase": "both", "phase_calls_measured": {"prefill": count, "decode": 8},
                "calls_per_step": {"prefill": 1.0, "decode": 1.0}, "base_latency_ms": {"prefill": ms[0], "decode": ms[1]},
            }  # fmt: skip
        seen.routed = [{"op": ATTN, "share_pct": round(traces.shares(seen.steps)[ATTN], 2)}]

    return edit


def _batch(share: float) -> Edit:
    """Decode was caught at so many of the 64 requests that it holds when steady (0: the size)."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        steps = len(traces.window(draft).steps)
        serving = {
            "n_prefill_steps": 0,
            "n_decode_steps": steps,
            "decode_batch_captured": int(share or size),
            "decode_batch_steady": 64,
        }
        traces.window(draft).keys = {"serving": serving}

    return edit


def _overrun(draft: Draft, size: float, rng: random.Random) -> None:
    """The first kernel is recorded as so many microseconds longer, over the kernels that follow it."""
    traces.window(draft).overrun_us = size


def _touching(draft: Draft, size: float, rng: random.Random) -> None:
    """The first kernel ends just before the next begins."""
    traces.window(draft).overrun_us = 0.9


def _other_server(draft: Draft, size: float, rng: random.Random) -> None:
    """The profiled server ran (1) another memory fraction, (2) another attention backend, (3) on more devices."""
    moved: Json = ({"mem_fraction_static": 0.6}, {"attention_backend": rng.choice(BACKENDS)}, {"tp_size": 4})[int(size) - 1]
    traces.window(draft).settings = moved


def _other_port(draft: Draft, size: float, rng: random.Random) -> None:
    """The profiled server is the benched one started again: another port, another seed."""
    traces.window(draft).settings = {"port": 30000 + rng.randint(1, 99), "random_seed": rng.randint(1, 10**6)}


def _graphs_off(draft: Draft, size: float, rng: random.Random) -> None:
    """The profiled server ran without graphs (1), (2) with smaller ones, (3) both; the benched one with them."""
    for launch in draft.launches:
        for row in launch.rows:
            row["server_info"]["disable_cuda_graph"] = False
    moved: Json = ({"disable_cuda_graph": True}, {"cuda_graph_max_bs": 8}, {"disable_cuda_graph": True, "cuda_graph_max_bs": 8})[
        int(size) - 1
    ]
    traces.window(draft).settings = moved


def _idle(share: float) -> Edit:
    """The device idles this share of the wall time (0: the size)."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        seen = traces.window(draft)
        part = share or size
        busy = sum(us for step in seen.steps for _, us in step.mix) / sum(len(step.mix) for step in seen.steps)
        seen.gap_us = busy * part / (1 - part)

    return edit


RECIPES = (
    Recipe("attention-under-many-names", ("P01", "A16"), f"{SAYS}: top_kernels[].name", BOTH, (2.0, 3.0, 6.0),
           "The largest operation ran under so many names, which the table lists apart.", _split, _one_tuning),
    Recipe("shapes-not-recorded", ("P02",), f"{TRACE}: Input Dims", (EAGER,), (0.55, 0.8, 1.0),
           "The trace has no shapes for this share of the launches, the table names shapes for all.", _blank, _mostly_shaped),
    Recipe("replays-without-kernels", ("P03",), f"{TRACE}: cudaGraphLaunch, correlation", (GRAPHS,), (0.25, 0.5, 1.0),
           "This share of the graph replays stands in the trace without its kernels.", _hidden, _longer_window),
    Recipe("kernels-lost-in-steps", ("P04",), f"{TRACE}: kernels inside user_annotation", BOTH, (0.15, 0.3, 0.6),
           "In this share of the steps the last kernels are missing.", _lost, _longer_window),
    Recipe("window-of-prefill", ("P05",), f"{SAYS}: serving.analytic_calls", (EAGER,), (3.0, 8.0, 32.0),
           "The window holds so many times the prefill that the load has for its decode.", _phased(0), _phased(1)),
    Recipe("caught-in-the-ramp", ("P05",), f"{SAYS}: serving.decode_batch_captured, decode_batch_steady", BOTH, (48.0, 24.0, 4.0),
           "Decode was caught at so many of 64 requests.", _batch(0), _batch(63.0)),
    Recipe("event-over-its-successors", ("P06",), f"{TRACE}: ts, dur", BOTH, (50.0, 500.0, 50000.0),
           "One kernel is recorded as so many microseconds longer, over those that follow.", _overrun, _touching),
    Recipe("profiled-under-other-settings", ("P10",), "sglang server_args.json against the rows' server_info", BOTH, (1.0, 2.0, 3.0),
           "The profiled server ran with (1) another memory fraction, (2) another backend, (3) more devices.", _other_server, _other_port, critical=True),
    Recipe("profiled-without-graphs", ("P10", "P03"), "sglang server_args.json: disable_cuda_graph, cuda_graph_max_bs", (EAGER,), (1.0, 2.0, 3.0),
           "The profiled server ran (1) without graphs, (2) with smaller ones, (3) both; the benched one with them.", _graphs_off, _other_port),
    Recipe("shares-of-an-idle-device", ("P11",), f"{TRACE}: ts, dur of kernels", BOTH, (0.3, 0.5, 0.8),
           "The device idled this share of the time over which shares are given.", _idle(0), _idle(0.05)),
)  # fmt: skip
