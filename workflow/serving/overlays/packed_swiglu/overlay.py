"""Qwen2MLP.forward with gate and up projection in one matrix product."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional


def forward(self: Any, x: torch.Tensor) -> torch.Tensor:  # noqa: ANN401 - the module whose method this becomes
    """down(silu(gate(x)) * up(x)). ``x``: (..., hidden)."""
    gate, up = functional.linear(x, _packed(self)).chunk(2, dim=-1)
    found: torch.Tensor = self.down_proj(functional.silu(gate) * up)
    return found


def _packed(mlp: Any) -> torch.Tensor:  # noqa: ANN401 - a Qwen2MLP
    """Both weights below each other, (2 x intermediate, hidden), made once for each module."""
    kept = mlp.__dict__.get("_countersign_packed")
    if kept is None:
        kept = torch.cat((mlp.gate_proj.weight, mlp.up_proj.weight)).detach()
        mlp.__dict__["_countersign_packed"] = kept
    packed: torch.Tensor = kept
    return packed
