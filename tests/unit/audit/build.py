"""The writer of whole run directories; it lives with the proof, whose planted lies start from it too."""

from __future__ import annotations

from proof.making import (
    CLIENTS,
    DEFAULTS,
    EPOCH,
    TOKENS_IN,
    TOKENS_OUT,
    Files,
    Json,
    Run,
    Server,
    Touch,
    canonical,
    foreign,
    recompute,
    seal,
    sglang_row,
    sha,
    write,
)

__all__ = [
    "CLIENTS", "DEFAULTS", "EPOCH", "TOKENS_IN", "TOKENS_OUT", "Files", "Json", "Run", "Server", "Touch", "canonical",
    "foreign", "recompute", "seal", "sglang_row", "sha", "write",
]  # fmt: skip
