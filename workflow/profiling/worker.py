"""Runs in its own process, in the sandbox: the served model on its own engine's path, timed without the profiler, then under it.

Reads one JSON object from stdin: ``{model, flags, prompts, output_len, functions}``. Writes to stdout one JSON line
(``{latency, versions, threads}``) and then the Chrome trace, gzipped. Imports nothing of ours.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WARM = 2
"""Prompts run before anything is timed."""
ALONE = 2
"""Prompts traced where each is answered by itself: more would only repeat them, and every reader of the trace would pay."""


def main() -> None:
    """One profile. What the libraries print goes to stderr."""
    asked = json.loads(sys.stdin.buffer.read())
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import torch
    import transformers

    served = Served(asked)
    with torch.no_grad():
        served.run(served.prompts[:WARM])
        latency = served.timed()
        trace = served.traced(asked["functions"])
    told = {
        "latency": latency,
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "threads": torch.get_num_threads(),
    }
    out.write(json.dumps(told).encode() + b"\n")
    out.write(trace)
    out.close()


class Served:
    """The model as the server loads it, and the way a request takes through it."""

    def __init__(self, asked: dict[str, Any]) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

        flags = asked["flags"]
        tokenizer: Any = AutoTokenizer.from_pretrained(asked["model"])
        self.model: Any = AutoModelForCausalLM.from_pretrained(
            asked["model"], dtype=flags.get("dtype") or "float32", attn_implementation=flags.get("attn_implementation") or "sdpa"
        )
        self.model.eval()
        self.prompts = [
            tokenizer.apply_chat_template(
                [{"role": "user", "content": text}], add_generation_prompt=True, return_tensors="pt", return_dict=True
            )["input_ids"]
            for text in asked["prompts"]
        ]
        length = asked["output_len"]
        self.how = GenerationConfig(
            do_sample=False,
            min_new_tokens=length,
            max_new_tokens=length,
            eos_token_id=-1,
            pad_token_id=self.model.config.pad_token_id,
        )
        self.batched = bool(flags.get("continuous_batching"))
        self.pool = {
            key.removeprefix("cb_"): flags[key]
            for key in ("cb_block_size", "cb_num_blocks", "cb_max_batch_tokens")
            if flags.get(key)
        }

    def run(self, prompts: list[Any]) -> None:
        """Answer these prompts as the server would: together through continuous batching, or one after the other."""
        if not self.batched:
            for ids in prompts:
                self.model.generate(ids, generation_config=self.how)
            return
        from transformers import ContinuousBatchingConfig

        self.model.generate_batch(
            [ids[0].tolist() for ids in prompts],
            generation_config=self.how,
            continuous_batching_config=ContinuousBatchingConfig(**self.pool),
            progress_bar=False,
        )

    def timed(self) -> dict[str, Any]:
        """Seconds of every forward pass without the profiler: ``{prefill: [..], decode: [..]}``, and of the whole."""
        seen: dict[str, list[float]] = {"prefill": [], "decode": []}
        begun: list[float] = []

        def before(_module: Any, _args: Any, keys: dict[str, Any]) -> None:  # noqa: ANN401 - a hook's arguments
            seen_as.append(phase(keys)[0])
            begun.append(time.perf_counter())

        def after(_module: Any, _args: Any, _found: Any) -> None:  # noqa: ANN401 - a hook's arguments
            seen[seen_as.pop()].append(time.perf_counter() - begun.pop())

        seen_as: list[str] = []
        hooks = [self.model.register_forward_pre_hook(before, with_kwargs=True), self.model.register_forward_hook(after)]
        start = time.perf_counter()
        self.run(self.prompts)
        whole = time.perf_counter() - start
        for hook in hooks:
            hook.remove()
        return {**seen, "whole": whole}

    def traced(self, functions: list[str]) -> bytes:
        """The same prompts, or two of them, under torch.profiler, modules and named functions annotated; the trace, gzipped."""
        from torch._C._profiler import _ExperimentalConfig
        from torch.profiler import ProfilerActivity, profile

        activities = [ProfilerActivity.CPU]
        if self.model.device.type == "cuda":
            activities.append(ProfilerActivity.CUDA)
        with (
            annotated(self.model, functions),
            profile(
                activities=activities, record_shapes=True, experimental_config=_ExperimentalConfig(profile_all_threads=True)
            ) as found,
        ):
            self.run(self.prompts if self.batched else self.prompts[:ALONE])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.json.gz"
            found.export_chrome_trace(str(path))
            return path.read_bytes()


def phase(keys: dict[str, Any]) -> tuple[str, int, int]:
    """``prefill`` or ``decode`` of one forward pass, its sequences and its tokens, from what the model is called with.

    Continuous batching packs all sequences into one row and says how long the longest query is; ``generate`` has a row each.
    """
    ids = keys["input_ids"]
    tokens = int(ids.numel())
    longest = keys.get("max_length_q")
    sequences = int(ids.shape[0]) if longest is None else len(keys["cu_seq_lens_q"]) - 1
    return ("decode" if tokens == sequences else "prefill"), sequences, tokens


@contextlib.contextmanager
def annotated(model: Any, functions: list[str]) -> Iterator[None]:  # noqa: ANN401 - a torch module
    """While inside, every forward pass is a step in the trace, and every module's forward and named function an annotation."""
    from torch.profiler import record_function

    open_: list[Any] = []

    def enter(name: str) -> None:
        mark = record_function(name)
        mark.__enter__()
        open_.append(mark)

    def leave(*_: Any) -> None:  # noqa: ANN401 - a hook's arguments
        open_.pop().__exit__(None, None, None)

    def step(_module: Any, _args: Any, keys: dict[str, Any]) -> None:  # noqa: ANN401 - a hook's arguments
        kind, sequences, tokens = phase(keys)
        enter(f"{kind}[bs={sequences} tok={tokens}]")

    hooks = [model.register_forward_pre_hook(step, with_kwargs=True), model.register_forward_hook(leave)]
    for module in model.modules():
        if module is not model:
            name = f"module:{type(module).__name__}"
            hooks.append(module.register_forward_pre_hook(lambda *_, name=name: enter(name)))
            hooks.append(module.register_forward_hook(leave))
    with contextlib.ExitStack() as put_back:
        for target in functions:
            put_back.enter_context(_function(target, enter, leave))
        yield
    for hook in hooks:
        hook.remove()


@contextlib.contextmanager
def _function(target: str, enter: Any, leave: Any) -> Iterator[None]:  # noqa: ANN401 - two plain functions
    """One function of a module, annotated like a module's forward."""
    module_name, _, attr = target.partition(":")
    module = importlib.import_module(module_name)
    before = getattr(module, attr)

    def around(*args: Any, **keys: Any) -> Any:  # noqa: ANN401 - takes what the function takes
        enter(f"module:{attr}")
        try:
            return before(*args, **keys)
        finally:
            leave()

    setattr(module, attr, around)
    try:
        yield
    finally:
        setattr(module, attr, before)


if __name__ == "__main__":
    main()
