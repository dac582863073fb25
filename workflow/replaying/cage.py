"""What a judge of a blind replay sees: the auditor, the runs of its share under neutral names, and nothing else of ours."""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workflow.errors import UsageError
from workflow.sandbox import Job, Sandbox

AUDITOR, RUNS = "/judge", "/runs"
"""Places inside: the package ``audit`` and the policy file; the runs, numbered, for a name can tell what is expected."""
POLICY_FILE = f"{AUDITOR}/policy.json"
NAMED_POLICIES = (None, "default", "strict")
ANSWERS = frozenset({"verdicts.json", "RECONSTRUCTION.md", "RECORDING.md"})
"""Files that say what a run is or was judged to be: covered wherever they lie in it."""
SUMMARIES = frozenset({"report.md", "report.json", "report.html"})
"""A campaign's summary of itself: covered in the run's own folder."""
OURS = ("proof", "workflow", "agents", "raw_runs", "tests", "docs", "skills")
"""What lies beside the auditor in a source tree or among installed packages, and is no business of a judge."""
NOTHING = Path("/dev/null")
"""Bound over a file it cannot be opened: devices do not work on what the cage binds."""
PROGRAM = ("-P", "-m", "audit.worker")
TMP_MIB = 256


@dataclass(frozen=True, slots=True)
class Cage:
    """How judges are started. ``policy`` is None (each request chooses), ``default``, ``strict`` or a file."""

    sandbox: Sandbox
    policy: str | None = None
    home: Path = Path(__file__).resolve().parents[2]
    """The folder that holds the package ``audit``."""
    program: Sequence[str] = PROGRAM
    """Arguments of the interpreter that make it a judge."""

    @property
    def blind(self) -> bool:
        """True when a judge can see nothing but raw artefacts."""
        return self.sandbox.kind == "bubblewrap"

    def job(self, runs: Sequence[Path]) -> Job:
        """A judge of these runs. Each is read-only, what carries answers in it is covered."""
        argv = [sys.executable, *self.program]
        env = {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
        if not self.blind:
            return Job(argv, {**env, "PATH": os.defpath, "PYTHONPATH": str(self.home)})
        placed = {f"{AUDITOR}/audit": self.home / "audit"}
        if self.policy not in NAMED_POLICIES:
            placed[POLICY_FILE] = Path(self.policy or "").resolve()
        for number, run in enumerate(runs):
            inside, real = self.place(number, run), run.resolve()
            if not real.is_dir():  # gone since it was found: the others are judged all the same
                continue
            placed[inside] = real
            placed |= {f"{inside}/{name}": NOTHING for name in covered(real)}
        return Job(argv, {**env, "PYTHONPATH": AUDITOR}, hidden=hidden(self.home), placed=placed, tmp_mib=TMP_MIB)

    def place(self, number: int, run: Path) -> str:
        """Where a judge finds a run: by its number in the share; where there is no cage, where it lies."""
        return f"{RUNS}/{number:05d}" if self.blind else str(run.absolute())

    def asked_policy(self) -> str | None:
        """The policy as a judge is told it."""
        if self.policy in NAMED_POLICIES:
            return self.policy
        return POLICY_FILE if self.blind else str(Path(self.policy or "").absolute())

    def policy_digest(self) -> str:
        """The policy's name, or the sha256 of its file. Raises UsageError when the file cannot be read."""
        if self.policy in NAMED_POLICIES:
            return str(self.policy)
        try:
            return hashlib.sha256(Path(self.policy or "").read_bytes()).hexdigest()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"{self.policy}: cannot be read: {why}", "--policy takes strict, default or a file.") from error


def hidden(home: Path) -> list[Path]:
    """Our other packages and folders, wherever the interpreter's or the system's folders would show them."""
    places = [home, *(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib"))]
    found = [place.resolve() / name for place in places for name in OURS]
    return [path for path in dict.fromkeys(found) if path.is_dir()]


def covered(run: Path) -> Iterator[str]:
    """Files of a run that carry answers, as paths below it; a link counts as what it leads to, if that lies in the run."""
    top = os.fspath(run)
    for folder, _, names in os.walk(top):
        listed = ANSWERS | SUMMARIES if folder == top else ANSWERS
        for name in sorted(listed.intersection(names)):
            real = os.path.realpath(f"{folder}/{name}")
            if real.startswith(f"{top}/") and os.path.isfile(real):  # noqa: PTH113 - a text already
                yield os.path.relpath(real, top)
