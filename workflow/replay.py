"""Blind replay: recorded runs audited again by judges that see raw artefacts and nothing else.

``replay`` gives one ``Replayed`` for each run, in the order given. The judges are child processes in bubblewrap, as
``replaying/cage.py`` says; where it is missing they are plain ones, and ``is_blind()`` is False.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow.errors import UsageError
from workflow.replaying.cage import POLICY_FILE, Cage
from workflow.replaying.judge import Answer
from workflow.replaying.pool import judged
from workflow.replaying.state import State, auditor, key
from workflow.sandbox import Sandbox, detect

LIMIT_S = 600.0
"""Wall time of one run's audit."""
Progress = Callable[[int, int], None]
"""Called with how many runs are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """One run: the canonical verdicts on its requests in their order, or why there are none."""

    path: Path
    verdicts: list[dict[str, Any]]
    error: dict[str, str] | None = None
    """``{code, message, next_step}``."""
    kept: bool = False
    """True when the verdicts were in the state already."""


@functools.cache
def sandbox() -> Sandbox:
    """How judges are confined here; found out once."""
    return detect()


def is_blind() -> bool:
    """True when judges of this machine see raw artefacts only."""
    return sandbox().kind == "bubblewrap"


def replay(
    runs: Sequence[Path],
    jobs: int,
    policy: str | None = None,
    progress: Progress | None = None,
    state: Path | None = None,
) -> Generator[Replayed, None, None]:
    """Audit every run by at most ``jobs`` judges. ``policy`` is None, ``default``, ``strict`` or a file.

    With ``state`` a finished run that did not change is not audited again. Raises UsageError when the policy or the state
    cannot be used.
    """
    return Replay(Cage(sandbox(), policy), jobs, state).over(runs, progress)


@dataclass(frozen=True, slots=True)
class Replay:
    """How a replay is made."""

    cage: Cage = field(default_factory=lambda: Cage(sandbox()))
    jobs: int = 1
    state: Path | None = None
    limit_s: float = LIMIT_S

    @property
    def blind(self) -> bool:
        """True when the judges see raw artefacts only."""
        return self.cage.blind

    def over(self, runs: Sequence[Path], progress: Progress | None = None) -> Generator[Replayed, None, None]:
        """One ``Replayed`` for each run, in this order, each as soon as those before it are there."""
        if self.jobs < 1:
            raise UsageError(f"{self.jobs} jobs", "Give at least one.")
        self.cage.policy_digest()  # says at once when there is no such file
        return self._over(list(runs), progress)

    def _over(self, runs: list[Path], progress: Progress | None) -> Generator[Replayed, None, None]:
        with ExitStack() as stack:
            state = None if self.state is None else stack.enter_context(State(self.state))
            judged_by = auditor(self.cage.home) if state else ""
            found: dict[int, Replayed] = {}
            keys: dict[int, str] = {}
            for number, run in enumerate(runs) if state else ():
                keys[number] = _key(run, self.cage, judged_by)
                kept = state.get(keys[number]) if state else None
                if kept is not None:
                    found[number] = Replayed(run, kept, kept=True)
            open_runs = [number for number in range(len(runs)) if number not in found]
            done = len(found)
            if progress:
                progress(done, len(runs))
            given = 0
            answers = judged(self.cage, [runs[number] for number in open_runs], self.jobs, self.limit_s)
            for place, answer in stack.enter_context(closing(answers)):
                number = open_runs[place]
                self._check(answer)
                if state and keys[number] and answer.error is None:
                    state.put(keys[number], judged_by, answer.verdicts)
                found[number] = Replayed(runs[number], answer.verdicts, answer.error)
                done += 1
                if progress:
                    progress(done, len(runs))
                while given in found:
                    yield found.pop(given)
                    given += 1
            yield from (found[number] for number in range(given, len(runs)))

    def _check(self, answer: Answer) -> None:
        """A policy that is none is the caller's mistake, not the run's."""
        if answer.error and answer.error["code"] == "policy_invalid":
            message = answer.error["message"].replace(POLICY_FILE, str(self.cage.policy))
            raise UsageError(message, answer.error["next_step"])


def _key(run: Path, cage: Cage, judged_by: str) -> str:
    """The state's key; empty when the run cannot be read whole: then nothing of it is kept."""
    try:
        return key(run, cage, judged_by)
    except OSError:
        return ""
