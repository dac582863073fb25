"""Qwen2RMSNorm.forward by torch's fused operator."""

from __future__ import annotations

from typing import Any

import torch


def forward(self: Any, hidden_states: torch.Tensor) -> torch.Tensor:  # noqa: ANN401 - the module whose method this becomes
    """Norm of the last dimension. ``hidden_states``: (..., hidden). Sums in float32, as the original does."""
    wide = hidden_states.to(torch.float32)
    normed = torch.nn.functional.rms_norm(wide, wide.shape[-1:], None, self.variance_epsilon)
    found: torch.Tensor = self.weight * normed.to(hidden_states.dtype)
    return found
