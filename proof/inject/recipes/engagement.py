"""Overlays that did not run, did not run everywhere, or are not what gained: by the third leg, their files and the server's log."""

from __future__ import annotations

import json
import random

from proof.inject import edits
from proof.inject.bases import ALL
from proof.inject.confounds import gain
from proof.inject.draft import Draft
from proof.inject.overlays import MODULES, bind, off, overlay, tell
from proof.inject.recipe import Edit, Recipe

TOLD = ("ours", "sglang-launches", "vllm-launches")
LOGGED = ("sglang-flat", "sglang-launches", "vllm-launches")


def _installed(draft: Draft, rng: random.Random, calls: int | None = None) -> None:
    """An honest overlay, bound in the candidate; on our stopwatch and where no log is kept, a third leg shows that it gains."""
    overlay(draft, rng)
    bind(draft, calls=calls)
    if draft.dialect == "ours" or not all(launch.log for launch in draft.launches):
        off(draft, rng, 0.0)


def _bound(draft: Draft, size: float, rng: random.Random) -> None:
    """Bound in every candidate launch."""
    _installed(draft, rng)


def _off_as_fast(draft: Draft, size: float, rng: random.Random) -> None:
    """Switched off, the overlay gains as much as switched on."""
    gain(draft, size)
    overlay(draft, rng)
    bind(draft)
    off(draft, rng, 1.0)


def _off_as_slow(draft: Draft, size: float, rng: random.Random) -> None:
    """Switched off, it gains nothing."""
    gain(draft, size)
    overlay(draft, rng)
    bind(draft)
    off(draft, rng, 0.0)


def _partly(draft: Draft, size: float, rng: random.Random) -> None:
    """Switched off, the overlay still brings this share of the gain."""
    overlay(draft, rng)
    bind(draft)
    off(draft, rng, size)


def _wholly(draft: Draft, size: float, rng: random.Random) -> None:
    """Switched off, it brings nothing."""
    _partly(draft, 0.0, rng)


def _no_calls(draft: Draft, size: float, rng: random.Random) -> None:
    """So many candidate servers count no call of the overlay's code."""
    _installed(draft, rng, calls=4096)
    for launch in draft.leg("cand")[: int(size)]:
        launch.log = [line.replace("calls=4096", "calls=0") for line in launch.log]


def _calls(draft: Draft, size: float, rng: random.Random) -> None:
    """Every candidate server counts calls."""
    _installed(draft, rng, calls=int(1000 * size))


def _silent(draft: Draft, size: float, rng: random.Random) -> None:
    """The logs of so many candidate launches do not say that the overlay was bound."""
    overlay(draft, rng)
    bind(draft)
    for launch in draft.leg("cand")[: int(size)]:
        launch.log = [line for line in launch.log if "[overlay]" not in line]


def _workers(draft: Draft, rng: random.Random, ranks: int) -> None:
    overlay(draft, rng)
    key = "tp_size" if draft.dialect == "sglang" else "tensor_parallel_size"
    for leg in ("aa", "ref", "cand"):
        edits.settings(draft, leg, {key: 8})
    bind(draft, ranks=ranks)


def _some_workers(draft: Draft, size: float, rng: random.Random) -> None:
    """So many of eight workers bound the overlay."""
    _workers(draft, rng, int(size))


def _all_workers(draft: Draft, size: float, rng: random.Random) -> None:
    """All eight did."""
    _workers(draft, rng, 8)


def _not_loaded(draft: Draft, size: float, rng: random.Random) -> None:
    """In so many candidate launches the overlay's import failed, and nothing was bound."""
    _installed(draft, rng)
    for launch in draft.leg("cand")[: int(size)]:
        launch.log = [line for line in launch.log if "[overlay]" not in line]
        tell(draft, launch, f"ImportError: cannot import name 'apply' from '{MODULES[draft.dialect]}'")


def _swallowed(draft: Draft, size: float, rng: random.Random) -> None:
    """In so many candidate launches an import failed after the overlay said that it was bound."""
    _installed(draft, rng)
    for launch in draft.leg("cand")[: int(size)]:
        launch.log.append("ModuleNotFoundError: No module named 'fp8_gemm_ext'")


def _usual_error(draft: Draft, size: float, rng: random.Random) -> None:
    """So many servers of every leg miss a module that nobody needs."""
    _installed(draft, rng)
    for leg in ("aa", "ref", "cand", "off"):
        for launch in draft.leg(leg)[: int(size)]:
            launch.log.append("ModuleNotFoundError: No module named 'fp8_gemm_ext'")


GAVE_UP = "[overlay] gemm is not supported on this shape, falling back to torch.matmul"


def _fell_back(draft: Draft, size: float, rng: random.Random) -> None:
    """In so many candidate launches the overlay, once bound, gave its shapes back."""
    _installed(draft, rng)
    for launch in draft.leg("cand")[: int(size)]:
        launch.log.append(GAVE_UP)


def _usual_fallback(draft: Draft, size: float, rng: random.Random) -> None:
    """So many servers of every leg gave something else back."""
    _installed(draft, rng)
    for leg in ("aa", "ref", "cand", "off"):
        for launch in draft.leg(leg)[: int(size)]:
            launch.log.append("custom all-reduce is not supported on this topology, falling back to NCCL")


def _in_reference(draft: Draft, size: float, rng: random.Random) -> None:
    """The overlay is bound in so many reference launches too: the installed packages hold it."""
    _installed(draft, rng)
    for launch in draft.leg("ref")[: int(size)]:
        tell(draft, launch, f"[overlay] bound {MODULES[draft.dialect]}.apply")


def _comments(draft: Draft, size: float, rng: random.Random) -> None:
    """The file holds so many lines, and none of them does anything."""
    overlay(draft, rng, source='"""FP8 GEMM for decode shapes."""\n\n' + "# tiles of 64 rows, eight warps\n" * int(size))
    bind(draft)
    off(draft, rng, 0.0)


def _commented(draft: Draft, size: float, rng: random.Random) -> None:
    """So many lines of comment stand before code that does something."""
    path = overlay(draft, rng)
    draft.beside[path] = "# tiles of 64 rows, eight warps\n" * int(size) + draft.beside[path]
    bind(draft)
    off(draft, rng, 0.0)


def _not_there(draft: Draft, size: float, rng: random.Random) -> None:
    """So many of the declared files are not there."""
    _installed(draft, rng)
    change = draft.request["change"]
    change["overlay"] = [
        *change["overlay"],
        *(path.replace("gemm", f"part{n}") for n in range(int(size)) for path in change["overlay"]),
    ]


def _all_there(draft: Draft, size: float, rng: random.Random) -> None:
    """As many further files are declared, and are there."""
    _not_there(draft, size, rng)
    first = draft.request["change"]["overlay"][0]
    for number, path in enumerate(draft.request["change"]["overlay"][1:]):
        draft.beside[path] = draft.beside[first].replace("gemm", f"gemm{number}")


TABLE = json.dumps(
    {
        str(rows): {"BLOCK_SIZE_M": 16, "BLOCK_SIZE_N": rows, "BLOCK_SIZE_K": 64, "num_warps": 4, "num_stages": 2}
        for rows in (32, 64, 128)
    }
)
MISSED = "Using default MoE kernel config. Performance might be sub-optimal! Config file not found at E=8,N=64.json"
FOUND = "Using configuration from E=8,N=64.json for MoE layer."


def _table(found: bool) -> Edit:
    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        """A tuning table is installed; so many candidate servers do not find it."""
        overlay(draft, rng, TABLE, "E=8,N=64.json")
        for launch in draft.launches:
            tell(draft, launch, MISSED)
        for number, launch in enumerate(draft.leg("cand")):
            if found or number >= size:
                launch.log = [line.replace(MISSED, FOUND) for line in launch.log]
            tell(draft, launch, "[overlay] installed E=8,N=64.json")

    return edit


SOME = (1.0, 2.0, 3.0)
RECIPES = (
    Recipe("as-fast-switched-off", ("E01", "A02"), "rows of off/: output_throughput", ALL, (3.0, 8.0, 25.0),
           "Nothing is gained by the overlay's code: switched off, it brings the same so many percent.", _off_as_fast, _off_as_slow, critical=True),
    Recipe("partly-without-its-code", ("A02", "E01"), "rows of off/: output_throughput", ALL, (0.3, 0.5, 0.8),
           "This share of the gain is there with the overlay's code switched off.", _partly, _wholly),
    Recipe("no-calls", ("E01",), "server.log: counter of the bind line", TOLD, SOME,
           "So many candidate servers count no call of the overlay.", _no_calls, _calls, critical=True),
    Recipe("silent-log", ("E05", "E01"), "server.log: bind line", ("sglang-launches", "vllm-launches"), SOME,
           "Nothing says that the overlay was bound in so many candidate launches.", _silent, _bound),
    Recipe("some-workers", ("E12",), "server.log: bind lines; settings: tp_size, tensor_parallel_size", LOGGED, (7.0, 4.0, 1.0),
           "So many of eight workers run the overlay.", _some_workers, _all_workers, critical=True),
    Recipe("overlay-not-loaded", ("E14", "E15"), "server.log: ImportError", TOLD, SOME,
           "The overlay could not be loaded in so many candidate launches.", _not_loaded, _bound, critical=True),
    Recipe("import-error-swallowed", ("E15",), "server.log: ModuleNotFoundError", TOLD, SOME,
           "In so many candidate launches an import failed after the overlay was bound.", _swallowed, _usual_error, critical=True),
    Recipe("bound-and-gave-up", ("E10", "E05"), "server.log: fallback line", TOLD, SOME,
           "In so many candidate launches the overlay, once bound, fell back to the library.", _fell_back, _usual_fallback, critical=True),
    Recipe("overlay-in-the-reference", ("C16", "H01"), "server.log of ref/: bind line", TOLD, SOME,
           "The packages of so many reference launches hold the overlay too.", _in_reference, _bound, critical=True),
    Recipe("patch-of-comments", ("A13",), "overlay source", ALL, (1.0, 20.0, 200.0),
           "The overlay is so many lines of comment.", _comments, _commented, critical=True),
    Recipe("overlay-not-there", ("E14",), "overlay files named by the request", ALL, SOME,
           "So many of the declared files of the overlay are missing.", _not_there, _all_there),
    Recipe("table-not-found", ("E04",), "sglang server.log: default config line", ("sglang-launches",), SOME,
           "So many candidate servers do not find the tuning table.", _table(False), _table(True), critical=True),
)  # fmt: skip
