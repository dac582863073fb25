"""Runs in its own process, in the sandbox: one leg of an isolated benchmark, on inputs taken from the served model itself.

Reads one JSON object from stdin: ``{model, flags, prompts, output_len, target, cases, iterations}``; which code stands behind the
target was decided by what is installed on the path. Writes one JSON object to stdout. Of ours it loads one file, named as its
argument: the profile's worker, whose way through the engine it takes.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import hashlib
import importlib
import importlib.util
import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

WARM = 20
"""Calls before the first timed one."""
STEP = 2.0**-12
"""By which share the first numbers of each timed call are larger than those of the call before."""
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
    """Calls whose tensors have the same shapes and types (``mark``): how many there were, and the arguments of the first."""

    def __init__(self, mark: str, args: tuple[Any, ...], keys: dict[str, Any], call: Callable[..., Any]) -> None:
        first = tensors(args, keys)[0]
        self.mark, self.dims, self.dtype = mark, list(first.shape), str(first.dtype).removeprefix("torch.")
        self.args, self.keys, self.call = args, keys, call
        self.calls = 0

    def given(self, number: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments of their own for one call: those that were caught, the first numbers a little larger for each ``number``."""
        args, keys = fresh(self.args), fresh(self.keys)
        wide = next((item for item in tensors(args, keys) if item.is_floating_point()), None)
        if number and wide is not None:
            wide.mul_(1 + number * STEP)
        return args, keys


def captured(asked: dict[str, Any]) -> tuple[list[Case], Callable[..., Any]]:
    """The most frequent calls of the target while the engine answers the prompts, most frequent first."""
    served = _served(asked)
    module_name, _, attr = asked["target"].partition(":")
    owner: Any = importlib.import_module(module_name)
    *above, last = attr.split(".")
    for name in above:
        owner = getattr(owner, name)
    called = getattr(owner, last)
    seen: dict[str, Case] = {}

    def watch(*args: Any, **keys: Any) -> Any:  # noqa: ANN401 - takes what the target takes
        mark = json.dumps([[list(item.shape), str(item.dtype)] for item in tensors(args, keys)])
        if mark not in seen:
            seen[mark] = Case(mark, fresh(args), fresh(keys), called)
        seen[mark].calls += 1
        return called(*args, **keys)

    with _replaced(owner, last, watch):
        served.run(served.prompts)
    return most_frequent(seen.values())[: asked["cases"]], called


def most_frequent(cases: Iterable[Case]) -> list[Case]:
    """One case for each shape of the first tensor, standing for all calls with that shape; most calls first."""
    found: dict[tuple[Any, ...], Case] = {}
    for case in sorted(cases, key=lambda case: (-case.calls, case.mark)):
        kept = found.setdefault((*case.dims, case.dtype), case)
        kept.calls += case.calls if kept is not case else 0
    return sorted(found.values(), key=lambda case: (-case.calls, case.mark))


def _served(asked: dict[str, Any]) -> Any:  # noqa: ANN401 - an object of the profile's worker
    spec = importlib.util.spec_from_file_location("served", sys.argv[1])
    if spec is None or spec.loader is None:
        raise ImportError(f"no Python file: {sys.argv[1]!r}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Served(asked)


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:  # noqa: ANN401 - an attribute of anything
    """An attribute under another value, also in a table of functions that holds it (transformers has one for attention)."""
    before = getattr(owner, name)
    tables = [table for table in _tables() if before in table.values()]
    keys = [(table, key) for table in tables for key, item in table.items() if item is before]
    setattr(owner, name, value)
    for table, key in keys:
        table[key] = value
    try:
        yield
    finally:
        setattr(owner, name, before)
        for table, key in keys:
            table[key] = before


def _tables() -> list[dict[str, Any]]:
    """Tables in which transformers keeps functions by name."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    return [ALL_ATTENTION_FUNCTIONS._global_mapping]


def tensors(args: tuple[Any, ...], keys: dict[str, Any]) -> list[Any]:
    """The tensors among the arguments of a call."""
    import torch

    return [item for item in (*args, *keys.values()) if isinstance(item, torch.Tensor)]


def fresh(value: Any) -> Any:  # noqa: ANN401 - any argument
    """The same with every tensor copied, inside lists, tuples and dicts too; anything else as it is."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: fresh(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(fresh(item) for item in value)
    return value


def _timed(case: Case, iterations: int, clock: Callable[[], int]) -> dict[str, Any]:
    """Times in ms, one an iteration; fresh inputs for each, with digests before and after the call."""
    for number in range(WARM):
        _call(case, number)
    device, wall, outputs, before, after = [], [], [], [], []
    for number in range(iterations):
        args, keys = case.given(number)
        before.append(_digest((*args, *keys.values())))
        start, cpu = clock(), time.thread_time_ns()
        result = case.call(*args, **keys)
        cpu_end, end = time.thread_time_ns(), clock()
        wall.append((end - start) / 1e6)
        device.append((cpu_end - cpu) / 1e6)
        after.append(_digest((*args, *keys.values())))
        outputs.append(_digest(_all(result)))
    result = _call(case, 0)
    told = {"mark": case.mark, "dims": case.dims, "dtype": case.dtype, "calls": case.calls, "device_ms": device, "wall_ms": wall}
    kept = {"output_sha256": outputs, "inputs_before": before, "inputs_after": after}
    told["poisoned_bytes_left"] = _poisoned(case, result)
    return {**told, **kept, "output": _bytes(result), "reference": _reference(case)}


def _call(case: Case, number: int) -> Any:  # noqa: ANN401 - a tensor or several
    args, keys = case.given(number)
    return case.call(*args, **keys)


def _poisoned(case: Case, like: Any) -> int:  # noqa: ANN401 - a tensor or several
    """Bytes of a pattern that are still in the output when the memory it gets had been filled with that pattern."""
    import torch

    args, keys = case.given(0)
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
