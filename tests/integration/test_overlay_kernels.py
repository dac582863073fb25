"""The overlays that ship compute what they replace: against double precision, in this process, without a server."""

from __future__ import annotations

import copy
import importlib.util
import itertools
import shutil
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import DynamicCache

from workflow.errors import WorkerFailedError
from workflow.harness import SOURCE, build, compiler
from workflow.sandbox import detect
from workflow.serving import get_engine

CATALOGUE = get_engine("transformers").overlays
needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C++ compiler with ninja here")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the catalogue with its kernels compiled in the sandbox."""
    assert CATALOGUE is not None
    place = tmp_path_factory.mktemp("catalogue") / "overlays"
    shutil.copytree(CATALOGUE, place, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in sorted(place.iterdir()):
        if (folder / SOURCE).is_file() and compiler() is not None:
            build(folder, detect())
    return place


def loaded(place: Path, name: str) -> ModuleType:
    """An overlay's code as a module."""
    spec = importlib.util.spec_from_file_location(f"overlay_under_test_{name}", place / name / "overlay.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def normed(hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Root-mean-square norm in double precision."""
    wide = hidden.double()
    return weight.double() * wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)


@pytest.mark.parametrize("name", ["fused_rms_norm", pytest.param("native_rms_norm", marks=needs_compiler)])
def test_norms(built: Path, name: str) -> None:
    """Rows of any number, large and tiny values."""
    module = loaded(built, name)
    for shape, scale in (((1, 8, 192), 1.0), ((3, 1, 192), 1e3), ((1, 40, 192), 1e-3)):
        hidden, weight = scale * torch.randn(*shape), torch.randn(192)
        found = module.forward(SimpleNamespace(weight=weight, variance_epsilon=1e-6), hidden)
        assert found.shape == hidden.shape and (found - normed(hidden, weight)).abs().max() < 1e-5


def test_packed_swiglu(built: Path) -> None:
    """Both projections from packed weights; the module's own weights stay."""
    mlp: Any = torch.nn.Module()
    for name, shape in (("gate_proj", (192, 512)), ("up_proj", (192, 512)), ("down_proj", (512, 192))):
        setattr(mlp, name, torch.nn.Linear(*shape, bias=False))
    x = torch.randn(1, 8, 192)
    with torch.no_grad():
        found = loaded(built, "packed_swiglu").forward(mlp, x)
        wanted = mlp.down_proj(torch.nn.functional.silu(mlp.gate_proj(x)) * mlp.up_proj(x))
    assert torch.allclose(found, wanted, atol=1e-5) and set(mlp.state_dict()) == {
        "gate_proj.weight", "up_proj.weight", "down_proj.weight",
    }  # fmt: skip


def test_lean_rope(built: Path) -> None:
    """Query and key turned as the model's own function turns them."""
    from transformers.models.qwen2.modeling_qwen2 import apply_rotary_pos_emb

    angles = torch.rand(1, 8, 16).repeat(1, 1, 2)
    q, k = torch.randn(1, 6, 8, 32), torch.randn(1, 2, 8, 32)
    found = loaded(built, "lean_rope").rotate(q, k, angles.cos(), angles.sin())
    wanted = apply_rotary_pos_emb(q, k, angles.cos(), angles.sin())
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(found, wanted, strict=True))


@needs_compiler
def test_native_decoder_layer(built: Path) -> None:
    """A whole layer of the model's own class over a cache of the engine's kind, against the installed one in double precision."""
    from transformers.models.qwen2 import Qwen2Config, modeling_qwen2

    module = loaded(built, "native_decoder_layer")
    config = Qwen2Config(
        hidden_size=192, intermediate_size=512, num_attention_heads=6, num_key_value_heads=2, num_hidden_layers=1
    )
    config._attn_implementation = "eager"
    layer: Any = modeling_qwen2.Qwen2DecoderLayer(config, 0).eval()
    asked, past, groups, width = [1, 1, 6], [10, 33, 0], 2, 32
    held = [one + other for one, other in zip(asked, past, strict=True)]
    ends = [torch.tensor([0, *itertools.accumulate(lengths)]) for lengths in (asked, held)]
    kept = [tuple(torch.randn(length, groups, width) for _ in range(2)) for length in past]
    hidden = torch.randn(1, sum(asked), 192)
    positions = torch.cat([torch.arange(length, length + new) for length, new in zip(past, asked, strict=True)])
    angles = modeling_qwen2.Qwen2RotaryEmbedding(config)(hidden, positions[None])
    with torch.no_grad():
        found = module.forward(
            layer, hidden, position_embeddings=angles, cache=Paged(kept, asked), cu_seq_lens_q=ends[0], cu_seq_lens_k=ends[1]
        )
        wanted = [
            whole_layer(
                layer,
                hidden[:, int(ends[0][at]) : int(ends[0][at + 1])],
                [a[:, int(ends[0][at]) : int(ends[0][at + 1])] for a in angles],
                kept[at],
            )
            for at in range(len(asked))
        ]
    assert found.shape == hidden.shape and (found - torch.cat(wanted, 1)).abs().max() < 1e-5
    assert set(layer.state_dict()) == set(modeling_qwen2.Qwen2DecoderLayer(config, 0).state_dict())


@needs_compiler
def test_native_decoder_layer_leaves_other_calls_to_the_installed_one(built: Path) -> None:
    """No paged cache, no packed batch: the same bits as without the overlay."""
    from transformers.models.qwen2 import Qwen2Config, modeling_qwen2

    config = Qwen2Config(
        hidden_size=192, intermediate_size=512, num_attention_heads=6, num_key_value_heads=2, num_hidden_layers=1
    )
    config._attn_implementation = "eager"
    layer, hidden = modeling_qwen2.Qwen2DecoderLayer(config, 0).eval(), torch.randn(2, 5, 192)
    angles = modeling_qwen2.Qwen2RotaryEmbedding(config)(hidden, torch.arange(5)[None])
    with torch.no_grad():
        found = loaded(built, "native_decoder_layer").forward(layer, hidden, position_embeddings=angles)
        assert torch.equal(found, layer(hidden, position_embeddings=angles))


class Paged:
    """What the engine's paged cache answers to one layer: each sequence's past and what is new of it, one behind the other."""

    def __init__(self, kept: list[tuple[torch.Tensor, ...]], asked: list[int]) -> None:
        self._kept, self._asked = kept, asked

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, kwargs: dict[str, Any]
    ) -> tuple[torch.Tensor, ...]:
        """As ``PagedAttentionCache.update``: (1, groups, tokens, dim) in and out."""
        assert layer_idx == 0 and "cu_seq_lens_k" in kwargs
        found = []
        for number, new in enumerate((key_states, value_states)):
            parts = torch.split(new.squeeze(0).transpose(0, 1), self._asked)
            both = [piece for past, part in zip(self._kept, parts, strict=True) for piece in (past[number], part)]
            found.append(torch.cat(both).transpose(0, 1).unsqueeze(0))
        return tuple(found)


def whole_layer(layer: Any, hidden: torch.Tensor, angles: list[torch.Tensor], past: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """The installed layer on one sequence behind its past, in double precision."""
    wide, cache = copy.deepcopy(layer).double(), DynamicCache()
    key, value = (item.transpose(0, 1).unsqueeze(0).double() for item in past)
    cache.update(key, value, 0)
    seen, new = past[0].shape[0] + hidden.shape[1], hidden.shape[1]
    mask = torch.zeros(1, 1, new, seen, dtype=torch.double).masked_fill(
        ~torch.ones(new, seen).tril(seen - new).bool(), float("-inf")
    )
    found: torch.Tensor = wide(
        hidden.double(), attention_mask=mask, past_key_values=cache, position_embeddings=tuple(item.double() for item in angles)
    )
    return found


@needs_compiler
def test_a_source_that_does_not_compile_is_a_clear_error(tmp_path: Path) -> None:
    """With the compiler's words; nothing is left behind."""
    (tmp_path / SOURCE).write_text("int main() { return nothing; }\n")
    with pytest.raises(WorkerFailedError, match="does not compile") as caught:
        build(tmp_path, detect())
    assert "nothing" in str(caught.value) or "ninja" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [SOURCE]
