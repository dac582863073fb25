"""Qwen2DecoderLayer.forward of continuous batching in three calls of a kernel compiled from kernel.cpp."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers.models.qwen2 import modeling_qwen2

torch.ops.load_library(str(Path(__file__).with_name("kernel.so")))  # type: ignore[no-untyped-call]
_LAYER = torch.ops.countersign_layer
_AS_INSTALLED = modeling_qwen2.Qwen2DecoderLayer.forward


class _Packed(NamedTuple):
    """Weights of one layer below each other, made once for each module."""

    projection: torch.Tensor
    """Query, key and value: ((heads + 2 x groups) x dim, hidden)."""
    bias: torch.Tensor
    gate_up: torch.Tensor
    """(2 x intermediate, hidden)."""
    heads: int
    groups: int


def forward(
    self: Any,  # noqa: ANN401 - the module whose method this becomes
    hidden_states: torch.Tensor,
    *rest: Any,  # noqa: ANN401 - what the engine passes on
    **keys: Any,  # noqa: ANN401 - the same
) -> torch.Tensor:
    """As the layer that is installed. ``hidden_states``: (1, tokens, hidden).

    Anything but a packed batch over a paged cache, in float32 on the CPU, takes the installed layer's way.
    """
    attention = self.self_attn
    if rest or not _ours(attention, hidden_states, keys):
        found: torch.Tensor = _AS_INSTALLED(self, hidden_states, *rest, **keys)
        return found
    packed, hidden = _packed(self), hidden_states.squeeze(0).contiguous()
    cosine, sine = (item.squeeze(0).contiguous() for item in keys["position_embeddings"])
    norm, later = self.input_layernorm, self.post_attention_layernorm
    query, key, value = _LAYER.before(
        hidden, norm.weight, norm.variance_epsilon, packed.projection, packed.bias, cosine, sine, packed.heads, packed.groups
    )
    key, value = keys["cache"].update(
        key_states=key.transpose(0, 1).unsqueeze(0),
        value_states=value.transpose(0, 1).unsqueeze(0),
        layer_idx=attention.layer_idx,
        kwargs=keys,
    )
    key, value = (item.squeeze(0).transpose(0, 1).contiguous() for item in (key, value))
    attended = _LAYER.attend(query, key, value, keys["cu_seq_lens_q"], keys["cu_seq_lens_k"], attention.scaling)
    out: torch.Tensor = _LAYER.after(
        attended,
        hidden,
        attention.o_proj.weight,
        later.weight,
        later.variance_epsilon,
        packed.gate_up,
        self.mlp.down_proj.weight,
    )
    return out.unsqueeze(0)


def _ours(attention: Any, hidden: torch.Tensor, keys: dict[str, Any]) -> bool:  # noqa: ANN401 - the engine's module
    """Whether a call is one that the kernel can answer."""
    paged = all(keys.get(key) is not None for key in ("cache", "cu_seq_lens_q", "position_embeddings"))
    plain = (
        keys.get("block_table") is None
        and keys.get("past_key_values") is None
        and attention.sliding_window is None
        and not attention.training
    )
    return paged and plain and hidden.shape[0] == 1 and hidden.dtype == torch.float32 and hidden.device.type == "cpu"


def _packed(layer: Any) -> _Packed:  # noqa: ANN401 - a Qwen2DecoderLayer
    kept: _Packed | None = layer.__dict__.get("_countersign_packed_layer")
    if kept is None:
        attention, mlp = layer.self_attn, layer.mlp
        three = (attention.q_proj, attention.k_proj, attention.v_proj)
        kept = _Packed(
            torch.cat([item.weight for item in three]).detach(),
            torch.cat([item.bias for item in three]).detach(),
            torch.cat((mlp.gate_proj.weight, mlp.up_proj.weight)).detach(),
            attention.q_proj.out_features // attention.head_dim,
            attention.k_proj.out_features // attention.head_dim,
        )
        layer.__dict__["_countersign_packed_layer"] = kept
    return kept
