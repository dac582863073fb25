"""``python -m proof.reconstruct [DIR]``: write every reconstruction below DIR (default: raw_runs)."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from proof.reconstruct.cases import build

if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "raw_runs"
    for old in target.glob("geak292-*"):
        shutil.rmtree(old)
    for name in build(target):
        sys.stdout.write(f"{target / name}\n")
