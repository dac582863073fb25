"""Building an overlay's C++ source with torch's own extension builder, in the sandbox, before it is installed anywhere."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from workflow.canonical import write_atomic
from workflow.errors import WorkerFailedError
from workflow.jobs import Limits, last_words, run
from workflow.sandbox import Job, Sandbox

SOURCE, BUILT = "kernel.cpp", "kernel.so"
LIMITS = Limits(300.0, 16 * 1024 * 1024)
WORKER = Path(__file__).resolve().parent / "build_worker.py"
INSIDE = "/source"


def compiler() -> str | None:
    """The C++ compiler that would be used; None where compiler or ninja is missing."""
    return shutil.which("c++", path=_path()) if shutil.which("ninja", path=_path()) else None


def _path() -> str:
    return f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"


def build(folder: Path, sandbox: Sandbox) -> None:
    """Compile kernel.cpp of a folder into kernel.so beside it. Raises WorkerFailedError with the compiler's words."""
    source = INSIDE if sandbox.kind == "bubblewrap" else str(folder)
    job = Job(
        argv=[sys.executable, str(WORKER), f"{source}/{SOURCE}"],
        env={"PATH": _path(), "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        placed={INSIDE: folder, str(WORKER): WORKER},
    )
    done = run(job, sandbox, b"", LIMITS)
    if done.code != 0 or not done.out.startswith(b"\x7fELF"):
        told = [line.strip() for line in done.words.splitlines() if "error:" in line]
        words = " | ".join(told)[:400] or last_words(done.words)
        raise WorkerFailedError(f"{SOURCE} does not compile: {words}", "Mend the source, or leave the overlay out.")
    write_atomic(folder / BUILT, done.out)
