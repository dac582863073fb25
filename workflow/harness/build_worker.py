"""Runs in the sandbox: compiles one C++ file as a torch extension and writes the library to stdout. Nothing else stands there."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """``build_worker.py SOURCE``; what compiler and ninja say goes to stderr."""
    source = Path(sys.argv[1])
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from torch.utils.cpp_extension import load

    with tempfile.TemporaryDirectory() as folder:
        load(
            "kernel",
            [str(source)],
            extra_cflags=["-O3", "-march=native", "-fopenmp-simd"],
            build_directory=folder,
            is_python_module=False,
            verbose=True,
        )
        out.write((Path(folder) / "kernel.so").read_bytes())
    out.close()


if __name__ == "__main__":
    main()
