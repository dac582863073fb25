"""How good the tiny model is on held-out prompts: the figures of its card, by one command.

``countersign model evaluate`` runs this. Greedy decoding, one thread, exact match of the whole answer, Wilson interval.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from workflow.serving.tiny import TINY_DIR
from workflow.serving.tiny.corpus import Item, Task, draw

CARD = TINY_DIR / "card.json"
SEED = "card"
PER_TASK = 1000
BATCH = 50
MAX_NEW = 72
Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Score:
    """Exact match of one task: ``right`` of ``n``, with the 95 % Wilson interval, all in percent."""

    task: str
    n: int
    right: int
    exact_match_pct: float
    low_pct: float
    high_pct: float


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % Wilson score interval of a proportion, in percent (Wilson 1927)."""
    share, z2 = right / n, Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return 100 * max(middle - half, 0.0), 100 * min(middle + half, 1.0)


def answers(model: Any, tokenizer: Any, items: list[Item]) -> list[str]:  # noqa: ANN401 - transformers is untyped
    """Greedy answers up to the end mark, special tokens stripped."""
    chats = [
        tokenizer.apply_chat_template([{"role": "user", "content": item.prompt}], add_generation_prompt=True, tokenize=False)
        for item in items
    ]
    batch = tokenizer(chats, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False)
    batch.pop("token_type_ids", None)
    with torch.inference_mode():
        out = model.generate(**batch, do_sample=False, max_new_tokens=MAX_NEW)
    texts: list[str] = tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return texts


def evaluate(model_dir: Path, per_task: int, progress: Callable[[str], None]) -> list[Score]:
    """Score both tasks on ``per_task`` held-out prompts each."""
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32).eval()
    scores: list[Score] = []
    tasks: tuple[Task, ...] = ("tool", "code")
    for task in tasks:
        items = draw(SEED, per_task, "heldout", task)
        right = 0
        for start in range(0, len(items), BATCH):
            part = items[start : start + BATCH]
            right += sum(a == i.answer for a, i in zip(answers(model, tokenizer, part), part, strict=True))
            progress(f"{task}: {right} of {start + len(part)} right ({len(items)} in all)")
        low, high = wilson(right, len(items))
        scores.append(Score(task, len(items), right, round(100 * right / len(items), 2), round(low, 2), round(high, 2)))
    return scores


def overlap() -> int:
    """Held-out prompts of the card that also occur among the training prompts (must be 0)."""
    seen = {item.prompt for task in ("tool", "code") for item in draw(SEED, PER_TASK, "heldout", task)}
    from workflow.serving.tiny.train import BATCH as TRAIN_BATCH
    from workflow.serving.tiny.train import SEED as TRAIN_SEED
    from workflow.serving.tiny.train import STEPS

    return sum(i.prompt in seen for s in range(STEPS) for i in draw(f"{TRAIN_SEED}:{s}", TRAIN_BATCH, "train"))


def as_card(scores: list[Score], parameters: int, weight_bytes: int) -> dict[str, Any]:
    """The machine-readable card."""
    return {
        "schema": "countersign.model-card/1",
        "parameters": parameters,
        "safetensors_bytes": weight_bytes,
        "scores": [asdict(score) for score in scores],
    }


def read_card() -> dict[str, Any]:
    """The card that ships. Raises OSError or ValueError when it is missing or not JSON."""
    card: dict[str, Any] = json.loads(CARD.read_bytes())
    return card


def off_card(measured: dict[str, Any], card: dict[str, Any]) -> list[str]:
    """Each figure that is not as the card states it, in words; empty when all agree. One that a side lacks is off as well."""
    found, stated = _figures(measured), _figures(card)
    return [
        f"{name}: measured {found.get(name, 'nothing')}, the card says {stated.get(name, 'nothing')}"
        for name in sorted(found.keys() | stated.keys())
        if found.get(name) != stated.get(name)
    ]


def _figures(card: dict[str, Any]) -> dict[str, Any]:
    """``parameters``, ``code.right``, ...: every figure of a card by name."""
    flat = {name: value for name, value in card.items() if name not in ("schema", "scores")}
    return flat | {
        f"{score['task']}.{name}": value for score in card.get("scores", []) for name, value in score.items() if name != "task"
    }


def main_card(model_dir: Path, progress: Callable[[str], None]) -> dict[str, Any]:
    """Measure everything that the card states."""
    model = AutoModelForCausalLM.from_pretrained(model_dir)
    count = sum(p.numel() for p in model.parameters())
    return as_card(evaluate(model_dir, PER_TASK, progress), count, (model_dir / "model.safetensors").stat().st_size)


__all__ = [
    "CARD",
    "PER_TASK",
    "Score",
    "answers",
    "as_card",
    "evaluate",
    "main_card",
    "off_card",
    "overlap",
    "read_card",
    "wilson",
]
