"""Kills small campaigns with SIGKILL, once at every moment of one node, and resumes them: ``python -m tests.support.nursery``.

A line on stdin is ``{"shape", "node", "out", "start"}``, the answer on stdout one line, too. Each session is a forked child, so
everything is loaded once. Without a node nobody is killed, and what is on the disk when each node begins for the first time is
kept in ``out/before/NODE``: a ``start`` for the campaign that is to die in that node.

The moments of a node: ``begins``; before and after each new ledger line and each file or folder that gets its name; ``ends``
(its work is done, nothing is saved); ``noted`` (its answer is saved, the step is not); ``saved``. Where models answer for the
roles, also before and after each call gets on record; only the wire to them is replaced. A campaign goes through all of
them, each in a session of its own, and through those of the node's second execution.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import workflow.checkpoint  # noqa: F401 - sets the strict mode that langgraph reads when it is imported

# isort: split
from langgraph.checkpoint.sqlite import SqliteSaver

import agents.llm
from agents.cassette import Cassette
from agents.wire import Raw
from tests.support.campaigns import services, small_config
from tests.support.comparing import seals
from tests.support.killed import later, whole_config, whole_world
from tests.support.players import honest, playing
from tests.support.simulated import SimulatedDriver, World
from workflow.audit_nodes import AuditNodes
from workflow.campaign import FILE, Outcome, resume, run
from workflow.config import CampaignConfig, MeasureConfig, ModelsConfig
from workflow.ledger import Ledger
from workflow.nodes import Nodes
from workflow.report import page

MOST = 1000
"""Sessions of one campaign, before it counts as one that never ends."""


EXECUTIONS = 2
"""Of one node that a campaign is killed in; most nodes have no more."""


class Shape(NamedTuple):
    """A campaign to kill."""

    config: CampaignConfig
    world: Callable[[], World]
    nodes: tuple[str, ...] | None = None
    """Those that it is killed in; None: all."""


def everything() -> World:
    """Batching and the overlay are gains; what bfloat16 gains is left open, sent back, left open again, and dropped."""
    world = whole_world()
    return replace(world, tok_s=200.0, speed={**world.speed, "dtype=bfloat16": 1.045})


LEVERS = ("continuous-batching", "dtype-bfloat16")
FEW = MeasureConfig(aa_launches=3, launches=2, repeats=2, final_launches=2, min_repeat_s=0.5)
EVERYTHING = whole_config().model_copy(update={"levers": LEVERS, "auditor_max_fix": 1, "measure": FEW})
MODELLED = EVERYTHING.model_copy(update={"models": ModelsConfig(default="openai/fake")})
ASKING = ("audit_baseline", "route", "propose", "audit_patch", "audit_final")
SHAPES = {
    "unaudited": Shape(small_config(), World),
    "everything": Shape(EVERYTHING, everything),
    "modelled": Shape(MODELLED, everything, ASKING),
}
"""Every node of the graph of a shape is run by its campaign."""


class Moments:
    """Dies at the first moment of the node at which no session has died yet. ``journal`` is what the sessions remember."""

    def __init__(self, node: str, journal: Path) -> None:
        self._node, self._journal = node, journal
        lines = journal.read_text().splitlines() if journal.exists() else []
        self._seen, self._saved = set(lines), lines.count("saved")
        died = next((line for line in reversed(lines) if not line.startswith("again ")), "")
        self._running = node if died.endswith(" noted") else ""  # then it is not run again: its step is saved at once
        self._noted = threading.Event()
        self._noted.set()

    def note(self, line: str) -> None:
        """Remember, whatever happens next."""
        handle = os.open(self._journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(handle, f"{line}\n".encode())
        os.close(handle)

    def at(self, what: str) -> None:
        """A moment; the end of this process when it is the node's and new."""
        mark, before = f"{self._saved} {what}", {line.partition(" ")[0] for line in self._seen} - {"again", "saved"}
        late = str(self._saved) not in before and len(before) == EXECUTIONS
        if self._node and self._running == self._node and mark not in self._seen and not late:
            self.note(mark)
            os.kill(os.getpid(), signal.SIGKILL)

    def arm(self) -> None:
        """Watch nodes, and where one of them is to be killed in ledger, files and checkpoints, too."""
        for owner in (Nodes, AuditNodes):
            for name, item in list(vars(owner).items()):
                if callable(item) and not name.startswith("_"):
                    setattr(owner, name, self._node_of(name, item))
        if not self._node:
            return
        self._around(Ledger, "append", lambda ledger, _, key, __: f"line {key}" if ledger.get(key) is None else "")
        self._around(Path, "replace", lambda path, _: f"file {path.name}")
        self._around(Path, "rename", lambda path, _: f"folder {path.name}")
        self._around(Cassette, "append", lambda tape, _: f"call {len(tape.calls)}")
        self._savers()

    def _node_of(self, name: str, real: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def node(nodes: Any, state: Any) -> Any:
            if not self._node:
                self._keep(name)
            self._running = name
            self._noted.clear()
            self.at("begins")
            update = real(nodes, state)
            self.at("ends")
            return update

        node.__name__ = name
        return node

    def _keep(self, name: str) -> None:
        """What is on the disk when the node begins for the first time."""
        place = self._journal.with_name("before") / name
        if not place.exists():
            shutil.copytree(self._journal.with_name("sim"), place)

    def _around(self, owner: type, name: str, what: Callable[..., str]) -> None:
        real = getattr(owner, name)

        def wrapped(*args: Any) -> Any:
            mark = what(*args)
            if mark:
                self.at(mark)
            result = real(*args)
            if mark:
                self.at(f"{mark} done")
            return result

        setattr(owner, name, wrapped)

    def _savers(self) -> None:
        put, put_writes = SqliteSaver.put, SqliteSaver.put_writes

        def noted(saver: SqliteSaver, *args: Any) -> None:
            put_writes(saver, *args)
            self.at("noted")
            self._noted.set()

        def saved(saver: SqliteSaver, *args: Any) -> Any:
            if self._running:
                self._noted.wait(5)  # both are saved by threads: here in the one order in which either is seen
            result = put(saver, *args)
            self.note("saved")
            self.at("saved")
            self._saved += 1
            self._running = ""
            return result

        SqliteSaver.put_writes, SqliteSaver.put = noted, saved  # type: ignore[method-assign,assignment]


def played(_model: str, _base: str | None, messages: list[dict[str, str]], _limits: Any, _left: float) -> Raw:
    """What an honest model says, without a wire."""
    return Raw(playing(honest)({"messages": messages}), 10, 10, 0.0)


def session(shape: Shape, node: str, out: Path) -> NoReturn:
    """What a forked child does: the campaign, to its end or to the next death."""
    code = 1
    try:
        run_dir, moments, world = out / "sim", Moments(node, out / "journal"), shape.world()
        done = seals(run_dir)
        world.on_launch = lambda _, launch: moments.note(f"again {launch}") if f"sealed/{launch}" in done else None
        setattr(page, "render_html", lambda _: "<!-- takes longer than a session, and nobody looks at it -->")  # noqa: B010
        for name, item in (("complete", played), ("ready", lambda: None)):
            setattr(agents.llm, name, item)
        moments.arm()
        drivers: list[SimulatedDriver] = []
        if (run_dir / FILE).exists():
            told = resume(run_dir, services(world, clock=later(run_dir), drivers=drivers))
        else:
            told = run(shape.config, services(world, drivers=drivers), out)
        (out / "told.json").write_text(json.dumps({**_alike(told), "modules": sorted(sys.modules)}))
        code = 0
    except BaseException:  # noqa: BLE001 - the edge of a process: its traceback is the test's message
        (out / "failed").write_text(traceback.format_exc())
    finally:
        os._exit(code)


def _alike(told: Outcome) -> dict[str, Any]:
    return {"banked": told.banked, "dropped": told.dropped, "stopped": told.stopped, "verdicts": told.verdicts}


def kill_everywhere(shape: Shape, node: str, out: Path, start: Path | None = None) -> dict[str, Any]:
    """Sessions until one ends by itself; without a node the first does. What was seen; ``failed`` is a traceback, or nothing."""
    replaced: list[str] = []
    if start is not None:
        shutil.copytree(start, out / "sim")
    for _ in range(MOST):
        before = seals(out / "sim")
        child = os.fork()
        if child == 0:
            session(shape, node, out)
        _, status = os.waitpid(child, 0)
        after = seals(out / "sim")
        replaced += [key for key, seal in before.items() if after.get(key) != seal]
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            break
    failed = (out / "failed").read_text() if (out / "failed").exists() else ""
    told = json.loads((out / "told.json").read_bytes()) if not failed else {"modules": []}
    lines = (out / "journal").read_text().splitlines() if (out / "journal").exists() else []
    again = [line for line in lines if line.startswith("again ")]
    moments = [line for line in lines if line != "saved" and line not in again]
    return {**told, "replaced": replaced, "again": again, "moments": moments, "failed": failed}


def load(modules: list[str]) -> None:
    """What a session loaded on its way, the next ones find loaded."""
    for name in modules:
        if name not in sys.modules and not name.startswith("_"):
            with suppress(ImportError):  # some name themselves as nobody can import them
                import_module(name)


def main() -> None:
    """Answer until stdin ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        out = Path(asked["out"])
        out.mkdir(parents=True)
        start = Path(asked["start"]) if asked["start"] else None
        found = kill_everywhere(SHAPES[asked["shape"]], asked["node"], out, start)
        load(found.pop("modules"))
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
