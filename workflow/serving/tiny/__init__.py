"""The tiny model: a Qwen2 of 1.7 M parameters that answers two tasks right, so that judgements have a coherent reference."""

from __future__ import annotations

from pathlib import Path

TINY_DIR = Path(__file__).resolve().parent
TINY_MODEL = TINY_DIR / "model"
"""The directory of weights, tokenizer and chat template."""
