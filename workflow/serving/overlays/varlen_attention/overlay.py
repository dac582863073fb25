"""Attention of continuous batching without the mask: each sequence by itself, in a kernel compiled from kernel.cpp."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers.integrations import sdpa_attention

torch.ops.load_library(str(Path(__file__).with_name("kernel.so")))  # type: ignore[no-untyped-call]
_ATTEND = torch.ops.countersign_varlen.attend
_MASKED = sdpa_attention.sdpa_attention_forward


def forward(
    module: Any,  # noqa: ANN401 - the attention module
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **keys: Any,  # noqa: ANN401 - what the engine passes on
) -> tuple[torch.Tensor, None]:
    """As ``sdpa_attention_forward``: ``query`` (1, heads, tokens, dim), ``key`` and ``value`` (1, groups, tokens, dim).

    Anything but plain causal attention over a paged cache on the CPU takes the original's way.
    """
    cache, ends = keys.get("cache"), keys.get("cu_seq_lens_q")
    plain = not (keys.get("dropout") or keys.get("position_bias") is not None or keys.get("sliding_window"))
    if cache is None or ends is None or not plain or query.device.type != "cpu" or query.dtype != torch.float32:
        found: tuple[torch.Tensor, None] = _MASKED(module, query, key, value, attention_mask, **keys)
        return found
    key, value = cache.update(key_states=key, value_states=value, layer_idx=module.layer_idx, kwargs=keys)
    scale = keys.get("scaling") or query.shape[-1] ** -0.5
    return _ATTEND(query, key, value, ends, keys["cu_seq_lens_k"], scale), None
