"""Language models that play a part: honest, sloppy or cheating producers, and readers, behind the fake server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agents.loop import CLOSE, OPEN

Play = Callable[["Turn"], Any]
"""What a role answers: an object for the schema, or a text."""
HEADS = {
    "# Baseline": "baseline", "# Profile": "profiler", "# Config tuner": "config_tuner",
    "# Kernel integrator": "kernel_integrator", "# Patch auditor": "auditor",
}  # fmt: skip


class Turn:
    """One request, read as its role would read it."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.messages: Sequence[Mapping[str, str]] = body["messages"]
        self.role = next(role for head, role in HEADS.items() if self.messages[0]["content"].startswith(head))
        self.view: Any = json.loads(_inside(self.messages[1]["content"]))
        self.last = self.messages[-1]["content"]

    @property
    def number(self) -> int:
        """1 for the first answer of a conversation."""
        return len(self.messages) // 2

    @property
    def seen(self) -> str:
        """What the last look showed."""
        return _inside(self.last)

    def decided(self) -> set[str]:
        """Levers and overlays that were tried."""
        return {entry["lever"] for entry in self.view["history"]} | set(self.view["banked"])

    @property
    def back(self) -> Mapping[str, Any]:
        """What came back to be fixed."""
        found: Mapping[str, Any] = self.view["history"][-1]
        return found

    @property
    def unsettled(self) -> bool:
        """Whether fresh rows may settle what came back."""
        return self.back["outcome"] in ("underpowered", "not_measured")


def _inside(text: str) -> str:
    found = re.search(f"{re.escape(OPEN)}\n(.*)\n{re.escape(CLOSE)}", text, flags=re.DOTALL)
    return found[1] if found else ""


def lever(turn: Turn, name: str, **more: Any) -> dict[str, Any]:
    """A declared lever, proposed as it is declared."""
    found = next(item for item in turn.view["levers"] if item["name"] == name)
    told = {"lever": name, "flags": found["flags"], "env": found["env"], "what": f"{name} helps", "why": "it is declared"}
    return {"propose": {**told, **more}}


def overlay(name: str, **more: Any) -> dict[str, Any]:
    """An overlay of the catalogue."""
    return {"propose": {"lever": name, "overlay": name, "flags": {}, "env": {}, "what": f"{name} helps", "why": "routed", **more}}


def written(name: str, code: str, *, op: str, target: str, entry: str = "forward", kernel: str | None = None) -> dict[str, Any]:
    """An overlay of one's own."""
    return overlay(name, authored={"op": op, "target": target, "entry": entry, "code": code, "kernel": kernel})


def honest(turn: Turn) -> Any:
    """Looks at the profile, tries every lever and overlay that was not tried, and says when nothing is left."""
    match turn.role:
        case "baseline":
            again = turn.view["verdict"] != "PASS" and turn.view["remeasures_left"] > 0
            return {"answer": "measure_again" if again else "go_on"}
        case "profiler":
            return {"look": {"tool": "profile"}} if turn.number == 1 else {"ops": [item["op"] for item in turn.view]}
        case "config_tuner":
            if turn.view["attempt"] > 1:
                return lever(turn, turn.back["lever"]) if turn.unsettled else {"nothing": "refuted is refuted"}
            name = next((item["name"] for item in turn.view["levers"] if item["name"] not in turn.decided()), None)
            return {"nothing": "all tried"} if name is None else lever(turn, name)
        case "kernel_integrator":
            routed = [item["op"] for item in turn.view["ops"]]
            open_ = [item for item in turn.view["overlays"] if item["op"] in routed and item["name"] not in turn.decided()]
            if turn.view["attempt"] > 1:
                return overlay(turn.back["lever"]) if turn.unsettled else {"nothing": "refuted is refuted"}
            return overlay(open_[0]["name"]) if open_ else {"nothing": "no operation is left"}
        case _:
            return {"objection": None}


def playing(play: Play) -> Callable[[dict[str, Any]], str]:
    """A part as the fake server's answers."""

    def answer(body: dict[str, Any]) -> str:
        said = play(Turn(body))
        return said if isinstance(said, str) else json.dumps(said)

    return answer
