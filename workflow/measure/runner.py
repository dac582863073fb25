"""The real driver: start a server in the sandbox, warm it up, time the repeats, stop it, look for survivors."""

from __future__ import annotations

import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.canonical import digest, file_digest
from workflow.errors import InfrastructureError, ServerFailedError
from workflow.measure.attached import AttachedServer, UsageCounter, answers
from workflow.measure.client import Load, drive, fetch
from workflow.measure.execute import QUIET_CORES
from workflow.measure.host import HostSampler
from workflow.measure.processes import ServerProcess, adopt_orphans, free_port, tail
from workflow.measure.prompts import TokenCounter
from workflow.measure.types import LaunchSpec, Observation, Progress, Prompt, RepeatRecord, RequestRecord
from workflow.sandbox import Job, Sandbox
from workflow.serving import Engine, ServerView
from workflow.serving.overlay import install

QUIET_WAIT_S = 15.0
"""Before a timed repeat the stopwatch waits for strangers to become quiet, but no longer than this."""
POLL_S = 0.1
HEALTH_S = 5.0


@dataclass(frozen=True, slots=True)
class Rig:
    """What stays the same for every launch of a campaign."""

    engine: Engine
    model: Path
    sandbox: Sandbox
    counter: TokenCounter | UsageCounter
    run_dir: Path
    port: int = 0
    start_timeout_s: float = 120.0
    attach: str | None = None
    """Base URL of a server that is up already; None: a server is started for every launch."""


Server = ServerProcess | AttachedServer


@dataclass(slots=True)
class _Seen:
    """What a launch has left behind so far."""

    started_unix: float = 0.0
    ready_unix: float | None = None
    view: ServerView | None = None
    threads: int = 0
    warmup: list[RequestRecord] | None = None
    repeats: list[RepeatRecord] | None = None


class ServerDriver:
    """Runs launches for ``workflow.measure.execute``; see ``Driver``."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._version = rig.engine.version()
        self._model_sha256 = model_digest(rig.model) if rig.attach is None else "unknown"
        adopt_orphans()

    def observe(self, spec: LaunchSpec, progress: Progress) -> Observation:
        """One launch from start to stop. See ``Driver.observe`` for the errors."""
        rig = self._rig
        port = free_port(rig.port) if rig.attach is None else 0
        argv = rig.engine.argv(spec.settings.flags, rig.model, port)
        put = install(spec.settings.overlays, sandboxed=rig.sandbox.kind == "bubblewrap")
        env = {**rig.engine.environment(spec.settings.env), **put.env}
        job = Job(argv=argv, env=env, readable=[rig.model], hidden=[rig.run_dir], network=True, placed=put.placed)
        log_path = rig.run_dir / ".state" / "server.log"
        log_path.parent.mkdir(parents=True, exist_ok=True)
        seen, failure = _Seen(), None
        host = HostSampler()
        private = Path(tempfile.mkdtemp(prefix="countersign-")) if rig.sandbox.kind == "none" else Path("/nonexistent")
        try:
            with log_path.open("wb") as log:
                server: Server
                if rig.attach is None:
                    server = ServerProcess(rig.sandbox.command(job), rig.sandbox.environment(job, private), log, port)
                else:
                    server = AttachedServer(rig.attach)
                    log.write(f"visited {rig.attach}; its own log is not at hand\n".encode())
                host.start()
                try:
                    failure = self._work(server, spec, seen, host, progress)
                finally:
                    stop = server.stop()
                    host_record = host.stop()
            if failure is None and stop.signal == "SIGKILL":
                failure = {"phase": "stop", "reason": "hung", "detail": "did not end within 10 s of SIGTERM and was killed"}
            return self._observation(spec, seen, failure, host_record, _Ended(argv, env, server, stop, log_path.read_bytes()))
        finally:
            shutil.rmtree(private, ignore_errors=True)

    def _work(
        self, server: Server, spec: LaunchSpec, seen: _Seen, host: HostSampler, progress: Progress
    ) -> dict[str, str] | None:
        """Drive one server; returns what failed, or None."""
        log_path = self._rig.run_dir / ".state" / "server.log"
        try:
            seen.started_unix = server.started_unix
            progress("starting the server" if self._rig.attach is None else "visiting the server", 0.02)
            self._await_ready(server, log_path)
            seen.ready_unix = time.time()
            progress("warming up", 0.4)
            warm = self._drive(server, spec, spec.warmup, lambda _: None)
            seen.warmup = warm.requests
            self._look(server, seen, log_path)
            _refuse_all_failed(warm, server, log_path)
            seen.repeats = []
            for number, prompts in enumerate(spec.repeats):
                _wait_quiet(host, progress)
                what = f"timed repeat {number + 1}/{len(spec.repeats)}"
                base, share = 0.5 + 0.48 * number / len(spec.repeats), 0.48 / len(spec.repeats)

                def tick(
                    done: int, what: str = what, base: float = base, share: float = share, total: int = len(prompts)
                ) -> None:
                    progress(what, base + share * done / total)

                repeat = self._drive(server, spec, prompts, tick)
                _refuse_all_failed(repeat, server, log_path)
                seen.repeats.append(repeat)
                self._look(server, seen, log_path)
            server.require_alive("load", log_path)
        except ServerFailedError as error:
            return {"phase": error.phase, "reason": error.reason, "detail": error.detail}
        return None

    def _await_ready(self, server: Server, log_path: Path) -> None:
        deadline = time.monotonic() + self._rig.start_timeout_s
        while not (answers(server.url) if self._rig.attach else _healthy(server.url + self._rig.engine.health_path)):
            server.require_alive("start", log_path)
            server.tree()
            if time.monotonic() > deadline:
                raise ServerFailedError(
                    "start", "hung", f"not ready after {self._rig.start_timeout_s:g} s; log ends: {tail(log_path)}"
                )
            time.sleep(POLL_S)

    def _drive(
        self,
        server: Server,
        spec: LaunchSpec,
        prompts: Sequence[Prompt],
        tick: Callable[[int], None],
    ) -> RepeatRecord:
        rig, load = self._rig, spec.workload

        def body(prompt: Prompt) -> dict[str, Any]:
            return rig.engine.request_body(rig.model, prompt.text, load.output_len)

        repeat = drive(Load(server.url + rig.engine.chat_path, body, load.concurrency, load.request_timeout_s), prompts, tick)
        for record in repeat.requests:
            rig.counter.count(record)
        return repeat

    def _look(self, server: Server, seen: _Seen, log_path: Path) -> None:
        """Read command line, environment and threads of the live server; one that has just died keeps what was read before."""
        facts = server.facts()
        if facts is not None:
            seen.view = ServerView(facts.cmdline, facts.environ, log_path.read_bytes().decode(errors="replace"))
            seen.threads = max(seen.threads, facts.threads)

    def _observation(
        self, spec: LaunchSpec, seen: _Seen, failure: Mapping[str, str] | None, host: dict[str, Any], ended: _Ended
    ) -> Observation:
        rig = self._rig
        view = seen.view or ServerView(tuple(ended.argv), ended.env, ended.log.decode(errors="replace"))
        found = rig.engine.effective(view)
        facts: dict[str, Any] = {
            **found.values,
            "engine": rig.engine.name,
            "engine_version": self._version,
            "model_sha256": self._model_sha256,
            "threads_omp": view.environ.get("OMP_NUM_THREADS") if rig.attach is None else "unknown",
            **{f"env.{key}": view.environ.get(key) for key in sorted(spec.settings.env)},
        }
        sources: dict[str, str] = (
            dict.fromkeys(facts, "cmdline") | dict(found.sources) | {"model_sha256": "disk", "engine_version": "disk"}
        )
        sources |= {key: "unknown" for key, value in facts.items() if rig.attach is not None and value == "unknown"}
        server = {
            **({"attached": True} if rig.attach is not None else {}),
            "engine": {"name": rig.engine.name, "version": self._version},
            "requested": {"flags": dict(spec.settings.flags), "env": dict(spec.settings.env)},
            "overlays": [item.as_dict() for item in spec.settings.overlays],
            "effective": facts,
            "effective_source": sources,
            "argv": list(ended.argv),
            "env": dict(ended.env),
            "versions": _versions(),
            "threads": {"omp": view.environ.get("OMP_NUM_THREADS"), "peak": seen.threads},
            "started_unix": seen.started_unix,
            "ready_unix": seen.ready_unix,
            "stopped_unix": time.time(),
            "sandbox": {"kind": rig.sandbox.kind, "detail": rig.sandbox.detail},
            "stop": {
                "exit_code": ended.stop.exit_code,
                "signal": ended.stop.signal,
                "seconds": ended.stop.seconds,
                "survivors": list(ended.stop.survivors),
                "port_closed": ended.stop.port_closed,
            },
        }
        warmup, repeats = seen.warmup or [], seen.repeats or []
        return Observation("complete" if failure is None else "failed", failure, server, warmup, repeats, host, ended.log)


@dataclass(frozen=True, slots=True)
class _Ended:
    """A launch after its stop."""

    argv: list[str]
    env: dict[str, str]
    server: Server
    stop: Any
    log: bytes


def _healthy(url: str) -> bool:
    try:
        return fetch(url, HEALTH_S)[0] == 200
    except OSError:
        return False


def _refuse_all_failed(repeat: RepeatRecord, server: Server, log_path: Path) -> None:
    """A repeat without a single answer is no measurement: the server died, or it refuses what it is asked."""
    if all(record.error is not None for record in repeat.requests):
        server.require_alive("load", log_path)
        raise ServerFailedError("load", "refused", f"every request failed; the first: {repeat.requests[0].error}")


def _wait_quiet(host: HostSampler, progress: Progress) -> None:
    """Give strangers a moment to finish; both legs wait by the same rule, on what the neighbours do, never on results."""
    deadline = time.monotonic() + QUIET_WAIT_S
    while not host.quiet(QUIET_CORES) and time.monotonic() < deadline:
        busiest = host.samples[-1]["foreign"][0]["name"] if host.samples[-1]["foreign"] else "?"
        progress(f"waiting for a quiet machine ({busiest} is busy)", 0.45)
        time.sleep(POLL_S * 5)


def model_digest(model: Path) -> str:
    """One sha256 over name and sha256 of every file of the model directory. Raises InfrastructureError when unreadable."""
    try:
        files = {str(p.relative_to(model)): file_digest(p) for p in sorted(model.rglob("*")) if p.is_file()}
    except OSError as error:
        raise InfrastructureError(f"{error.filename}: cannot be read: {error.strerror}", "Check the model directory.") from error
    return digest(files)


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "kernel": platform.release()}
    for name in ("countersign", "torch", "transformers", "aiohttp"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
