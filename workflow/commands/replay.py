"""``countersign replay``: recorded runs judged again, blind, and what was said of each in one table."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from workflow.errors import UsageError
from workflow.replay import LIMIT_S, Replay, Replayed, sandbox
from workflow.replaying.cage import Cage
from workflow.replaying.finding import Found, find
from workflow.startup import check_packages, require

SCHEMA = "countersign.replay/1"  # 1: first form
REASON = 72
"""Characters of a reason in the table."""
EVERY_S = 5.0
"""Plain lines of progress come no more often than this."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asked for; ``jobs`` None is one for each core, ``limit`` is seconds a run."""

    paths: tuple[Path, ...]
    jobs: int | None = None
    policy: str | None = None
    state: Path | None = None
    limit: float = LIMIT_S


def replay_command(asked: Asked, form: str) -> int:
    """Print what the judges say. Returns 0, or 1 when a run could not be audited."""
    check_packages(audit=True)
    require("audit")
    found = find(asked.paths)
    if not found.runs:
        why = "; ".join(f"{name}: {reason}" for name, reason in found.skipped[:3]) or "nothing is there"
        raise UsageError(_clean(f"no run to replay ({why})"), "Give a run directory, or a folder of them.")
    cage = Cage(sandbox(), asked.policy)
    jobs = asked.jobs or len(os.sched_getaffinity(0))
    if not cage.blind:
        _say(f"NOT BLIND: {sandbox().detail}. The judges are plain processes that could read anything.")
    begun = time.monotonic()
    runs = [run.path for run in found.runs]
    with _progress() as progress, closing(Replay(cage, jobs, asked.state, asked.limit).over(runs, progress)) as answers:
        replayed = list(answers)
    _say(_speed(replayed, time.monotonic() - begun, min(jobs, len(runs)), blind=cage.blind))
    show = _json if form == "json" else _text
    click.echo(show(found, replayed, cage))
    return 1 if any(item.error for item in replayed) else 0


def summary(replayed: Sequence[Replayed]) -> dict[str, int]:
    """How many runs, requests and verdicts of each kind, and runs without any."""
    words = Counter(str(verdict["verdict"]) for item in replayed for verdict in item.verdicts)
    counts = {word: words[word] for word in ("PASS", "FLAG", "FAIL")}
    errors = sum(item.error is not None for item in replayed)
    return {"runs": len(replayed), "requests": words.total(), **counts, "errors": errors}


def _json(found: Found, replayed: Sequence[Replayed], cage: Cage) -> str:
    from audit import canonical_json

    runs = [
        {"run": _utf8(run.name), "verdicts": item.verdicts, "error": item.error}
        for run, item in zip(found.runs, replayed, strict=True)
    ]
    skipped = [{"path": _utf8(name), "why": why} for name, why in found.skipped]
    policy = None if cage.policy is None else _utf8(Path(cage.policy).name)
    page = {"schema": SCHEMA, "blind": cage.blind, "policy": policy, "runs": runs, "skipped": skipped}
    return canonical_json({**page, "summary": summary(replayed)})


def _text(found: Found, replayed: Sequence[Replayed], cage: Cage) -> str:
    from audit import clean, table

    rows: list[tuple[str, ...]] = [("run", "request", "verdict", "action", "outcome", "first reason")]
    errors = []
    for run, item in zip(found.runs, replayed, strict=True):
        rows += [(_utf8(run.name), *_line(verdict)) for verdict in item.verdicts]
        if item.error:
            rows.append((_utf8(run.name), "-", "error", "-", item.error["code"], _short(item.error["message"])))
            errors.append(f"error: {_utf8(run.name)}: {item.error['message']} {item.error['next_step']}")
    lines = table(rows, "")
    lines += [clean(line.rstrip()) for line in errors]
    lines += [clean(f"skipped: {_utf8(name)}: {why}") for name, why in found.skipped]
    counts = summary(replayed)
    told = ", ".join(f"{counts[word]} {word}" for word in ("PASS", "FLAG", "FAIL"))
    requests, runs, failed = (_many(counts[f"{what}s"], what) for what in ("request", "run", "error"))
    lines += ["", f"{requests} in {runs}: {told}; {failed}"]
    lines += [] if cage.blind else ["NOT BLIND: the judges were plain processes"]
    return "\n".join(lines)


def _line(verdict: dict[str, Any]) -> tuple[str, ...]:
    reasons = verdict["reasons"]
    plain = (str(verdict[key]) for key in ("short_name", "verdict", "action", "outcome"))
    return (*plain, _short(str(reasons[0])) if reasons else "-")


def _short(text: str) -> str:
    return text if len(text) <= REASON else text[: REASON - 3] + "..."


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _utf8(text: str) -> str:
    """A name of any bytes as text that can be encoded."""
    return text.encode("utf-8", "backslashreplace").decode()


def _clean(text: str) -> str:
    from audit import clean

    return clean(_utf8(text))


def _say(text: str) -> None:
    click.echo(_clean(text), err=True)


def _speed(replayed: Sequence[Replayed], seconds: float, judges: int, *, blind: bool) -> str:
    kept = sum(item.kept for item in replayed)
    asked = sum(len(item.verdicts) for item in replayed if not item.kept)
    each = f"{asked / max(seconds, 1e-9):.1f} a second"
    said = f"{_many(asked, 'request')} audited in {seconds:.1f} s by {_many(judges, 'judge')}: {each}"
    known = f"; {_many(kept, 'run')} known from before" if kept else ""
    return f"{said}{known}; {'blind' if blind else 'NOT BLIND'}"


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, a line every few seconds elsewhere; all on stderr."""
    if sys.stderr.isatty() and importlib.util.find_spec("rich") is not None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("replaying"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
            task = bar.add_task("replaying", total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= EVERY_S:
            last = now
            click.echo(f"replayed {done} of {_many(total, 'run')}", err=True)

    yield tell
