"""Prompts of the embedded workload and the client's own token counts."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from workflow.errors import ConfigError, InstallError
from workflow.measure.types import Prompt, RequestRecord
from workflow.serving.tiny.corpus import stream

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class TokenCounter:
    """Counts tokens as the model's tokenizer does, on the client's side of the wire.

    Needs ``tokenizer.json`` and, for prompts, ``chat_template.jinja`` in the model directory (ConfigError without).
    """

    def __init__(self, model: Path) -> None:
        try:
            from jinja2.sandbox import ImmutableSandboxedEnvironment
            from tokenizers import Tokenizer
        except ImportError as error:
            raise InstallError(f"{error.name!r} is not installed", "pip install 'countersign[campaign]'") from error
        self._core: Tokenizer = Tokenizer.from_file(str(_need(model / "tokenizer.json")))
        template = _need(model / "chat_template.jinja").read_text(encoding="utf-8")
        self._chat = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(template)

    def text(self, text: str) -> list[int]:
        """Token ids of plain text, no special tokens added."""
        return list(self._core.encode(text, add_special_tokens=False).ids)

    def cut(self, text: str, count: int) -> str:
        """The text of the first ``count`` tokens."""
        return str(self._core.decode(self.text(text)[:count], skip_special_tokens=False))

    def count(self, record: RequestRecord) -> None:
        """Set the tokens of one request's prompt and answer."""
        record.tokens_in, record.tokens_out = self.chat(record.prompt.text), len(self.text(record.answer or ""))

    def chat(self, prompt: str) -> int:
        """Tokens of a one-message chat with its markup."""
        messages = [{"role": "user", "content": prompt}]
        return len(self.text(self._chat.render(messages=messages, add_generation_prompt=True)))


def _need(path: Path) -> Path:
    if not path.is_file():
        raise ConfigError(f"{path.parent}: no {path.name} there", "Give `model: tiny` or the directory of a Hugging Face model.")
    return path


class TinyPrompts:
    """Held-out prompts of the tiny model's two tasks. Every prompt has a known answer.

    Only prompts whose answer fills the forced length are used: generation then never passes the end of the answer, so
    the whole output is comparable and the client's token count matches the server's.
    """

    def __init__(self, counter: TokenCounter) -> None:
        self._counter = counter

    def draw(self, seed: int, count: int, output_len: int) -> list[Prompt]:
        """See ``PromptSource.draw``. Raises ConfigError when hardly any known answer is that long."""
        found: list[Prompt] = []
        for item in islice(stream(seed, "heldout"), 40 * count + 200):
            if len(self._counter.text(item.answer)) >= output_len:
                found.append(Prompt(item.prompt, item.task, self._counter.cut(item.answer, output_len)))
                if len(found) == count:
                    return found
        raise ConfigError(
            f"workload.output_len {output_len}: too few known answers of the tiny model are that long",
            "Use 32 or less with `model: tiny`.",
        )
