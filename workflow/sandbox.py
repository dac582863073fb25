"""One interface for running code the project did not write: bubblewrap where it runs, a plain process with a warning where not.

Inside: own user, pid, ipc, uts and cgroup namespaces, uid 65534, no capabilities, no nested namespaces, an empty
environment, the system, interpreter and model read-only, a sized tmpfs as HOME and TMPDIR, nothing of the run. A server
keeps the network namespace because it must be reached on loopback; anything else gets none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SYSTEM_DIRS = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
)
HOME = "/tmp/home"  # noqa: S108 - inside the sandbox's own tmpfs
PROBE_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Job:
    """What to run: an argv, its complete environment, what it may read, and how much private tmp it gets."""

    argv: Sequence[str]
    env: Mapping[str, str]
    readable: Sequence[Path] = ()
    """Files and directories bound read-only, beside the system and the interpreter."""
    hidden: Sequence[Path] = ()
    """Directories covered by an empty tmpfs even where a readable one contains them."""
    network: bool = False
    tmp_mib: int = 2048
    placed: Mapping[str, Path] = field(default_factory=dict)
    """Place inside to what is bound there read-only, in this order: under other names, or over what a former one shows."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """How foreign code is confined on this machine; ``detail`` goes into the evidence."""

    kind: Literal["bubblewrap", "none"]
    detail: str

    def command(self, job: Job) -> list[str]:
        """The argv that runs the job confined. Without bubblewrap it is the job's own argv."""
        return _bubblewrap(job) if self.kind == "bubblewrap" else list(job.argv)

    def packed(self, job: Job, handle: int) -> tuple[list[str], bytes]:
        """``command`` with bubblewrap's own arguments in the bytes, to be read from file descriptor ``handle``.

        For jobs with many places: no limit of an argv, and nothing of them shows in a list of processes, inside or out.
        """
        argv = self.command(job)
        if self.kind != "bubblewrap":
            return argv, b""
        end = len(argv) - len(job.argv) - 1
        return [argv[0], "--args", str(handle), *argv[end:]], b"".join(os.fsencode(item) + b"\0" for item in argv[1:end])

    def environment(self, job: Job, private_tmp: Path) -> dict[str, str]:
        """The environment to start ``command`` with; ``private_tmp`` stands in for the tmpfs where there is no sandbox."""
        if self.kind == "bubblewrap":
            return {"PATH": os.defpath}
        home = str(private_tmp)
        return {**job.env, "HOME": home, "TMPDIR": home}


def interpreter_dirs() -> list[Path]:
    """What a child Python needs to read: the base installation and the virtual environment."""
    wanted = [Path(sys.base_prefix), Path(sys.base_exec_prefix), Path(sys.prefix)]
    return [path for path in dict.fromkeys(p.resolve() for p in wanted) if not path.is_relative_to("/usr")]


def _bubblewrap(job: Job) -> list[str]:
    argv = ["bwrap", "--unshare-user", "--unshare-all", "--die-with-parent", "--new-session", "--uid", "65534", "--gid", "65534"]
    argv += ["--cap-drop", "ALL", "--disable-userns", "--clearenv", "--hostname", "sandbox"]
    if job.network:
        argv += ["--share-net"]
    argv += ["--proc", "/proc", "--dev", "/dev"]
    argv += ["--size", str(job.tmp_mib * 2**20), "--tmpfs", "/tmp", "--dir", HOME]  # noqa: S108 - the sandbox's own
    for name in SYSTEM_DIRS:
        path = Path(name)
        if path.is_symlink():
            argv += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            argv += ["--ro-bind", name, name]
    if job.network:
        argv += ["--ro-bind-try", "/etc/hosts", "/etc/hosts", "--ro-bind-try", "/etc/nsswitch.conf", "/etc/nsswitch.conf"]
    for path in [*interpreter_dirs(), *job.readable]:
        argv += ["--ro-bind", str(path), str(path)]
    for path in job.hidden:
        argv += _cover(path, [*interpreter_dirs(), *job.readable])
    for place, path in job.placed.items():
        argv += ["--ro-bind", str(path), place]
    for key, value in {**job.env, "HOME": HOME, "TMPDIR": "/tmp"}.items():  # noqa: S108 - the sandbox's own
        argv += ["--setenv", key, value]
    return [*argv, "--chdir", HOME, "--", *job.argv]


def _cover(path: Path, readable: Sequence[Path]) -> list[str]:
    """Hide a directory only where something readable would show it."""
    shown = any(path.is_relative_to(parent) for parent in [*readable, *(Path(name) for name in SYSTEM_DIRS)])
    return ["--tmpfs", str(path)] if shown and path.exists() else []


def detect() -> Sandbox:
    """Find out by trying whether bubblewrap runs here. Never raises: the fallback says why it is one."""
    found = shutil.which("bwrap")
    if found is None:
        return Sandbox("none", "bubblewrap is not installed; servers run unconfined (Debian: apt install bubblewrap)")
    probe = Sandbox("bubblewrap", "").command(Job(argv=["/usr/bin/true"], env={}))
    try:
        run = subprocess.run(probe, capture_output=True, timeout=PROBE_TIMEOUT_S, check=False, env={"PATH": os.defpath})
    except (OSError, subprocess.TimeoutExpired) as error:
        return Sandbox("none", f"bubblewrap did not run ({error}); servers run unconfined")
    if run.returncode != 0:
        why = run.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit {run.returncode}"]
        return Sandbox(
            "none", f"bubblewrap is installed but may not make namespaces here ({why[0][:200]}); servers run unconfined"
        )
    version = subprocess.run([found, "--version"], capture_output=True, timeout=PROBE_TIMEOUT_S, check=False)
    return Sandbox("bubblewrap", version.stdout.decode(errors="replace").strip())
