"""A server that is up already: visited over HTTP, with the face of a server process. It is neither started nor stopped here."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from workflow.errors import InfrastructureError, ServerFailedError
from workflow.measure.client import fetch
from workflow.measure.processes import ProcessFacts, StopReport
from workflow.measure.prompts import TinyPrompts, TokenCounter
from workflow.measure.types import Prompt, RequestRecord
from workflow.serving.tiny import TINY_MODEL

TIMEOUT_S = 10.0
MODELS = "/v1/models"


class AttachedServer:
    """One visit. ``exit_code`` stays None: whether and how the server ends is somebody else's affair."""

    exit_code: int | None = None

    def __init__(self, url: str) -> None:
        self.url = url
        self.started_unix = time.time()
        """When the visit began."""

    def require_alive(self, phase: str, log: Path) -> None:
        """Raise ServerFailedError when the server does not answer any more."""
        del log
        if not answers(self.url):
            raise ServerFailedError(phase, "died", f"{self.url} does not answer")

    def tree(self) -> list[Any]:
        """No process of it is known."""
        return []

    def facts(self) -> ProcessFacts | None:
        """Nothing of its process can be read."""
        return None

    def stop(self) -> StopReport:
        """The visit ends; the server stays."""
        return StopReport(None, None, 0.0, (), port_closed=False)


def answers(url: str) -> bool:
    """Whether anything answers there in HTTP, also with an error: some servers cannot list their models."""
    try:
        fetch(url + MODELS, TIMEOUT_S)
    except OSError:
        return False
    return True


def served_models(url: str) -> list[str]:
    """Names of the models that a server offers. Raises InfrastructureError when it does not answer as such a server does."""
    hint = f"Start the server, then see that `curl {url}{MODELS}` lists its model; or name it: `served_model:`."
    try:
        status, page = fetch(url + MODELS, TIMEOUT_S)
        names = [item["id"] for item in json.loads(page)["data"]]
    except OSError as error:
        raise InfrastructureError(f"{url}{MODELS}: {error}", hint) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InfrastructureError(f"{url}{MODELS}: not a list of models (HTTP {status})", hint) from error
    if not names or not all(isinstance(name, str) and name.isprintable() and len(name) < 512 for name in names):
        raise InfrastructureError(f"{url}{MODELS}: names no model", hint)
    return names


class PlainPrompts:
    """The embedded workload's prompts without their known answers: what another model should answer is not known."""

    def __init__(self) -> None:
        self._source = TinyPrompts(TokenCounter(TINY_MODEL))

    def draw(self, seed: int, count: int, output_len: int) -> list[Prompt]:
        """See ``PromptSource.draw``."""
        return [Prompt(item.text, item.task, None) for item in self._source.draw(seed, count, min(output_len, 32))]


class UsageCounter:
    """Token counts in the server's own word, where its tokenizer is not at hand."""

    def count(self, record: RequestRecord) -> None:
        """Set the record's tokens. Raises ServerFailedError when the server does not tell its usage."""
        if record.error is None and record.usage_out is None:
            hint = "give `model:`, a directory with the model's tokenizer.json and chat_template.jinja"
            raise ServerFailedError("load", "refused", f"the server does not say how many tokens it made: {hint}")
        record.tokens_in, record.tokens_out = record.usage_in or 0, record.usage_out or 0
