"""Which models a campaign is to ask, as command line and file say it, checked before anything is created."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from agents import ModelError
from workflow.asking import CALLS
from workflow.config import ModelsConfig, Role
from workflow.errors import ConfigError, InstallError, UsageError

BUILTIN = "builtin"
OWN_BASE = "HOSTED_VLLM_API_BASE"
ROLES: tuple[Role, ...] = get_args(Role)
_NAME = re.compile(r"[\w.:/@+~=-]{1,200}", re.ASCII)
_BASE = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[\w.~%/+-]*)?", re.ASCII)


def choose(models: ModelsConfig, wanted: Sequence[str], api_base: str | None) -> ModelsConfig:
    """The file's models with those of ``--model`` in their place: NAME is for every role, ROLE=NAME for one.

    Raises UsageError.
    """
    default, roles = models.default, dict(models.roles)
    every = [text for text in wanted if "=" not in text]
    if len(every) > 1:
        raise UsageError(f"--model: {every[0]!r} and {every[1]!r} are both for every role", "Give the others as ROLE=NAME.")
    if every:
        default, roles = _asked(every[0]), {}
    seen = set[str]()
    for text in (item for item in wanted if "=" in item):
        name, _, asked = text.partition("=")
        role = next((item for item in ROLES if item == name), None)
        if role is None:
            raise UsageError(f"--model {text!r}: no role is called {name!r}", f"The roles are {', '.join(ROLES)}.")
        if role in seen:
            raise UsageError(f"--model: {role} is named twice", "Give one model for each role.")
        seen.add(role)
        roles[role] = _asked(asked)
    found = models.model_copy(update={"default": default, "roles": roles, "api_base": api_base or models.api_base})
    if api_base is not None and not found.by_role():
        raise UsageError("--api-base: no role has a model that could be asked there", "Name it: --model NAME.")
    return found


def _asked(name: str) -> str | None:
    return None if name in ("", BUILTIN) else name


def check_models(models: ModelsConfig) -> None:
    """Raise ConfigError for names and addresses that cannot be meant. Nothing is imported and nobody asked."""
    named, base = models.by_role(), models.api_base
    for role, name in named.items():
        if not _NAME.fullmatch(name):
            raise ConfigError(f"model {name!r} of role {role}: not a name", "Spell it provider/name, e.g. openai/gpt-4o.")
    if base is not None and not _BASE.fullmatch(base):
        what = f"api_base {_without_secret(base)!r}: not a base URL, or one with a name, password or query in it"
        raise ConfigError(what, "Give e.g. http://127.0.0.1:8000/v1; keys belong into the environment.")
    if base is None and not os.environ.get(OWN_BASE):
        lost = next((name for name in named.values() if name.startswith("hosted_vllm/")), None)
        if lost is not None:  # LiteLLM would ask OpenAI
            raise ConfigError(f"model {lost!r}: nobody says where it is served", f"Give --api-base URL, or set {OWN_BASE}.")
    providers = sorted({name.partition("/")[0] for name in named.values()})
    if base is not None and len(providers) > 1:
        what = f"api_base is for every model, and there are some of {' and '.join(providers)}: one's key would go to the other's"
        hint = f"Leave it out, and name a server of your own in the environment: {OWN_BASE}, OPENAI_BASE_URL, ..."
        raise ConfigError(what, hint)


def _without_secret(base: str) -> str:
    return re.sub(r"//[^/]*@", "//(hidden)@", base).partition("?")[0]


def can_ask(models: ModelsConfig) -> list[str]:
    """Keys that are not set though a provider takes them, ``model: NAME, ...`` each. No network is asked.

    Raises ConfigError for a model of no provider, InstallError without LiteLLM.
    """
    from agents.wire import lacking

    found = []
    for name in sorted(set(models.by_role().values())):
        try:
            keys = lacking(name, models.api_base)
        except ModelError as error:
            refusal = InstallError if error.kind == "missing" else ConfigError
            raise refusal(str(error), error.next_step) from error
        if keys:
            found.append(f"{name}: {', '.join(keys)}")
    return found


def told(models: ModelsConfig, tape: Path | None) -> str:
    """Who answers, in a line; empty when built-in policies do."""
    named = models.by_role()
    if not named:
        return ""
    words = [f"{role} {name}" for role, name in named.items()]
    builtin = [role for role in ROLES if role not in named]
    rest = f"; built-in: {', '.join(builtin)}" if builtin else ""
    return f"models: {', '.join(words)}{rest}{f'; replayed from {tape}' if tape is not None else ''}"


def recording(path: Path, models: ModelsConfig) -> Path:
    """The file of a recording that can answer for these models. Raises UsageError, naming file and line."""
    from agents.cassette import Cassette

    hint = f"Give the directory of a campaign that asked models, or its {CALLS}."
    file = path / CALLS if path.is_dir() else path
    if not file.is_file():
        raise UsageError(f"{file}: no recording there", hint)
    try:
        calls = Cassette(file).calls
    except ModelError as error:
        raise UsageError(str(error), error.next_step) from error
    if not calls:
        raise UsageError(f"{file}: holds no whole call", hint)
    made, named = {call.role: call.model for call in calls}, {str(role): name for role, name in models.by_role().items()}
    other = [role for role in made if named.get(role) != made[role]]
    if other:
        what = f"{file}: role {other[0]} was recorded with {made[other[0]]}, and here it is {named.get(other[0], BUILTIN)}"
        raise UsageError(what, f"Name the models as they were recorded: {_flags(made)}")
    return file


def _flags(made: Mapping[str, str]) -> str:
    return " ".join(f"--model {role}={name}" for role, name in made.items())


def record_to(file: Path, models: ModelsConfig, run_dir: Path) -> None:
    """Raise UsageError when calls cannot be recorded there too, or something else stands there."""
    if not models.by_role():
        raise UsageError("--record: no role has a model, so there is nothing to record", "Name one: --model NAME.")
    if not file.parent.is_dir():
        raise UsageError(f"{file}: no directory {file.parent}", "Make it, or name another file.")
    try:
        there = file.read_bytes() if file.exists() else b""
        own = (run_dir / CALLS).read_bytes() if (run_dir / CALLS).is_file() else b""
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be read: {error.strerror}", "Name another file.") from error
    if not own.startswith(there):
        raise UsageError(f"{file}: exists and is no record of this campaign so far; nothing was started", "Name a new file.")
