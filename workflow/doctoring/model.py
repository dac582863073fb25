"""Whether a language model can be asked, over the same wire as a campaign's."""

from __future__ import annotations

from workflow.doctoring.check import Check, State
from workflow.startup import lacking

DEADLINE_S = 20.0


def model(name: str, api_base: str | None, deadline_s: float = DEADLINE_S) -> Check:
    """Ask one small question, and say what came of it. No key is printed, also when the server does.

    A rate limit passes; with anything else no campaign can ask this model.
    """
    missing = lacking("models")
    if missing:
        return Check(f"model {name}", "missing", f"not installed: {', '.join(missing)}", "pip install 'countersign[models]'")
    from agents import ModelError
    from agents.llm import Endpoint
    from agents.probe import probe

    try:
        call = probe(Endpoint(name, api_base, deadline_s))
    except ModelError as error:
        state: State = "warn" if error.kind == "busy" else "missing"
        return Check(f"model {name}", state, f"{error.kind}: {error}", error.next_step)
    cost = "no known price" if call.cost_usd is None else f"{call.cost_usd:.2g} USD"
    words = f"answered in {call.latency_s:.1f} s; {call.tokens_in} + {call.tokens_out} tokens, {cost}"
    return Check(f"model {name}", "ok", words)
