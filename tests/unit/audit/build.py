"""The writer of whole run directories; it lives with the proof, whose planted lies start from it too."""

from __future__ import annotations

from proof.making import CLIENTS, DEFAULTS, EPOCH, TOKENS_IN, TOKENS_OUT, Files, Json, Run, Server, Touch, canonical, foreign
from proof.making import recompute as recompute
from proof.making import seal as seal
from proof.making import sglang_row as sglang_row
from proof.making import sha as sha
from proof.making import write as write

__all__ = [
    "CLIENTS", "DEFAULTS", "EPOCH", "TOKENS_IN", "TOKENS_OUT", "Files", "Json", "Run", "Server", "Touch", "canonical",
    "foreign", "recompute", "seal", "sglang_row", "sha", "write",
]  # fmt: skip
