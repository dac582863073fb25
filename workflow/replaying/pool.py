"""Judges side by side: each takes the next run, a dead one is replaced, its run asked once more by a judge of its own."""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workflow.replaying.cage import Cage
from workflow.replaying.judge import Answer, Judge, JudgeDiedError, JudgeLateError, refusal

SHARE = 256
"""Runs that one judge sees at most: bubblewrap's time grows with the square, and beyond this costs more than another start."""
Told = tuple[int, Answer | BaseException]


@dataclass(slots=True)
class _Slot:
    """One judge at a time, for one thread."""

    cage: Cage
    runs: Sequence[Path]
    limit_s: float
    tmp: Path
    judge: Judge | None = None
    share: int = -1
    """Which stretch of ``SHARE`` runs the judge sees."""
    stopped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, number: int) -> Answer:
        """The answer on one run. A judge that dies is replaced once; one that is late is not: it had its time."""
        if not self.runs[number].is_dir():
            return refusal("run_missing", "no such directory any more", "Run the replay again.")
        try:
            share = number // SHARE
            if self.judge is None or self.share != share:
                self._start(self.runs[share * SHARE : (share + 1) * SHARE], share)
            return self._ask(number % SHARE)
        except (JudgeDiedError, OSError):
            self.drop()
        if self.stopped:
            return refusal("interrupted", "the replay was interrupted")
        try:
            self._start(self.runs[number : number + 1], -1)
            return self._ask(0)
        except (JudgeDiedError, OSError) as error:
            return refusal("judge_died", f"{error}, twice", "Audit this run alone: countersign audit RUN.")
        finally:
            self.drop()

    def _start(self, runs: Sequence[Path], share: int) -> None:
        self.drop()
        judge = Judge(self.cage, runs, self.tmp)
        with self.lock:
            self.judge, self.share = judge, share
            if self.stopped:
                judge.kill()

    def _ask(self, number: int) -> Answer:
        assert self.judge is not None  # noqa: S101 - just started
        try:
            return self.judge.ask(number, self.limit_s)
        except JudgeLateError:
            self.drop()
            return refusal("timeout", f"no verdict after {self.limit_s:g} s", "Audit this run alone: countersign audit RUN.")

    def drop(self, *, at_once: bool = True) -> None:
        """End the judge, if there is one."""
        with self.lock:
            judge, self.judge = self.judge, None
        if judge is not None:
            judge.end(at_once=at_once)

    def stop(self) -> None:
        """From another thread: whatever is being waited for ends now."""
        with self.lock:
            self.stopped = True
            if self.judge is not None:
                self.judge.kill()


def judged(cage: Cage, runs: Sequence[Path], jobs: int, limit_s: float) -> Generator[tuple[int, Answer], None, None]:
    """Each run's number and answer, as they come, from at most ``jobs`` judges. Closing the iterator ends all of them."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(runs)):
        waiting.put(number)
    told: queue.SimpleQueue[Told] = queue.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="countersign-replay-") as tmp:
        slots = [_Slot(cage, runs, limit_s, Path(tmp)) for _ in range(min(jobs, len(runs)))]
        threads = [threading.Thread(target=_work, args=(slot, waiting, told)) for slot in slots]
        try:
            for thread in threads:
                thread.start()
            for _ in runs:
                number, answer = told.get()
                if isinstance(answer, BaseException):
                    raise answer
                yield number, answer
        finally:
            for slot in slots:
                slot.stop()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()


def _work(slot: _Slot, waiting: queue.SimpleQueue[int], told: queue.SimpleQueue[Told]) -> None:
    """One thread: the next run, until there is none. A bug of ours travels to the thread that reads."""
    number = -1
    try:
        while not slot.stopped:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                break
            told.put((number, slot.answer(number)))
        slot.drop(at_once=False)
    except BaseException as error:  # noqa: BLE001 - the named edge: raised again by the reader
        told.put((number, error))
    finally:
        slot.drop()
