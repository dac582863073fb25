"""Runs a small simulated campaign that kills its own process at a given point: ``python -m tests.support.killed OUT WHERE``.

WHERE is ``append:N:before|after`` (the N-th new ledger line), ``rename:N`` (sealed and ledgered, not yet renamed),
``launch:N:before|after``, ``node:NAME:before|after`` (inside the graph's node, its checkpoint not yet written),
``write:NAME`` (an atomic write of that file, temporary file there, not yet renamed) or ``never``.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.campaigns import services, small_config
from tests.support.simulated import World
from workflow.campaign import run
from workflow.ledger import Ledger
from workflow.measure import seal
from workflow.nodes import Nodes


def die() -> None:
    """As kill -9 does: no handler, no finally."""
    os.kill(os.getpid(), signal.SIGKILL)


def around(owner: Any, name: str, when: str, wanted: Callable[..., bool]) -> None:
    """Make ``owner.name`` kill the process before or after its work, when ``wanted`` says so."""
    real = getattr(owner, name)

    def wrapped(*args: Any, **keywords: Any) -> Any:
        hit = wanted(*args, **keywords)
        if hit and when == "before":
            die()
        result = real(*args, **keywords)
        if hit:
            die()
        return result

    wrapped.__name__ = name
    setattr(owner, name, wrapped)


def arm(where: str) -> World:
    """Prepare the death; the world to run in."""
    what, _, rest = where.partition(":")
    name, _, when = rest.partition(":")
    count = 0

    def nth(*_: Any) -> bool:
        nonlocal count
        count += 1
        return count == int(name) + 1

    if what == "append":
        around(Ledger, "append", when, lambda ledger, _, key, __: ledger.get(key) is None and nth())
    elif what == "rename":
        around(seal, "_rename", "before", nth)
    elif what == "node":
        around(Nodes, name, when, lambda *_: True)
    elif what == "write":
        around(Path, "replace", "before", lambda path, _: path.name == f".{name}.tmp")
    elif what == "launch":
        return World(kill_before=int(name)) if when == "before" else World(kill_after=int(name))
    return World()


if __name__ == "__main__":
    run(small_config(use_auditor="--audit" in sys.argv), services(arm(sys.argv[2])), Path(sys.argv[1]))
