"""The campaign as a LangGraph StateGraph: with the auditor's nodes when one is wanted, without a trace of them when not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from workflow import checkpoint  # first: it sets the strict mode that langgraph reads when it is imported

# isort: split
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from workflow import routing
from workflow.context import Context
from workflow.errors import EvidenceError
from workflow.log import within
from workflow.nodes import Nodes
from workflow.state import State

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.types import StateSnapshot

Node = Callable[[State], State]
Graph = CompiledStateGraph[State, None, State, State]


def build_graph(ctx: Context, saver: BaseCheckpointSaver[Any]) -> Graph:
    """Compile the graph of one campaign; nodes log when they begin and end."""
    graph: StateGraph[State, None, State, State] = StateGraph(State)
    nodes = Nodes(ctx)
    for node in (nodes.setup, nodes.baseline, nodes.propose, nodes.measure, nodes.decide, nodes.bank, nodes.drop):
        _add(graph, ctx, node)
    for node in (nodes.final, nodes.report):
        _add(graph, ctx, node)
    graph.add_edge(START, "setup")
    graph.add_edge("setup", "baseline")
    later = ["harness"] if ctx.config.profile else []
    graph.add_conditional_edges("propose", routing.after_propose, [*later, "measure", "final"])
    start = "profile" if ctx.config.profile else "propose"
    graph.add_edge("bank", start)
    graph.add_edge("drop", "propose")
    graph.add_edge("report", END)
    if ctx.config.profile:
        for node in (nodes.profile, nodes.route, nodes.harness):
            _add(graph, ctx, node)
        graph.add_edge("route", "propose")
    if ctx.config.use_auditor:
        _with_auditor(graph, ctx, nodes, start)
    else:
        graph.add_edge("baseline", start)
        if ctx.config.profile:
            graph.add_edge("profile", "route")
            graph.add_edge("harness", "measure")
        graph.add_edge("measure", "decide")
        graph.add_conditional_edges("decide", routing.after_decide, ["bank", "drop"])
        graph.add_edge("final", "report")
    return graph.compile(checkpointer=saver, name="campaign")


def _with_auditor(graph: StateGraph[State, None, State, State], ctx: Context, nodes: Nodes, start: str) -> None:
    from workflow.audit_nodes import AuditNodes

    auditor = AuditNodes(ctx)
    for node in (nodes.fix, auditor.audit_baseline, auditor.audit_patch, auditor.audit_final):
        _add(graph, ctx, node)
    graph.add_edge("baseline", "audit_baseline")
    graph.add_conditional_edges("audit_baseline", partial(routing.after_audit_baseline, then=start), ["baseline", start])
    if ctx.config.profile:
        for node in (auditor.audit_profile, auditor.audit_harness):
            _add(graph, ctx, node)
        graph.add_edge("harness", "audit_harness")
        graph.add_edge("audit_harness", "measure")
        graph.add_edge("profile", "audit_profile")
        graph.add_edge("audit_profile", "route")
    graph.add_edge("measure", "audit_patch")
    graph.add_edge("audit_patch", "decide")
    graph.add_conditional_edges("decide", routing.after_decide, ["bank", "fix", "drop"])
    graph.add_edge("fix", "propose")
    graph.add_conditional_edges("final", routing.after_final)
    graph.add_edge("audit_final", "report")


def _add(graph: StateGraph[State, None, State, State], ctx: Context, node: Node) -> None:
    name = node.__name__

    def run(state: State) -> State:
        ctx.ledger.still_ours()
        with within(name, len(ctx.ledger.entries) - 1):
            ctx.log.info("node_begins", short_name=state.get("short_name", ""))
            update = node(state)
            ctx.log.info("node_ends", update=update)
        return update

    graph.add_node(name, run)


def drive(graph: Graph, begin: State, steps: int) -> State:
    """Run the campaign to its end from its newest checkpoint, or from ``begin`` when there is none.

    Every step is on the disk before the next one starts. A campaign that has ended returns its state at once. It has ended when
    no task is left: a session that died with a node's answer saved and the step not has a task, and nothing in ``next``.
    """
    config: Any = {"configurable": {"thread_id": begin["campaign_id"]}, "recursion_limit": steps + 1}
    known = _known(graph, config)
    if known.values and not known.tasks:
        return known.values  # type: ignore[return-value]
    found: Any = graph.invoke(None if known.values else begin, config, durability="sync")
    result: State = found
    return result


def spent_seconds(graph: Graph, campaign_id: str) -> float:
    """Seconds of work that earlier sessions of this campaign recorded."""
    config: Any = {"configurable": {"thread_id": campaign_id}}
    return float(_known(graph, config).values.get("spent_s", 0.0))


def _known(graph: Graph, config: Any) -> StateSnapshot:  # noqa: ANN401 - LangGraph's configuration
    """The newest checkpoint. Raises EvidenceError when the store holds none that LangGraph can read."""
    try:
        return graph.get_state(config)
    except Exception as error:
        what = f"{checkpoint.FILE}: not a checkpoint of this campaign ({type(error).__name__}: {error})"[:400]
        raise EvidenceError(what, checkpoint.HINT) from error
