"""Overlays that did not run, did not run everywhere, or are not what gained: by the third leg, the files and the server's log."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.unit.audit.build import Json, Run, Server, foreign, sglang_row
from tests.unit.audit.planted.case import Planted
from tests.unit.audit.planted.conditions import CAND, INFO, REF
from tests.unit.audit.planted.harness import KERNEL

OVERLAY = (
    KERNEL
    + "\n\nimport sglang.srt.layers.linear as linear\n\nlinear.apply = gemm\nprint('[overlay] bound sglang.srt.layers.linear.apply')\n"
)
BOUND = "[2026-06-22 13:38:25{rank}] [overlay] bound sglang.srt.layers.linear.apply"
IMPORT = "[2026-06-22 13:38:26 TP0] ImportError: cannot import name 'apply' from 'sglang.srt.layers.linear'"
FELL = "[2026-06-22 13:38:27 TP0] [overlay] gemm not supported on this shape, falling back to torch.matmul"
OFF, AS_FAST = (1000.4, 1002.0, 999.9), (1080.7, 1082.6, 1081.1)


def log(folder: Path, info: Json, lines: Sequence[str]) -> None:
    """A short server log: its arguments, then these lines."""
    args = ", ".join(f"{key}={value!r}" for key, value in info.items())
    head = [
        f"[2026-06-22 13:35:02] server_args=ServerArgs({args})",
        "[2026-06-22 13:38:24] The server is fired up and ready to roll!",
    ]
    (folder / "server.log").write_text("\n".join([*head, *lines]) + "\n")


def overlay(
    root: Path,
    lines: Sequence[str] | None = (),
    source: str = OVERLAY,
    off: Sequence[float] = (),
    info: Json | None = None,
    ref_lines: Sequence[str] = (),
) -> Path:
    """A pair of flat legs, an overlay file, the candidate's log (None: no log at all), and a third leg where rows are given."""
    settings = {**INFO, **(info or {})}
    legs: list[tuple[str, Sequence[float], Sequence[str]]] = [("ref", REF, ref_lines), ("cand", CAND, lines or ())]
    for name, values, told in [*legs, *([("off", off, ())] if off else [])]:
        foreign(root / name, [sglang_row(value, settings) for value in values])
        if lines is not None:
            log(root / name, settings, told)
    (root / "overlay").mkdir()
    (root / "overlay/gemm.py").write_text(source)
    change = {"lever": "authored GEMM", "flags": {}, "env": {}, "overlay": ["overlay/gemm.py"]}
    request = {"scope": "patch", "cand_dir": ".", "short_name": "gemm", "what": "authored GEMM kernel", "change": change}
    (root / "audit_request.json").write_text(json.dumps(request))
    return root


def own(off: float | None) -> Callable[[Path], Path]:
    """The same on our own stopwatch; ``off`` is the speed of the third leg."""

    def make(root: Path) -> Path:
        run = Run(root)
        run.aa("baseline/set_1", Server())
        run.ab("config/c01", Server(), Server(tok_s=1100.0))
        if off is not None:
            for index in range(3):
                run.launch(f"config/c01/off/launch_{index:03d}", Server(tok_s=off), (index, index), ["off"] * 3, 2)
        (root / "config/c01/overlay").mkdir()
        (root / "config/c01/overlay/gemm.py").write_text(OVERLAY)
        change: Json = {"lever": "authored GEMM", "flags": {}, "env": {}, "overlay": ["config/c01/overlay/gemm.py"]}
        run.patch("config/c01", {}, change=change, short_name="c01")
        return run.finish()

    return make


def told(*lines: str, **keys: Any) -> Callable[[Path], Path]:
    """A run whose candidate log ends with these lines."""
    return lambda root: overlay(root, lines, **keys)


def _env(recorded: bool) -> Callable[[Path], Path]:
    """An environment lever on our own stopwatch, in force or not."""

    def make(root: Path) -> Path:
        run = Run(root)
        run.aa("baseline/set_1", Server())
        run.ab("config/c01", Server(), Server(tok_s=1100.0, effective={"env.COUNTERSIGN_FAST": "1" if recorded else "0"}))
        change: Json = {"lever": "fast path", "flags": {}, "env": {"COUNTERSIGN_FAST": "1"}, "overlay": []}
        run.patch("config/c01", {}, change=change, short_name="c01")
        return run.finish()

    return make


def _bound(ranks: int) -> list[str]:
    return [BOUND.format(rank=f" TP{rank}") for rank in range(ranks)]


PLANTED = (
    Planted("E01", "as fast with the overlay switched off", "sglang row: output_throughput of off/",
            told(*_bound(1), off=AS_FAST), told(*_bound(1), off=OFF)),
    Planted("E01", "the same on our own stopwatch", "stopwatch: bench_runs.jsonl of off/", own(1100.0), own(1000.0)),
    Planted("A02", "the overlay's presence, not its code", "sglang row: output_throughput of off/",
            told(*_bound(1), off=AS_FAST), told(*_bound(1), off=OFF)),
    Planted("E05", "a log that says nothing", "server.log: bind line", told(), told(*_bound(1))),
    Planted("E12", "bound on one worker of two", "server.log: bind lines; sglang row: server_info.tp_size",
            told(*_bound(1), info={"tp_size": 2}), told(*_bound(2), info={"tp_size": 2})),
    Planted("E14", "an overlay that could not be loaded", "server.log: ImportError", told(IMPORT), told(*_bound(1))),
    Planted("E15", "an import that failed after it bound", "server.log: ImportError", told(*_bound(1), IMPORT), told(*_bound(1))),
    Planted("E10", "a fallback after it bound", "server.log: fallback line", told(*_bound(1), FELL), told(*_bound(1))),
    Planted("C16", "the overlay in the reference too", "server.log: bind line of ref/",
            told(*_bound(1), ref_lines=_bound(1)), told(*_bound(1))),
    Planted("A13", "a patch of comments", "overlay source", told(source='"""Faster GEMM."""\n\n# to do\n', off=OFF), told(off=OFF)),
    Planted("E06", "an environment variable that the server never had", "stopwatch: server.json effective env.*", _env(False), _env(True)),
)  # fmt: skip
