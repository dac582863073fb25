"""Adapter of a server with OpenAI's chat interface that somebody else started: visited, never started, never stopped.

What is in force in it cannot be read from outside. Of the settings a judge would ask for only the served model's name is known;
the rest is ``unknown``, and says so in the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow.serving.base import Effective, Engine, Lever, Scalar, ServerView, Source

UNKNOWN = "unknown"
NOT_TOLD = (
    "attention_backend",
    "dtype",
    "enable_prefix_caching",
    "kv_cache_dtype",
    "max_total_num_tokens",
    "quantization",
    "speculative_algorithm",
    "tensor_parallel_size",
)
"""Settings that decide how fast a server is, and that this interface does not tell."""


class OpenAIServer(Engine):
    """Any server that answers ``/v1/models`` and ``/v1/chat/completions``."""

    name = "openai"
    starts = False
    levers: tuple[Lever, ...] = ()
    env_allowed: frozenset[str] = frozenset()
    flag_values: Mapping[str, tuple[type, ...]] = {}
    health_path = "/v1/models"
    info_path = "/v1/models"
    chat_path = "/v1/chat/completions"

    def __init__(self, served: str = UNKNOWN) -> None:
        self.served = served
        """The name under which the server knows its model."""

    def version(self) -> str:
        """Nobody says."""
        return UNKNOWN

    def argv(self, flags: Mapping[str, Scalar], model: Path, port: int) -> list[str]:
        """Nothing is started."""
        del flags, model, port
        return []

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Nothing is started."""
        del env
        return {}

    def request_body(self, model: Path, prompt: str, output_len: int) -> dict[str, Any]:
        """Greedy and streamed, with usage, at most ``output_len`` tokens: this interface has no word for exactly so many."""
        del model
        return {
            "model": self.served,
            "messages": [{"role": "user", "content": prompt}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0,
            "max_tokens": output_len,
        }

    def effective(self, view: ServerView) -> Effective:
        """The served model, and ``unknown`` for what cannot be asked."""
        del view
        sources: dict[str, Source] = {"model": "server"}
        for key in NOT_TOLD:
            sources[key] = "unknown"
        return Effective({"model": self.served, **dict.fromkeys(NOT_TOLD, UNKNOWN)}, sources)

    def fatal(self, line: str) -> str | None:
        """There is no log to read."""
        del line
        return None
