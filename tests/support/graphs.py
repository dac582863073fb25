"""Compiled graphs without a campaign: to look at their shape, or to drive them with other nodes."""

from __future__ import annotations

from pathlib import Path

import workflow.checkpoint  # noqa: F401 - sets the strict mode that langgraph reads when it is imported

# isort: split
import structlog
from langgraph.checkpoint.memory import InMemorySaver

from agents import Builtin
from tests.support.campaigns import ListSink, small_config
from tests.support.simulated import FakeClock, World, bench_factory
from workflow.asking import People
from workflow.config import CampaignConfig
from workflow.context import Context
from workflow.graph import Graph, build_graph
from workflow.ledger import Ledger
from workflow.serving import get_engine

EVERYTHING = small_config(use_auditor=True, profile=True)
"""The configuration whose graph has every node."""


def context(config: CampaignConfig, run_dir: Path = Path("nowhere")) -> Context:
    """A session of a campaign that was never created; writes nothing."""
    clock = FakeClock()
    bench = bench_factory(World(), clock)(config, run_dir, clock, lambda *_: None)
    ledger, log = Ledger(run_dir / "ledger.jsonl", clock), structlog.get_logger()
    return Context(
        run_dir,
        "sim",
        config,
        get_engine(config.engine),
        ledger,
        bench,
        ListSink(),
        log,
        clock,
        clock.now,
        0.0,
        People(Builtin(), None),
    )


def compiled(config: CampaignConfig) -> Graph:
    """The graph of one configuration."""
    return build_graph(context(config), InMemorySaver())


def nodes_of(config: CampaignConfig) -> list[str]:
    """Its nodes by name, without LangGraph's own."""
    return sorted(name for name in compiled(config).nodes if not name.startswith("__"))
