"""Looks at campaign directories that anybody may have written: what does not fit is an error in words, never a traceback."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from workflow.campaign import FILE, read_campaign
from workflow.errors import CountersignError, EvidenceError, UsageError
from workflow.plain import path_text
from workflow.status import Status, status

LIST_SCHEMA = "countersign.campaign_list/1"  # 1: first form
State = Literal["running", "finished", "interrupted", "damaged"]


@dataclass(frozen=True, slots=True)
class Listed:
    """One campaign in a list; ``problem`` says why it cannot be believed, and then the rest is empty."""

    directory: str
    campaign_id: str
    state: State
    created_unix: float | None
    phase: str = ""
    sealed: int = 0
    planned: int = 0
    audited: bool = False
    banked: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    verdicts: dict[str, str] | None = None
    problem: str | None = None

    def cells(self) -> tuple[str, ...]:
        """For people, in the order of ``HEADER``."""
        counts = Counter(said.partition(" ")[0] for said in (self.verdicts or {}).values())
        told = ", ".join(f"{counts[word]} {word}" for word in ("PASS", "FLAG", "FAIL") if counts[word])
        if self.state == "damaged":
            return (self.directory, when(self.created_unix), self.state, "-", "-", "-")
        launches = f"{self.sealed}/{self.planned}"
        verdicts = told or ("none yet" if self.audited else "UNAUDITED")
        return (self.directory, when(self.created_unix), self.state, launches, ", ".join(self.banked) or "nothing", verdicts)


HEADER = ("directory", "begun (UTC)", "state", "launches", "banked", "verdicts")


def campaigns(path: Path) -> list[Listed]:
    """The campaigns directly in ``path``, or the one that it is; newest first, those that cannot be read last.

    Raises UsageError when ``path`` is no directory or cannot be listed.
    """
    if not path.is_dir():
        raise UsageError(f"{path}: no such directory, nothing was run there", "countersign campaign run --use-auditor")
    try:
        found = [path] if (path / FILE).is_file() else [item for item in path.iterdir() if (item / FILE).is_file()]
    except OSError as error:
        raise UsageError(f"{path}: cannot be listed: {error.strerror}", "Give a folder of runs that can be read.") from error
    listed = [_listed(item) for item in sorted(found)]
    return sorted(listed, key=lambda item: (item.state == "damaged", -(item.created_unix or 0.0)))


def _listed(run_dir: Path) -> Listed:
    name = path_text(run_dir)
    try:
        with reading(run_dir):
            record = read_campaign(run_dir)
            created = float(record["created_unix"])
            when(created)
            seen = status(run_dir)
    except CountersignError as error:
        return Listed(name, "", "damaged", None, problem=str(error))
    return Listed(
        directory=name,
        campaign_id=seen.campaign_id,
        state=_state(seen),
        created_unix=created,
        phase=seen.phase,
        sealed=seen.sealed,
        planned=seen.planned,
        audited=seen.audited,
        banked=seen.banked,
        dropped=seen.dropped,
        verdicts=seen.verdicts,
    )


def _state(seen: Status) -> State:
    if seen.phase == "finished":
        return "finished"
    return "running" if seen.owner else "interrupted"


def as_dict(listed: list[Listed]) -> dict[str, Any]:
    """A list for machines."""
    return {"schema": LIST_SCHEMA, "campaigns": [{**asdict(item), "verdicts": item.verdicts or {}} for item in listed]}


def when(unix: float | None) -> str:
    """A time for people, in UTC. Raises ValueError, OverflowError or OSError when it is none."""
    if unix is None:
        return "-"
    return datetime.datetime.fromtimestamp(unix, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")


@contextmanager
def reading(run_dir: Path) -> Iterator[None]:
    """Whatever is wrong with the files of a run becomes EvidenceError, or UsageError where they may not be read."""
    try:
        yield
    except OSError as error:
        where = getattr(error, "filename", None) or run_dir
        raise UsageError(f"{where}: cannot be read: {error.strerror or error}", "Give a run that may be read.") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise EvidenceError(
            f"{run_dir}: holds a record of another form ({type(error).__name__}: {error})",
            "Something else wrote it, or it was edited. Restore it from a copy.",
        ) from error
