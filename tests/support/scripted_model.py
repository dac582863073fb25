"""What a sensible model says in a campaign: it reads the view that it is shown, and takes the first lever that was not tried."""

from __future__ import annotations

import json
from typing import Any

from agents.loop import CLOSE, OPEN


def sensible(body: dict[str, Any]) -> str:
    """The text of an answer to a request of one of the roles."""
    view = json.loads(body["messages"][1]["content"].rpartition(f"{OPEN}\n")[2].partition(f"\n{CLOSE}")[0])
    if isinstance(view, list):
        return json.dumps({"ops": [item["op"] for item in view]})
    if "sets" in view:
        return json.dumps({"answer": "go_on"})
    if "levers" not in view:
        return json.dumps({"objection": None})
    tried = {item["lever"] for item in view["history"]} | set(view["banked"])
    left = [item for item in view["levers"] if item["name"] not in tried]
    if not left or view["attempt"] > 1 or "integrator" in body["messages"][0]["content"][:200]:
        return json.dumps({"thought": "nothing is left", "nothing": "every lever was tried"})
    first = left[0]
    proposal = {
        "lever": first["name"], "flags": first["flags"], "env": first["env"],
        "what": f"{first['name']} is faster", "why": f"{first['name']} was not tried yet", "expected_gain_pct": None,
    }  # fmt: skip
    return json.dumps({"thought": "the first one that is left", "propose": proposal})
