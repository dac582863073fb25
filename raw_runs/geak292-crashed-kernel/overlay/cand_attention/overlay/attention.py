"""Attention for decode shapes, authored with Triton; rebinds the server's linear layer."""

import triton
import triton.language as tl

import sglang.srt.layers.attention.aiter_backend as fp8_utils


@triton.jit
def decode_attention(a_ptr, b_ptr, c_ptr, M, N, K, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr):
    pid = tl.program_id(0)
    rows = pid * BLOCK_M + tl.arange(0, BLOCK_M)
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for k in range(0, K, BLOCK_K):
        acc += tl.dot(tl.load(a_ptr + rows[:, None] * K + k), tl.load(b_ptr + k * N))
    tl.store(c_ptr + rows[:, None] * N, acc)


fp8_utils.decode_attention_fwd = decode_attention
print("[overlay] bound sglang.srt.layers.attention.aiter_backend.decode_attention_fwd")
