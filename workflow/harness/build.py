"""Building an overlay's C++ source with torch's own extension builder, in the sandbox, before it is installed anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from workflow.canonical import write_atomic
from workflow.errors import ConfigError
from workflow.sandbox import Job, Sandbox

SOURCE, BUILT = "kernel.cpp", "kernel.so"
TIMEOUT_S = 300.0
WORKER = Path(__file__).resolve().parent / "build_worker.py"
INSIDE = "/source"


def compiler() -> str | None:
    """The C++ compiler that would be used; None where compiler or ninja is missing."""
    found = shutil.which(os.environ.get("CXX", "c++"))
    return found if found is not None and shutil.which("ninja", path=_path()) is not None else None


def _path() -> str:
    return f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"


def build(folder: Path, sandbox: Sandbox) -> None:
    """Compile kernel.cpp of a folder into kernel.so beside it. Raises ConfigError with the compiler's last words."""
    confined = sandbox.kind == "bubblewrap"
    source = INSIDE if confined else str(folder)
    job = Job(
        argv=[sys.executable, str(WORKER), f"{source}/{SOURCE}"],
        env={"PATH": _path(), "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        placed={INSIDE: folder, str(WORKER): WORKER},
    )
    with tempfile.TemporaryDirectory(prefix="countersign-") as private:
        try:
            done = subprocess.run(
                sandbox.command(job), capture_output=True, check=False, timeout=TIMEOUT_S,
                env=sandbox.environment(job, Path(private)),
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise ConfigError(f"{folder / SOURCE}: not compiled within {TIMEOUT_S:g} s", "Leave the overlay out.") from error
    if done.returncode != 0 or not done.stdout.startswith(b"\x7fELF"):
        words = " | ".join(done.stderr.decode(errors="replace").strip().splitlines()[-4:])
        raise ConfigError(f"{folder / SOURCE}: does not compile: {words[:600]}", "Mend the source, or leave the overlay out.")
    write_atomic(folder / BUILT, done.stdout)
