"""Decodes held-out prompts with the shipped tiny model, whole and damaged as kernels, caches and quantisers do it."""

from __future__ import annotations

import copy
import hashlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

HONEST, DAMAGED, BATCH = 240, 24, 60
MAX_NEW, LONG = 72, 150
SOUP = (  # noqa: SIM905 - eighty quoted pieces are harder to read
    "ing tion ment ness able 的 是 在 了 lich keit ungen zione mente 에서 입니다 которые ного ение ствие ات ية ال ka na wa ない "
    "です "
    "get Element Factory Impl _ptr ::std $this => }) </div> \\n() 0x7f ;; pérd ível ção ström førs ść ła ů ğ ing_the Ġof Über "
    "क ों में tion= .NET @Override #pragma ## ** ^^ ~~ 12 7.5 -> ]] [[ (( qu x z vv kj tsch schw mpt rr"
).split()
"""Pieces of the kind that a large vocabulary holds; written for this file."""


class Decode(NamedTuple):
    """One recorded answer."""

    variant: str
    prompt: str
    text: str
    expected: str

    @property
    def exact(self) -> bool:
        """True when the whole answer is the known one."""
        return self.text == self.expected


def _noise(strength: float, seed: int) -> Callable[[Any], None]:
    """Every weight matrix plus normal noise of ``strength`` times its own deviation."""
    import torch

    def change(model: Any) -> None:  # noqa: ANN401 - transformers is untyped
        generator = torch.Generator().manual_seed(seed)
        for weight in model.parameters():
            if weight.dim() == 2:
                weight.data += strength * weight.data.std() * torch.randn(weight.shape, generator=generator)

    return change


def _bits(bits: int) -> Callable[[Any], None]:
    """Every weight matrix rounded to so many bits, one scale a tensor."""

    def change(model: Any) -> None:  # noqa: ANN401 - transformers is untyped
        for weight in model.parameters():
            if weight.dim() == 2:
                step = weight.data.abs().max() / (2 ** (bits - 1) - 1)
                weight.data = (weight.data / step).round() * step

    return change


def _without(*layers: int) -> Callable[[Any], None]:
    """Layers whose outputs are left out: attention and MLP add nothing."""

    def change(model: Any) -> None:  # noqa: ANN401 - transformers is untyped
        for at in layers:
            model.model.layers[at].self_attn.o_proj.weight.data.zero_()
            model.model.layers[at].mlp.down_proj.weight.data.zero_()

    return change


def _scrambled(part: str, seed: int, *layers: int) -> Callable[[Any], None]:
    """Rows of a projection in another order: what a wrong stride in the KV cache does."""
    import torch

    def change(model: Any) -> None:  # noqa: ANN401 - transformers is untyped
        generator = torch.Generator().manual_seed(seed + 1)
        for at in layers:
            weight = getattr(model.model.layers[at].self_attn, part).weight
            weight.data = weight.data[torch.randperm(weight.shape[0], generator=generator)]

    return change


def _embedding(share: float, seed: int) -> Callable[[Any], None]:
    """This share of the rows of the (tied) embedding in another order."""
    import torch

    def change(model: Any) -> None:  # noqa: ANN401 - transformers is untyped
        generator = torch.Generator().manual_seed(seed + 2)
        weight = model.model.embed_tokens.weight
        rows = torch.randperm(weight.shape[0], generator=generator)[: int(share * weight.shape[0])]
        weight.data[rows] = weight.data[rows[torch.randperm(len(rows), generator=generator)]]

    return change


def _heat(*layers: int) -> Callable[[Any], None]:
    """Attention scores four times too large: a forgotten scale."""

    def change(model: Any) -> None:  # noqa: ANN401 - transformers is untyped
        for at in layers:
            model.model.layers[at].self_attn.q_proj.weight.data *= 4
            model.model.layers[at].self_attn.q_proj.bias.data *= 4

    return change


def _bfloat(model: Any) -> None:  # noqa: ANN401 - transformers is untyped
    import torch

    for weight in model.parameters():
        weight.data = weight.data.to(torch.bfloat16).to(torch.float32)


def _same(model: Any) -> None:  # noqa: ANN401 - transformers is untyped
    del model


Plan = tuple[str, Callable[[Any], None], dict[str, Any]]


def _plans(seed: int) -> Iterator[Plan]:
    """Variant, what happens to the weights, how it decodes."""
    greedy: dict[str, Any] = {"do_sample": False, "max_new_tokens": MAX_NEW}
    yield "honest", _same, greedy
    yield "honest bfloat16", _bfloat, greedy
    yield "honest 8 bits", _bits(8), greedy
    for strength in (0.1, 0.2, 0.3, 0.5, 1.0):
        yield f"noise {strength}", _noise(strength, seed), greedy
    for bits in (5, 4, 3):
        yield f"{bits} bits", _bits(bits), greedy
    for layers in ((0,), (1,), (2,), (1, 2), (3,)):
        yield f"without layers {' '.join(map(str, layers))}", _without(*layers), greedy
    yield "keys scrambled", _scrambled("k_proj", seed, 0, 1, 2, 3), greedy
    yield "values scrambled", _scrambled("v_proj", seed, 0, 1, 2, 3), greedy
    yield "values scrambled in layer 2", _scrambled("v_proj", seed, 2), greedy
    yield "scale forgotten", _heat(0, 1, 2, 3), greedy
    for share in (0.1, 0.3, 1.0):
        yield f"embedding permuted {share}", _embedding(share, seed), greedy
    for heat in (1.5, 3.0):
        yield f"temperature {heat}", _same, {"do_sample": True, "temperature": heat, "top_k": 0, "max_new_tokens": MAX_NEW}
    yield "end suppressed", _same, {**greedy, "max_new_tokens": LONG, "suppress_tokens": [2, 0]}
    yield "noise 0.5, end suppressed", _noise(0.5, seed), {**greedy, "max_new_tokens": LONG, "suppress_tokens": [2, 0]}
    yield "truncated", _same, {**greedy, "max_new_tokens": 6}


def _texts(plan: Plan, model: Any, tokenizer: Any, prompts: list[str]) -> list[str]:  # noqa: ANN401 - transformers is untyped
    import torch

    name, change, how = plan
    mine = copy.deepcopy(model)
    change(mine)
    torch.manual_seed(len(name))
    found: list[str] = []
    for start in range(0, len(prompts), BATCH):
        chats = [
            tokenizer.apply_chat_template([{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False)
            for prompt in prompts[start : start + BATCH]
        ]
        batch = tokenizer(chats, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False)
        batch.pop("token_type_ids", None)
        with torch.inference_mode():
            out = mine.generate(**batch, **how)
        found += tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return found


def _written(rng: random.Random, right: str) -> dict[str, str]:
    """Damage that the tiny vocabulary cannot utter, done to a right answer."""
    blocks = ("абвгдежзиклмнопрст", "אבגדהוזחטיכלמנ", "กขคงจฉชซญดต", "αβγδεζηθικλμ", "ㄅㄆㄇㄈ丐丑专且世", "abcdefghijklm")
    letters = "".join(rng.choice(rng.choice(blocks)) if c.isalpha() else c for c in right)
    holes = "".join("\ufffd" if rng.random() < 0.2 else c for c in right)
    joints = ["", "", " "]
    soup = "".join(rng.choice(SOUP) + rng.choice(joints) for _ in range(30))
    return {"other scripts": letters, "replacement characters": holes, "vocabulary soup": soup, "empty": ""}


def decode(seed: str, path: Path) -> None:
    """Write the answers of every variant; the same bytes for the same seed, torch version and processor."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from workflow.serving.tiny import TINY_MODEL
    from workflow.serving.tiny.corpus import draw

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(TINY_MODEL)
    model: Any = AutoModelForCausalLM.from_pretrained(TINY_MODEL, dtype=torch.float32)
    model.eval()
    items = draw(seed, HONEST, "heldout")
    found: list[Decode] = []
    for plan in _plans(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big")):
        count = HONEST if plan[0] == "honest" else DAMAGED
        texts = _texts(plan, model, tokenizer, [item.prompt for item in items[:count]])
        found += [Decode(plan[0], item.prompt, text, item.answer) for item, text in zip(items, texts, strict=False)]
    rng = random.Random(f"{seed}:written")
    for item in items[:DAMAGED]:
        found += [Decode(name, item.prompt, text, item.answer) for name, text in _written(rng, item.answer).items()]
    lines = (json.dumps(item._asdict(), ensure_ascii=False) + "\n" for item in found)
    path.write_text("".join(lines), encoding="utf-8")
