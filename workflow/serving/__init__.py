"""Engine adapters. ``get_engine`` is the way in; ``Engine`` says what an adapter is."""

from __future__ import annotations

from workflow.errors import ConfigError
from workflow.serving.base import Effective, Engine, Lever, ServerView, lever, validate_settings
from workflow.serving.openai_server import OpenAIServer
from workflow.serving.transformers_serve import TransformersServe

__all__ = ["Effective", "Engine", "Lever", "OpenAIServer", "ServerView", "get_engine", "lever", "validate_settings"]

_ENGINES: dict[str, type[TransformersServe] | type[OpenAIServer]] = {
    TransformersServe.name: TransformersServe,
    OpenAIServer.name: OpenAIServer,
}


def get_engine(name: str) -> Engine:
    """An engine adapter by name. Raises ConfigError listing the known ones."""
    if name not in _ENGINES:
        raise ConfigError(f"no engine {name!r}", f"Known: {', '.join(sorted(_ENGINES))}.")
    return _ENGINES[name]()
