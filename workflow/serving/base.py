"""What an engine adapter is: launch command, declared levers, allowed environment, request body, effective settings.

One small class per engine. The stopwatch knows engines only through this interface; it was drawn so that vLLM and
SGLang fit (a metrics path, an engine that reports its own configuration, other body fields for a forced length).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from workflow.errors import ConfigError

Scalar = str | int | float | bool | None
Source = Literal["cmdline", "log", "default", "disk", "server", "unknown"]
"""``server``: its own word over HTTP; ``unknown``: it cannot be known, and so the value says."""

FORBIDDEN_ENV_HINT = "Loader, interpreter and thread settings (LD_*, PYTHON*, OMP_*, MKL_*) are never a lever."


@dataclass(frozen=True, slots=True)
class Lever:
    """One change that the engine declares as worth trying; nothing undeclared can be proposed."""

    name: str
    flags: Mapping[str, Scalar]
    summary: str
    env: Mapping[str, str] = field(default_factory=dict)
    aims: Literal["batching", "attention", "weights", "whole"] = "whole"
    """What of a profile speaks for it."""


@dataclass(frozen=True, slots=True)
class ServerView:
    """What the stopwatch saw of a live server: its real command line and environment, and its log so far."""

    cmdline: tuple[str, ...]
    environ: Mapping[str, str]
    log: str
    server_info: Mapping[str, Any] | None = None
    """The engine's own report of its configuration, for engines that have one."""


@dataclass(frozen=True, slots=True)
class Effective:
    """Settings in force and, key by key, where that was read."""

    values: dict[str, Scalar]
    sources: dict[str, Source]


class Engine(ABC):
    """One serving engine. Methods neither start anything nor touch the network."""

    name: str
    starts: bool = True
    """False: its servers are up already, and are visited."""
    levers: tuple[Lever, ...]
    env_allowed: frozenset[str]
    flag_values: Mapping[str, tuple[type, ...]]
    """Every setting a campaign may give, with its types; bool settings are switches."""
    health_path: str
    chat_path: str
    metrics_path: str | None = None
    """Prometheus page, for engines that have one."""
    info_path: str | None = None
    """The engine's own report of its configuration, for engines that have one."""
    functions: tuple[str, ...] = ()
    """Functions (``module:attr``) of its models that a profile shows as operations of their own, beside the modules."""
    overlay_roots: tuple[str, ...] = ()
    """Modules, by the beginning of their names, whose functions an overlay that a producer wrote may replace."""
    overlays: Path | None = None
    """Catalogue of overlays for its models, a folder each; None for engines without one."""

    @abstractmethod
    def version(self) -> str:
        """The installed engine's version. Raises InstallError saying what to install."""

    @abstractmethod
    def argv(self, flags: Mapping[str, Scalar], model: Path, port: int) -> list[str]:
        """The command line of one server on loopback."""

    @abstractmethod
    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """The complete environment of the server; the caller adds HOME and TMPDIR."""

    @abstractmethod
    def request_body(self, model: Path, prompt: str, output_len: int) -> dict[str, Any]:
        """A streaming chat request that is answered greedily with exactly ``output_len`` tokens."""

    @abstractmethod
    def effective(self, view: ServerView) -> Effective:
        """Settings in force, from the live process and the log, never from what was asked for."""

    def dispatch(self, flags: Mapping[str, Scalar]) -> str | None:
        """How a live server launches its operations: ``eager``, ``compiled``, ``graph_replay``; None: not known."""
        del flags
        return None

    @abstractmethod
    def fatal(self, line: str) -> str | None:
        """One word for a log line after which the server will not recover (``oom``, ``crash``), else None."""


def validate_settings(engine: Engine, flags: Mapping[str, Scalar], env: Mapping[str, str]) -> None:
    """Raise ConfigError for a flag the engine does not declare, a wrong type, or an environment key not allowed."""
    for key, value in flags.items():
        if key not in engine.flag_values:
            known = ", ".join(sorted(engine.flag_values))
            raise ConfigError(f"flag {key!r} is not declared by engine {engine.name!r}", f"Declared: {known}.")
        allowed = engine.flag_values[key]
        if type(value) not in allowed:
            names = " or ".join(kind.__name__ for kind in allowed)
            raise ConfigError(f"flag {key!r} must be {names}, not {value!r}", "Mend the value.")
        if isinstance(value, str) and not value.replace("_", "").replace("-", "").replace(".", "").isalnum():
            raise ConfigError(f"flag {key!r}: {value!r} is not a plain word", "Use letters, digits, '.', '_' and '-' only.")
    for key, text in env.items():
        if key not in engine.env_allowed:
            allowed_keys = ", ".join(sorted(engine.env_allowed)) or "none"
            raise ConfigError(
                f"environment {key!r} is not allowed for engine {engine.name!r}", f"Allowed: {allowed_keys}. {FORBIDDEN_ENV_HINT}"
            )
        if "\x00" in text or "\n" in text or len(text) > 256:
            raise ConfigError(f"environment {key!r}: the value is not one short line", "Mend the value.")


def lever(engine: Engine, name: str) -> Lever:
    """A declared lever by name. Raises ConfigError listing the declared ones."""
    for candidate in engine.levers:
        if candidate.name == name:
            return candidate
    raise ConfigError(
        f"engine {engine.name!r} declares no lever {name!r}", f"Declared: {', '.join(item.name for item in engine.levers)}."
    )
