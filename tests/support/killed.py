"""Runs a small simulated campaign that kills its own process at a given point: ``python -m tests.support.killed OUT WHERE``.

WHERE is ``append:N:before|after`` (the N-th new ledger line), ``rename:N`` (sealed and ledgered, not yet renamed),
``launch:N:before|after``, ``node:NAME:before|after`` (inside the graph's node, its checkpoint not yet written),
``write:NAME`` (an atomic write of that file, temporary file there, not yet renamed), ``moment:N`` (the N-th of all these),
``hold:N`` (says ``held`` before the N-th launch, and waits for a line to go on) or ``never``. With ``--audit`` an auditor
judges; with ``--whole`` the campaign profiles, routes and tries overlays, too; a campaign that is there already is resumed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.campaigns import services, small_config
from tests.support.simulated import FakeClock, SimulatedDriver, World
from workflow.audit_nodes import AuditNodes
from workflow.campaign import FILE, resume, run
from workflow.config import CampaignConfig, MeasureConfig
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
    elif what == "moment":
        every_moment(nth)
    elif what == "launch":
        return World(kill_before=int(name)) if when == "before" else World(kill_after=int(name))
    elif what == "hold":
        return World(on_launch=lambda *_: hold() if nth() else None)
    return World()


def hold() -> None:
    """Say so, and wait for a line."""
    sys.stdout.write("held\n")
    sys.stdout.flush()
    sys.stdin.readline()


def every_moment(wanted: Callable[..., bool]) -> None:
    """Before and after every node, ledger line and rename, and before every launch."""
    nodes = [name for name, item in vars(Nodes).items() if callable(item) and not name.startswith("_")]
    auditors = [name for name, item in vars(AuditNodes).items() if callable(item) and not name.startswith("_")]
    for owner, names in ((Nodes, nodes), (AuditNodes, auditors), (Ledger, ["append"]), (Path, ["replace", "rename"])):
        for name in names:
            for when in ("before", "after"):
                around(owner, name, when, wanted)
    around(SimulatedDriver, "observe", "before", wanted)


def whole_config() -> CampaignConfig:
    """Everything a campaign has: auditor, profiles, a lever, an overlay with its benchmark and third leg, a bundle of two."""
    return small_config(
        use_auditor=True, profile=True, levers=("continuous-batching",), overlays=("packed_swiglu",), max_overlays=1,
        measure=MeasureConfig(aa_launches=3, launches=3, repeats=2, final_launches=2, min_repeat_s=0.5), auditor_max_fix=0,
        auditor_max_remeasure=0,
    )  # fmt: skip


def whole_world() -> World:
    """A quiet machine on which both changes are gains."""
    return World(
        launch_noise=0.002,
        profile={"Qwen2MLP": 500.0, "Qwen2RMSNorm": 300.0, "Qwen2Attention": 200.0},
        speed={"continuous_batching=True": 3.5, "overlay:packed_swiglu": 1.3},
    )


def later(run_dir: Path) -> FakeClock:
    """A clock a day after everything that the sessions before wrote down."""
    path = run_dir / "ledger.jsonl"
    lines = path.read_bytes().splitlines() if path.exists() else []
    times = [json.loads(line)["at_unix"] for line in lines if line.endswith(b"}")]
    return FakeClock(max(times, default=FakeClock().now) + 86_400)


def main() -> None:
    """Arm, then begin or resume."""
    out, config = Path(sys.argv[1]), small_config(use_auditor="--audit" in sys.argv)
    world = arm(sys.argv[2])
    if "--whole" in sys.argv:
        config, world = whole_config(), whole_world()
    if (out / "sim" / FILE).exists():
        resume(out / "sim", services(world, clock=later(out / "sim")))
    else:
        run(config, services(world), out)


if __name__ == "__main__":
    main()
