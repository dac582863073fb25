"""Rotary embedding of query and key in one go."""

from __future__ import annotations

import torch


def rotate(
    q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, unsqueeze_dim: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """The turn of ``apply_rotary_pos_emb``. ``q``, ``k``: (batch, heads, tokens, dim); ``cos``, ``sin``: (batch, tokens, dim).

    The halves of a vector are turned by the same angles, so each half is written once and nothing is negated or joined first.
    """
    heads = 1 if unsqueeze_dim == 1 else 2
    both = torch.cat((q, k), dim=heads)
    half = both.shape[-1] // 2
    c, s = cos.unsqueeze(unsqueeze_dim)[..., :half], sin.unsqueeze(unsqueeze_dim)[..., :half]
    low, high = both[..., :half], both[..., half:]
    turned = torch.empty_like(both)
    torch.mul(low, c, out=turned[..., :half]).addcmul_(high, s, value=-1)
    torch.mul(high, c, out=turned[..., half:]).addcmul_(low, s)
    return turned.narrow(heads, 0, q.shape[heads]), turned.narrow(heads, q.shape[heads], k.shape[heads])
