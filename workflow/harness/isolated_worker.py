"""Runs in its own process, in the sandbox: one leg of an isolated benchmark, on inputs taken from the served model itself.

Reads one JSON object from stdin: ``{model, flags, prompts, output_len, target, cases, iterations}``; which code stands behind the
target was decided by what is installed on the path. Writes one JSON object to stdout. Imports nothing of ours.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import importlib
import inspect
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WARM = 20
"""Calls before the first timed one."""
POISON = 0xA5
"""A byte; four of them are no number that a model computes."""
CLOCK = "time.perf_counter_ns"


def main() -> None:
    """One leg. What the libraries print goes to stderr."""
    asked = json.loads(sys.stdin.buffer.read())
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import torch

    clock = time.perf_counter_ns
    before = _identity(time.perf_counter_ns)
    with torch.no_grad():
        cases, called = captured(asked)
        timed = [_timed(case, asked["iterations"], clock) for case in cases]
    told = {
        "callable": _source(called),
        "cases": timed,
        "timer": {"name": CLOCK, "identity_before": before, "identity_after": _identity(time.perf_counter_ns)},
    }
    out.write(json.dumps(told).encode())
    out.close()


def _identity(clock: Callable[[], int]) -> str:
    return f"{getattr(clock, '__module__', '?')}.{getattr(clock, '__qualname__', '?')} {type(clock).__name__}"


def _source(called: Callable[..., Any]) -> dict[str, Any]:
    """Where the function that was timed comes from."""
    inner = inspect.unwrap(called)
    cells = [cell.cell_contents for cell in (getattr(inner, "__closure__", None) or ()) if callable(cell.cell_contents)]
    inner = cells[0] if inner.__name__ == "counted" and cells else inner
    file = inspect.getsourcefile(inner) or "?"
    digest = hashlib.sha256(Path(file).read_bytes()).hexdigest() if Path(file).is_file() else ""
    return {"file": file, "sha256": digest, "qualname": inner.__qualname__, "module": inner.__module__}


class Case:
    """Calls of one shape: how many there were, and the arguments of the first."""

    def __init__(self, first: Any, args: tuple[Any, ...], keys: dict[str, Any], call: Callable[..., Any]) -> None:  # noqa: ANN401
        self.dims, self.dtype = list(first.shape), str(first.dtype).removeprefix("torch.")
        self.args, self.keys, self.call = args, keys, call
        self.calls = 0


def captured(asked: dict[str, Any]) -> tuple[list[Case], Callable[..., Any]]:
    """The most frequent calls of the target while the model answers the prompts, most frequent first."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(asked["model"])
    flags = asked["flags"]
    model: Any = AutoModelForCausalLM.from_pretrained(asked["model"], dtype=flags.get("dtype") or "float32").eval()
    module_name, _, attr = asked["target"].partition(":")
    owner: Any = importlib.import_module(module_name)
    *above, last = attr.split(".")
    for name in above:
        owner = getattr(owner, name)
    called = getattr(owner, last)
    seen: dict[str, Case] = {}

    def watch(*args: Any, **keys: Any) -> Any:  # noqa: ANN401 - takes what the target takes
        tensors = [item for item in (*args, *keys.values()) if isinstance(item, torch.Tensor)]
        mark = json.dumps([[list(item.shape), str(item.dtype)] for item in tensors])
        if mark not in seen:
            kept = tuple(item.clone() if isinstance(item, torch.Tensor) else item for item in args)
            named = {key: item.clone() if isinstance(item, torch.Tensor) else item for key, item in keys.items()}
            seen[mark] = Case(tensors[0], kept, named, called)
        seen[mark].calls += 1
        return called(*args, **keys)

    setattr(owner, last, watch)
    try:
        _answer(model, tokenizer, asked)
    finally:
        setattr(owner, last, called)
    cases = sorted(seen.values(), key=lambda case: (-case.calls, case.dims))
    return cases[: asked["cases"]], called


def _answer(model: Any, tokenizer: Any, asked: dict[str, Any]) -> None:  # noqa: ANN401 - transformers ships no types
    """All prompts in one padded batch: decode at the width of the load."""
    from transformers import GenerationConfig

    tokenizer.padding_side = "left"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    texts = [
        tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False)
        for text in asked["prompts"]
    ]
    given = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    length = asked["output_len"]
    how: Any = GenerationConfig(do_sample=False, min_new_tokens=length, max_new_tokens=length, eos_token_id=-1, pad_token_id=0)
    model.generate(given["input_ids"], attention_mask=given["attention_mask"], generation_config=how)


def _timed(case: Case, iterations: int, clock: Callable[[], int]) -> dict[str, Any]:
    """Times in ms, one an iteration; fresh inputs for each, with digests before and after the call."""
    for _ in range(WARM):
        case.call(*_fresh(case.args), **_named(case.keys))
    device, wall, outputs, before, after = [], [], [], [], []
    result: Any = None
    for _ in range(iterations):
        args, keys = _fresh(case.args), _named(case.keys)
        before.append(_digest((*args, *keys.values())))
        cpu, start = time.thread_time_ns(), clock()
        result = case.call(*args, **keys)
        end, cpu_end = clock(), time.thread_time_ns()
        wall.append((end - start) / 1e6)
        device.append((cpu_end - cpu) / 1e6)
        after.append(_digest((*args, *keys.values())))
        outputs.append(_digest(_all(result)))
    told = {"dims": case.dims, "dtype": case.dtype, "calls": case.calls, "device_ms": device, "wall_ms": wall}
    kept = {"output_sha256": outputs, "inputs_before": before, "inputs_after": after}
    told["poisoned_bytes_left"] = _poisoned(case, result)
    return {**told, **kept, "output": _bytes(result), "reference": _reference(case)}


def _poisoned(case: Case, like: Any) -> int:  # noqa: ANN401 - a tensor or several
    """Bytes of a pattern that are still in the output when the memory it gets had been filled with that pattern."""
    import torch

    args, keys = _fresh(case.args), _named(case.keys)
    dirty = [
        torch.full((item.numel() * item.element_size(),), POISON, dtype=torch.uint8) for item in _all(like) for _ in range(8)
    ]
    del dirty
    found = 0
    for item in _all(case.call(*args, **keys)):
        if isinstance(item, torch.Tensor):
            words = item.detach().contiguous().cpu().view(torch.uint8).reshape(-1, item.element_size())
            found += int((words == POISON).all(dim=1).sum()) * item.element_size()
    return found


def _reference(case: Case) -> str | None:
    """The same call in double precision, where the target is code that can run in it."""
    import torch

    def wide(item: Any) -> Any:  # noqa: ANN401 - any argument
        if isinstance(item, torch.nn.Module):
            return copy.deepcopy(item).double()
        return item.double() if isinstance(item, torch.Tensor) and item.is_floating_point() else item

    try:
        return _bytes(case.call(*(wide(item) for item in case.args), **{key: wide(item) for key, item in case.keys.items()}))
    except (RuntimeError, TypeError):
        return None


def _all(result: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a tensor or several
    return result if isinstance(result, tuple) else (result,)


def _fresh(args: tuple[Any, ...]) -> tuple[Any, ...]:
    import torch

    return tuple(item.clone() if isinstance(item, torch.Tensor) else item for item in args)


def _named(keys: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(keys, _fresh(tuple(keys.values())), strict=True))


def _digest(items: tuple[Any, ...]) -> str:
    """sha256 (hex) over the bytes of every tensor."""
    import torch

    found = hashlib.sha256()
    for item in items:
        if isinstance(item, torch.Tensor):
            found.update(item.detach().contiguous().cpu().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _bytes(result: Any) -> str:  # noqa: ANN401 - a tensor or several
    """All numbers of a result, in double precision, little endian, base64."""
    import torch

    flat = torch.cat([item.detach().double().reshape(-1) for item in _all(result) if isinstance(item, torch.Tensor)])
    return base64.b64encode(flat.numpy().astype("<f8").tobytes()).decode()


if __name__ == "__main__":
    main()
