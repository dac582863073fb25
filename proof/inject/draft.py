"""A clean run in memory: recipes edit it, then it is written as its own tools would have written it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from proof import making
from proof.making import EPOCH, Files, Json

Dialect = Literal["ours", "sglang", "vllm"]
STOP_S, PAUSE_S = 2.0, 3.0
"""Seconds a server takes to stop, and until the next one starts."""


@dataclass
class Launch:
    """One server launch, or a flat folder of foreign rows.

    ``server``, ``requests`` and ``host`` are our own stopwatch's; times in ``requests`` count from the start of their repeat.
    """

    where: str
    """Folder, relative to the run."""
    leg: str
    """``ref``, ``cand``, ``aa``, or the name of a further leg."""
    rows: list[Json]
    server: Json = field(default_factory=dict)
    requests: list[Json] = field(default_factory=list)
    host: Json = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    """Lines of server.log; none: no such file (in foreign dialects)."""


@dataclass
class Draft:
    """A run before it is written. Launches stand in the order of time."""

    dialect: Dialect
    base: str
    launches: list[Launch]
    request: Json
    """The one commission, as it will stand in audit_request.json."""
    lever: Json
    """Settings of the declared change, as the candidate's servers have them."""
    beside: dict[str, Any] = field(default_factory=dict)
    """Further files: path relative to the run -> text, bytes or a JSON value."""
    late: list[Callable[[Draft], None]] = field(default_factory=list)
    """Edits of times: run when the launches have been laid out on the clock, before anything is written and sealed."""
    after: list[Callable[[Path], None]] = field(default_factory=list)
    """Edits of the written run: after seals and ledger."""
    plan: list[str] | None = None
    """Order of the legs that the ledger and the servers say was planned; None: the order of ``launches``."""

    def leg(self, name: str) -> list[Launch]:
        """The launches of one leg."""
        return [launch for launch in self.launches if launch.leg == name]

    def rows(self, name: str) -> list[Json]:
        """The rows of one leg."""
        return [row for launch in self.leg(name) for row in launch.rows]

    def write(self, root: Path) -> Path:
        """Write everything below ``root``; what to audit."""
        root.mkdir(parents=True, exist_ok=True)
        if self.dialect == "ours":
            self._lay_out()
        for edit in self.late:
            edit(self)
        if self.dialect == "ours":
            self._write_ours(root)
        else:
            for launch in self.launches:
                _write_foreign(root / launch.where, launch, self.dialect)
        (root / "audit_request.json").write_text(json.dumps([self.request], indent=1))
        for name, content in self.beside.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_bytes(content))
        for change in self.after:
            change(root)
        return root

    def _lay_out(self) -> None:
        """Give every launch its place on the clock, one server after the other; samples of the host keep their place in it."""
        clock = EPOCH
        for launch in self.launches:
            server, old = launch.server, launch.server["started_unix"]
            life = server["stopped_unix"] - old
            samples = launch.host["samples"]
            places = [(sample["t_unix"] - old) / life for sample in samples]
            begin = clock + (server["ready_unix"] - old)
            for row in launch.rows:
                begin += 0.5
                row["countersign"] |= {"start_unix": begin, "end_unix": begin + row["duration"]}
                begin += row["duration"]
            server |= {"started_unix": clock, "ready_unix": clock + server["ready_unix"] - old, "stopped_unix": begin + STOP_S}
            seconds = range(1, int(server["stopped_unix"] - clock) + 2)
            life = server["stopped_unix"] - clock
            launch.host["samples"] = [
                {**samples[_nearest(places, second / life)], "t_unix": clock + second} for second in seconds
            ]
            clock = server["stopped_unix"] + PAUSE_S

    def _write_ours(self, root: Path) -> None:
        ledger = making.Ledger()
        folders: dict[str, list[Launch]] = {}
        for launch in self.launches:
            folders.setdefault(_plan_of(launch), []).append(launch)
        for folder, mine in folders.items():
            order = [launch.leg for launch in mine] if self.plan is None or mine[0].leg == "aa" else self.plan
            plan = mine[0].server["plan"]
            body = {"dir": folder, "seed": 7, "order": order, "launches": order.count(order[0]), "repeats": plan["repeats"]}
            ledger.append("plan", f"plan/{folder}", body, mine[0].server["started_unix"])
            for launch in mine:
                files = Files(launch.where, launch.server, launch.rows, launch.requests, launch.host, launch.log)
                making.write(root, files)
                digest = making.seal(root / launch.where, launch.where)
                sealed = {"launch_id": launch.where, "status": launch.server["status"], "seal_sha256": digest}
                ledger.append("sealed", f"sealed/{launch.where}", sealed, launch.server["stopped_unix"])
        (root / "ledger.jsonl").write_bytes(ledger.data())


def _plan_of(launch: Launch) -> str:
    folder = launch.where.rpartition("/")[0]
    return folder if launch.leg == "aa" else folder.rpartition("/")[0]


def _nearest(places: list[float], wanted: float) -> int:
    return min(range(len(places)), key=lambda index: abs(places[index] - wanted))


def _bytes(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    return content.encode() if isinstance(content, str) else json.dumps(content, indent=1).encode()


def _write_foreign(folder: Path, launch: Launch, dialect: Dialect) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if dialect == "sglang":
        (folder / "bench_runs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in launch.rows))
    else:
        for number, row in enumerate(launch.rows):
            (folder / f"run_{number}.json").write_text(json.dumps(row))
    if launch.log:
        (folder / "server.log").write_text("\n".join(launch.log) + "\n")
