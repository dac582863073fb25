"""``countersign proof``: plant lies, replay them blind, simulate campaigns, and write down how often the judge is wrong."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from workflow.canonical import write_atomic
from workflow.errors import InfrastructureError, UsageError
from workflow.startup import check_packages, require

if TYPE_CHECKING:
    from proof.cases import Case
    from proof.key import Key
    from proof.score import Scored

Json = dict[str, Any]
Mode = Literal["quick", "full"]
SEED = 20261121
TIMES: dict[Mode, int] = {"quick": 2, "full": 2}
"""How often a case is audited to see whether the bytes stay the same."""
SHARE: dict[Mode, int] = {"quick": 5, "full": 1}
"""Every how manieth case is audited again."""
NOTE = re.compile(r"docs/decisions/\d{4}-[a-z0-9-]+\.md")
"""A decision note, relative to the source tree."""
FELL = 3
"""Exit code where a figure is below the committed one."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asked for."""

    mode: Mode = "full"
    out: Path | None = None
    jobs: int | None = None
    seed: int = SEED
    worlds: bool = True
    accept: str | None = None


def proof_command(asked: Asked, form: Literal["text", "json"]) -> int:
    """Run the proof. Returns 0, or 3 where a quick proof with the standard seed falls below the committed figures."""
    compared = asked.mode == "quick" and asked.seed == SEED and asked.worlds
    if asked.accept is not None and not compared:
        words = "--accept commits the figures of a quick proof with the standard seed and all worlds"
        raise UsageError(words, "Run `countersign proof --quick --accept NOTE`.")
    check_packages(audit=True)
    for extra in ("audit", "campaign", "proof"):
        require(extra)
    root = _root()
    jobs = asked.jobs or os.cpu_count() or 1
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="countersign-proof-") as place:
        found = _prove(asked, root, jobs, Path(place))
    whole = asked.mode == "full" and asked.worlds and asked.seed == SEED
    out = asked.out or (root / "proof" if whole else root / "proof" / "quick")
    _write(found, out)
    _say(f"written to {out}: report.md, report.html, report.json; {time.monotonic() - begun:.0f} s in all")
    code = _compare(asked, found) if compared else 0
    if form == "json":
        sys.stdout.write(json.dumps(found, sort_keys=True) + "\n")
    else:
        _show(found)
    return code


def _root() -> Path:
    import proof

    root = Path(proof.__file__).resolve().parents[1]
    if not (root / "raw_runs").is_dir() or not (root / "proof" / "key.yaml").is_file():
        raise UsageError(
            "the proof needs the source tree: raw_runs/ and proof/key.yaml", "Clone the repository and run it there."
        )
    return root


def _say(words: str) -> None:
    sys.stderr.write(f"[proof] {words}\n")
    sys.stderr.flush()


def _prove(asked: Asked, root: Path, jobs: int, place: Path) -> Json:
    from proof import assemble, cases, noise, score

    labels = _key(root)
    planted = [*cases.planted(asked.mode, asked.seed), *cases.wins(asked.mode, asked.seed)]
    shipped = [case for case in cases.recorded(root / "raw_runs") if case.recipe in labels.recorded]
    _check(labels, planted, root)
    with _step(f"writing {len(planted)} planted and clean runs"):
        paths = _written(planted, place, jobs)
    everything = [*planted, *shipped]
    paths |= {case.id: root / "raw_runs" / case.recipe for case in shipped}
    with _step(f"replaying {len(everything)} runs blind"):
        begun = time.monotonic()
        verdicts, blind = _replayed([paths[case.id] for case in everything], jobs, "replay")
        took = time.monotonic() - begun
    scores: list[Scored] = []
    for case, found in zip(everything, verdicts, strict=True):
        scores += score.score(case, found, labels)
    with _step("auditing them again: are the verdicts steady?"):
        steady = _steady(everything, verdicts, paths, jobs, asked.mode)
    worlds: list[Json] = []
    if asked.worlds:
        budget = noise.QUICK if asked.mode == "quick" else noise.FULL
        with _step("simulating campaigns"):
            worlds = noise.run(budget, jobs, _Steps())
    requests = sum(len(found) for found in verdicts)
    return assemble.proof(_setup(asked, blind, verdicts), labels, scores, worlds, steady, assemble.Pace(requests, took, jobs))


def _key(root: Path) -> Key:
    from proof import key

    try:
        return key.load(root / "proof" / "key.yaml")
    except key.KeyFaultError as error:
        raise UsageError(str(error), "Restore proof/key.yaml, or add the correction that says why.") from error


def _check(labels: Key, planted: Sequence[Case], root: Path) -> None:
    """Every recipe needs a label, and every label its recipe or its run."""
    names = {case.recipe for case in planted if case.kind == "lie"}
    lost = sorted(names ^ set(labels.planted))
    lost += sorted(name for name in labels.recorded if not (root / "raw_runs" / name).is_dir())
    if lost:
        raise UsageError(
            f"the answer key and the cases differ: {', '.join(lost[:8])}", "Add labels to proof/key.yaml, with a correction."
        )


def _one(case: Case, place: str) -> tuple[str, str]:
    from proof import cases

    return case.id, str(cases.write(case, Path(place)))


def _written(planted: Sequence[Case], place: Path, jobs: int) -> dict[str, Path]:
    from proof.pool import pool

    with pool(jobs) as workers:
        return {name: Path(path) for name, path in workers.map(_one, planted, [str(place)] * len(planted), chunksize=16)}


def _replayed(paths: Sequence[Path], jobs: int, what: str) -> tuple[list[list[Json]], bool]:
    from workflow import replay

    last = time.monotonic()

    def tick(done: int, of: int) -> None:
        nonlocal last
        if time.monotonic() - last > EVERY_S:
            last = time.monotonic()
            _say(f"  {what}: {done} of {of}")

    found = []
    for item in replay.replay(paths, jobs, progress=tick):
        if item.error is not None:
            raise InfrastructureError(
                f"{item.path}: {item.error['message']}", "See the message; the proof needs every run judged."
            )
        found.append(list(item.verdicts))
    return found, replay.is_blind()


EVERY_S = 10.0


def _steady(
    everything: Sequence[Case], verdicts: Sequence[Sequence[Json]], paths: Mapping[str, Path], jobs: int, mode: Mode
) -> Any:  # noqa: ANN401 - proof.assemble.Steady, imported late
    """Audit every case (quick: a fifth of them) again, in reverse order: the verdicts must be the same values."""
    from proof.assemble import Steady

    chosen = list(zip(everything, verdicts, strict=True))[:: SHARE[mode]][::-1]
    unstable: set[str] = set()
    for _ in range(TIMES[mode] - 1):
        again, _blind = _replayed([paths[case.id] for case, _ in chosen], jobs, "again")
        unstable |= {case.id for (case, first), second in zip(chosen, again, strict=True) if list(first) != second}
    return Steady(len(chosen), TIMES[mode], tuple(sorted(unstable)))


class _Steps:
    """Progress of the simulation, one line a world."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, what: str, _fraction: float) -> None:
        if what != self._last:
            _say(f"  {what}")
            self._last = what


@contextmanager
def _step(what: str) -> Iterator[None]:
    begun = time.monotonic()
    _say(what)
    yield
    _say(f"  done in {time.monotonic() - begun:.1f} s")


def _setup(asked: Asked, blind: bool, verdicts: Sequence[Sequence[Json]]) -> Any:  # noqa: ANN401 - proof.assemble.Setup, imported late
    from proof.assemble import Setup

    said = [verdict for found in verdicts for verdict in found]
    digests = {verdict["policy"]: verdict["policy_digest"] for verdict in said}
    words = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return Setup(asked.mode, asked.seed, said[0]["auditor_version"] if said else "?", dict(sorted(digests.items())), words, blind)


def _write(found: Json, out: Path) -> None:
    from proof import report

    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "report.json", (json.dumps(found, indent=1, sort_keys=True) + "\n").encode())
    report.write(found, out)


def _compare(asked: Asked, found: Json) -> int:
    """Hold the figures against the committed ones; with ``accept`` commit these instead."""
    from proof import figures

    now, committed = figures.of(found), figures.read()
    worse = figures.falls(committed, now)
    if asked.accept is not None:
        return _accepted(asked.accept, worse, now)
    for fall in worse:
        _say(f"FELL {fall.words}")
    if worse:
        _say("A figure is lower than committed. Mend the judge, or lower it with `--accept docs/decisions/NNNN-why.md`.")
    return FELL if worse else 0


def _accepted(note: str, worse: Sequence[Any], now: Mapping[str, Any]) -> int:
    from proof import figures

    if worse and not (NOTE.fullmatch(note) and (_root() / note).is_file()):
        raise UsageError(
            f"{len(worse)} figures would be lowered, and {note!r} is no decision note",
            "Write docs/decisions/NNNN-why.md and name it.",
        )
    figures.write(now, note if worse else None)
    _say(f"committed {len(now)} figures to proof/figures.json")
    return 0


def _show(found: Json) -> None:
    import click

    for goal in found["goals"]:
        click.echo(f"{'met ' if goal['met'] else 'MISS'}  {goal['name']}: {goal['words']}  (goal {goal['goal']})")
    missed, unsteady = found["misses"], len(found["stability"]["unstable"])
    click.echo(f"{len(found['cases'])} cases, {len(missed)} not exactly as the key says, {unsteady} unsteady")
    for item in missed[:SHOWN]:
        where = f"{item['recipe']} on {item['base']}, size {item['size']:g}"
        click.echo(f"  {item['what']}: {where}: {item['got']}; {item['evidence'][:160]}")
    if len(missed) > SHOWN:
        click.echo(f"  and {len(missed) - SHOWN} more: see report.md")


SHOWN = 12
