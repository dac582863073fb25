"""What the campaign's graph costs beside bare LangGraph, as a ratio within one run.

Both sides are the graph of the same configuration (auditor, profiles, a bank and a drop in turns) with the same state, edges and
node functions, which do nothing but say what comes next; both keep their checkpoints with the same saver: SQLite,
``synchronous=FULL``, strict, every step on the disk before the next begins. Ours is compiled by ``build_graph`` and run by
``drive``: each node in the wrapper that logs its beginning and its end to a log.jsonl, and a look for an older checkpoint first.
The bare one has the functions themselves as its nodes and is invoked. What a node does in a campaign (launches, ledger, audits,
report) is in neither, and neither is compiling the graph.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import workflow.audit_nodes
import workflow.graph
from tests.support.campaigns import small_config
from tests.support.graphs import context
from workflow.checkpoint import open_checkpoints
from workflow.context import Context
from workflow.graph import build_graph, drive
from workflow.log import open_log
from workflow.routing import step_bound
from workflow.state import State, initial

pytestmark = pytest.mark.bench
RATIO = 1.3
ROUNDS, DIRECTIONS = 9, 20
CONFIG = small_config(use_auditor=True, profile=True, max_candidates=DIRECTIONS, max_overlays=0)


class Trivial:
    """The nodes of a campaign without their work: one baseline set, twenty directions, every second one banked."""

    def __init__(self, ctx: Context) -> None:
        del ctx
        self._directions = 0

    def setup(self, state: State) -> State:
        return {}

    def baseline(self, state: State) -> State:
        return {"baseline_sets": state["baseline_sets"] + 1, "measure_again": False}

    def profile(self, state: State) -> State:
        return {"profiles": state["profiles"] + 1}

    def route(self, state: State) -> State:
        return {}

    def propose(self, state: State) -> State:
        self._directions += 1
        if self._directions > DIRECTIONS:
            return {"short_name": "", "attempt": 1, "stopped": "candidates", "spent_s": 1.0, "overlay": False}
        name = f"c{self._directions:02d}-continuous-batching"
        return {"short_name": name, "attempt": 1, "stopped": "", "spent_s": 1.0, "overlay": False}

    def harness(self, state: State) -> State:
        return {}

    def measure(self, state: State) -> State:
        return {}

    def decide(self, state: State) -> State:
        return {"decision": "bank" if self._directions % 2 else "drop"}

    def bank(self, state: State) -> State:
        return {"short_name": "", "attempt": 1}

    def fix(self, state: State) -> State:
        return {"short_name": "", "attempt": state["attempt"] + 1}

    def drop(self, state: State) -> State:
        return {"short_name": "", "attempt": 1}

    def final(self, state: State) -> State:
        return {"final_measured": True}

    def report(self, state: State) -> State:
        return {}


class TrivialAudit:
    """The auditor's nodes, likewise."""

    def __init__(self, ctx: Context) -> None:
        del ctx

    def audit_baseline(self, state: State) -> State:
        return {"measure_again": False}

    def audit_profile(self, state: State) -> State:
        return {}

    def audit_harness(self, state: State) -> State:
        return {}

    def audit_patch(self, state: State) -> State:
        return {}

    def audit_final(self, state: State) -> State:
        return {}


class Took(NamedTuple):
    """Milliseconds of one campaign."""

    wall: float
    used: float
    """Of the processor, all threads."""


def ours(place: Path) -> Took:
    """Compiled and driven as a campaign's."""
    with open_log(place, "sim", time.time) as log, open_checkpoints(place) as saver:
        graph = build_graph(replace(context(CONFIG), log=log), saver)
        return timed(lambda: drive(graph, initial("sim"), step_bound(CONFIG)))


def bare(place: Path) -> Took:
    """The same nodes and edges, added and invoked as LangGraph's own pages do it."""
    config: Any = {"configurable": {"thread_id": "sim"}, "recursion_limit": step_bound(CONFIG) + 1}
    begin: Any = initial("sim")
    with pytest.MonkeyPatch.context() as patched, open_checkpoints(place) as saver:
        patched.setattr(workflow.graph, "_add", lambda graph, _, node: graph.add_node(node.__name__, node))
        graph = build_graph(context(CONFIG), saver)
        return timed(lambda: graph.invoke(begin, config, durability="sync"))


def timed(work: Callable[[], Any]) -> Took:
    """By the wall and of the processor; the campaign went all the way."""
    wall, used = time.perf_counter(), time.process_time()
    ended = work()
    took = Took(1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - used))
    assert ended["final_measured"] is True and ended["profiles"] == 1 + DIRECTIONS // 2
    return took


def median(took: list[Took]) -> Took:
    """Of each by itself, without the first."""
    wall, used = (statistics.median(values) for values in zip(*took[1:], strict=True))
    return Took(wall, used)


def test_the_graph_costs_little_beside_bare_langgraph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the wall, disk included, and in processor time; medians of nine each, taken in turns, after one of each."""
    monkeypatch.setattr(workflow.graph, "Nodes", Trivial)
    monkeypatch.setattr(workflow.audit_nodes, "AuditNodes", TrivialAudit)
    found: dict[str, list[Took]] = {"ours": [], "bare": []}
    for number in range(ROUNDS + 1):
        for work in (ours, bare) if number % 2 else (bare, ours):
            place = tmp_path / work.__name__ / str(number)
            place.mkdir(parents=True)
            found[work.__name__].append(work(place))
    graph, alone = median(found["ours"]), median(found["bare"])
    wall, used = graph.wall / alone.wall, graph.used / alone.used
    with capsys.disabled():
        sys.stdout.write(
            f"\nbench: graph {graph.wall:.0f} ms, bare LangGraph {alone.wall:.0f} ms: {wall:.2f};"
            f" processor {graph.used:.0f} / {alone.used:.0f} ms: {used:.2f}\n"
        )
    assert wall <= RATIO and used <= RATIO
