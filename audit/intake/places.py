"""Where the readers of one request look: the run, the folders the request names, and the legs that were found in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Places(NamedTuple):
    """Absolute directories inside ``run_dir``."""

    run_dir: Path
    eval_dir: Path
    cand_dir: Path | None
    legs: Mapping[str, Path]
    """Role (``ref``, ``cand``) -> directory of the leg; empty where legs are not told or not asked for."""
    alone: bool = False
    """True: nothing but the legs may be read, whatever lies beside them."""
