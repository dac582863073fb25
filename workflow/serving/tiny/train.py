"""Trainer of the tiny model: ``python -m workflow.serving.tiny.train OUT_DIR``.

Trains the tokenizer (byte-level BPE) and a Qwen2 of about 1.7 M parameters from nothing on the seeded corpus,
with the loss on answers only. One thread, one seed: the same machine and library versions give the same
weights; other CPUs give other low bits and the same figures within the card's intervals.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from workflow.serving.tiny.corpus import Item, draw

SEED = 20261121
STEPS = 3200
BATCH = 40
PEAK_LR = 3e-3
WARMUP = 150
VOCAB = 768
END = "<|im_end|>"
START = "<|im_start|>"
PAD = "<|endoftext|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE over words, single digits and single marks, so a slot value has one spelling everywhere."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[A-Za-z]+|[0-9]|\s|[^A-Za-z0-9\s]"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    items = draw(f"{SEED}:tokenizer", 12_000, "train")
    core.train_from_iterator((text for item in items for text in (item.prompt, item.answer)), trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=core, eos_token=END, pad_token=PAD, model_max_length=1024)
    fast.chat_template = CHAT_TEMPLATE
    return fast


def build_model(vocab: int, eos: int, pad: int) -> Qwen2ForCausalLM:
    """A Qwen2 with random weights: 4 layers of width 192, 6 heads over 2 KV heads, tied embeddings."""
    torch.manual_seed(SEED)
    config = Qwen2Config(
        vocab_size=vocab,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=eos,
        pad_token_id=pad,
        use_cache=True,
    )
    return Qwen2ForCausalLM(config)


def encode(tokenizer: PreTrainedTokenizerFast, items: list[Item]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and labels, both int64 [batch, longest]; labels are -100 on prompt and padding."""
    rows: list[tuple[list[int], list[int]]] = []
    for item in items:
        chat = [{"role": "user", "content": item.prompt}]
        head = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        prompt = tokenizer(head, add_special_tokens=False)["input_ids"]
        answer = tokenizer(item.answer + END, add_special_tokens=False)["input_ids"]
        rows.append((prompt, answer))
    width = max(len(p) + len(a) for p, a in rows)
    ids = torch.full((len(rows), width), tokenizer.pad_token_id, dtype=torch.long)
    labels = torch.full((len(rows), width), -100, dtype=torch.long)
    for index, (prompt, answer) in enumerate(rows):
        end = len(prompt) + len(answer)
        ids[index, :end] = torch.tensor(prompt + answer)
        labels[index, len(prompt) : end] = torch.tensor(answer)
    return ids, labels


def _rate(step: int) -> float:
    if step < WARMUP:
        return (step + 1) / WARMUP
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP)))


def train(out: Path) -> None:
    """Train from nothing and save model, tokenizer and chat template to ``out`` (created when absent)."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    tokenizer = build_tokenizer()
    model = build_model(len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id)
    optimiser = torch.optim.AdamW(model.parameters(), lr=PEAK_LR, betas=(0.9, 0.98), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _rate)
    model.train()
    began = time.monotonic()
    for step in range(STEPS):
        ids, labels = encode(tokenizer, draw(f"{SEED}:{step}", BATCH, "train"))
        loss = model(input_ids=ids, labels=labels).loss
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 0 or step == STEPS - 1:
            spent = time.monotonic() - began
            left = spent / (step + 1) * (STEPS - step - 1)
            sys.stderr.write(f"step {step:5d}/{STEPS}  loss {loss.item():.4f}  {spent:5.0f} s, about {left:.0f} s left\n")
    out.mkdir(parents=True, exist_ok=True)
    model.eval()
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    train(Path(sys.argv[1]))
