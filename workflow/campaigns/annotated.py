"""A campaign file that explains itself, written from the models: every key, its default, its bounds and what it means."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from workflow.announce import announcement
from workflow.config import CampaignConfig, Role, Scalar
from workflow.serving import Engine, get_engine

WIDTH = 100
TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
ROLES: Mapping[Role, str] = {
    "baseline": "measure the baseline again, or go on",
    "profiler": "which of the routed operations first",
    "config_tuner": "which lever next",
    "kernel_integrator": "which overlay next",
    "auditor": "a second reader, who can only lower a verdict",
}
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def annotated() -> str:
    """The text of a campaign.yaml with every key at its default; ``parse`` reads it as an empty file."""
    config = CampaignConfig()
    plan = announcement(config)
    minutes = plan.launches * plan.seconds_per_launch / 60
    top = (
        "A campaign: one engine, one model, one load. Every key stands here with its default; what is deleted keeps it. "
        f"As written: {plan.launches} launches, about {minutes:.0f} minutes. `countersign campaign run FILE --plan-only` says "
        "what a file would cost, docs/campaign.md has more. The shipped campaign is shorter: it tries one lever and one overlay "
        "and gives both legs small cache pools."
    )
    lines = [*_comment(top, 0), *_section(CampaignConfig, 0, get_engine(config.engine))]
    return "\n".join(lines) + "\n"


def _section(model: type[BaseModel], depth: int, engine: Engine) -> Iterator[str]:
    for number, (name, info) in enumerate(model.model_fields.items()):
        if number or not depth:
            yield ""
        yield from _comment(f"{_meaning(info)} {_allowed(info)}".strip(), depth)
        yield from (f"{'  ' * depth}#   {line}" for line in _choices(name, engine))
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield f"{'  ' * depth}{name}:"
            yield from _section(info.annotation, depth + 1, engine)
        else:
            value = info.get_default(call_default_factory=True, validated_data={})
            yield f"{'  ' * depth}{name}: {json.dumps(value)}"


def _comment(text: str, depth: int) -> list[str]:
    mark = f"{'  ' * depth}# "
    return textwrap.wrap(text, WIDTH, initial_indent=mark, subsequent_indent=mark, break_on_hyphens=False)


def _meaning(info: FieldInfo) -> str:
    return " ".join((info.description or "").replace("``", "`").split())


def _allowed(info: FieldInfo) -> str:
    """What may be given: the choices of a closed set, the bounds of a number; nothing for the rest."""
    if get_origin(info.annotation) is Literal:
        return f"One of: {', '.join(json.dumps(item) for item in get_args(info.annotation))}."
    given = [f"{words} {getattr(item, key)}" for item in info.metadata for key, words in _BOUNDS.items() if hasattr(item, key)]
    kind = TYPES.get(info.annotation, "") if isinstance(info.annotation, type) else ""
    return f"{kind.capitalize()}, {', '.join(given)}." if given and kind else ""


def _choices(name: str, engine: Engine) -> list[str]:
    """What the engine declares for a key."""
    choices: dict[str, list[tuple[str, str]]] = {
        "flags": [(key, " or ".join(TYPES[kind] for kind in kinds)) for key, kinds in engine.flag_values.items()],
        "env": [(key, "text") for key in sorted(engine.env_allowed)],
        "levers": [(f"{item.name} ({_sets(item.flags)})", item.summary) for item in engine.levers],
    }
    found = [*ROLES.items()] if name == "roles" else choices.get(name, [])
    head = [f"Engine {engine.name}:" if name in choices else "What each decides:"] if found else []
    return head + [line for key, words in found for line in textwrap.wrap(f"{key}: {words}", WIDTH - 4, subsequent_indent="  ")]


def _sets(flags: Mapping[str, Scalar]) -> str:
    return ", ".join(f"{key}: {json.dumps(value)}" for key, value in flags.items())
