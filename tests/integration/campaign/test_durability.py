"""What a resume meets on the disk: a checkpoint that somebody doctored, and a lock that somebody holds, or held."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import workflow.checkpoint  # noqa: F401 - sets the strict mode that langgraph reads when it is imported

# isort: split
import ormsgpack
import pytest
from langgraph.checkpoint.serde import jsonplus

from tests.support.campaigns import services, small_config, tree
from tests.support.killed import later
from tests.support.simulated import World
from workflow.campaign import resume, run
from workflow.checkpoint import FILE
from workflow.cli import main
from workflow.errors import CountersignError, EvidenceError, OwnedError
from workflow.owner import owner

Blob = tuple[str, bytes]
"""Type and bytes, as the store keeps a checkpoint and each value of a write."""


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign that was interrupted in its first A/B; read only."""
    out = tmp_path_factory.mktemp("interrupted")

    def stop(number: int, _: str) -> None:
        if number == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(small_config(), services(World(on_launch=stop)), out)
    return out / "sim"


@pytest.fixture
def cut(interrupted: Path, tmp_path: Path) -> Path:
    """A copy that a test may resume."""
    return shutil.copytree(interrupted, tmp_path / "sim")


class Touches:
    """A pickle that runs a command when it is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        """What pickle calls."""
        return Path.touch, (self._path,)


def packed(code: int, *told: object) -> Callable[[Path], Any]:
    """An extension value of LangGraph's: import a module, call what is in it with what was told."""

    def value(path: Path) -> Any:
        filled = [json.loads(json.dumps(item).replace("PATH", str(path))) for item in told]
        return ormsgpack.Ext(code, ormsgpack.packb(filled))

    return value


CALL = "touch PATH"
VALUES: dict[str, Callable[[Path], Any]] = {
    "one argument": packed(jsonplus.EXT_CONSTRUCTOR_SINGLE_ARG, "os", "system", CALL),
    "arguments": packed(jsonplus.EXT_CONSTRUCTOR_POS_ARGS, "os", "system", [CALL]),
    "keywords": packed(jsonplus.EXT_CONSTRUCTOR_KW_ARGS, "os", "system", {"command": CALL}),
    "method": packed(jsonplus.EXT_METHOD_SINGLE_ARG, "subprocess", "os", CALL, "system"),
    "model": packed(jsonplus.EXT_PYDANTIC_V2, "os", "system", {"command": CALL}, "model_validate_json"),
    "old model": packed(jsonplus.EXT_PYDANTIC_V1, "os", "system", {"command": CALL}),
}
"""Values of one channel, beside the rest of a checkpoint as it was."""


def whole(kind: str, path: Path) -> Blob:
    """A blob that is nothing but an attack."""
    if kind == "pickle":
        return "pickle", pickle.dumps(Touches(path))
    if kind == "json":
        told = {"lc": 2, "type": "constructor", "id": ["os", "system"], "args": [CALL.replace("PATH", str(path))]}
        return "json", json.dumps(told).encode()
    return "msgpack", ormsgpack.packb(VALUES[kind](path))


def newest(link: sqlite3.Connection) -> tuple[str, str, str, bytes]:
    found: tuple[str, str, str, bytes] = link.execute(
        "SELECT thread_id, checkpoint_id, type, checkpoint FROM checkpoints ORDER BY checkpoint_id DESC LIMIT 1"
    ).fetchone()
    return found


def doctor(run_dir: Path, where: str, kind: str, path: Path) -> None:
    """Put the attack in the newest checkpoint's place, into one of its values, or beside it as a write that is pending."""
    with closing(sqlite3.connect(run_dir / ".state" / FILE)) as link:
        thread, number, _, stored = newest(link)
        if where == "value":
            checkpoint = ormsgpack.unpackb(stored, option=ormsgpack.OPT_NON_STR_KEYS)
            checkpoint["channel_values"]["short_name"] = VALUES[kind](path)
            blob = ("msgpack", ormsgpack.packb(checkpoint))
        else:
            blob = whole(kind, path)
        if where == "write":
            link.execute(
                "INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, value)"
                " VALUES (?, '', ?, 'doctored', 0, 'short_name', ?, ?)",
                (thread, number, *blob),
            )
        else:
            link.execute("UPDATE checkpoints SET type = ?, checkpoint = ? WHERE checkpoint_id = ?", (*blob, number))
        link.commit()


ATTACKS = [
    *(("value", kind) for kind in VALUES),
    *((where, kind) for where in ("checkpoint", "write") for kind in (*VALUES, "json", "pickle")),
]


class Attacked(NamedTuple):
    """What came of a resume."""

    touched: bool
    error: Exception | None
    decided: tuple[str, ...]
    run_dir: Path


@pytest.fixture(scope="module")
def attacked(interrupted: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Attacked]:
    """Resumes a doctored copy, once for each attack."""

    @cache
    def attack(where: str, kind: str) -> Attacked:
        out = tmp_path_factory.mktemp("attacked")
        run_dir, touched = shutil.copytree(interrupted, out / "sim"), out / "touched"
        doctor(run_dir, where, kind, touched)
        try:
            done = resume(run_dir, services(clock=later(run_dir)))
        except Exception as error:  # noqa: BLE001 - which one, a test says
            return Attacked(touched.exists(), error, (), run_dir)
        return Attacked(touched.exists(), None, (*done.banked, *done.dropped), run_dir)

    return attack


@pytest.mark.parametrize(("where", "kind"), ATTACKS)
def test_a_doctored_checkpoint_executes_nothing(
    where: str, kind: str, attacked: Callable[[str, str], Attacked], interrupted: Path
) -> None:
    """Whatever else becomes of it; and it touches no evidence."""
    found = attacked(where, kind)
    assert not found.touched
    before, after = tree(interrupted), tree(found.run_dir)
    assert {name: after[name] for name in before if "launch_" in name} == {n: d for n, d in before.items() if "launch_" in n}
    assert after["ledger.jsonl"].startswith(before["ledger.jsonl"])


@pytest.mark.parametrize("kind", [*sorted(set(VALUES) - {"method"}), "json", "pickle"])
def test_the_same_blob_read_without_care_does_execute(kind: str, tmp_path: Path) -> None:
    """So the test above tests something; a method is called by no reader of this version."""
    careless = jsonplus.JsonPlusSerializer(pickle_fallback=True, allowed_msgpack_modules=True, allowed_json_modules=True)
    careless.loads_typed(whole(kind, tmp_path / "touched"))
    assert (tmp_path / "touched").exists()


@pytest.mark.parametrize(("where", "kind"), ATTACKS)
def test_a_doctored_checkpoint_is_one_clear_error_or_nothing(
    where: str, kind: str, attacked: Callable[[str, str], Attacked]
) -> None:
    """A campaign that cannot go on from it says so in words of its own."""
    found = attacked(where, kind)
    if found.error is None:
        assert found.decided == ("c01-continuous-batching", "c02-dtype-bfloat16")
        return
    assert isinstance(found.error, CountersignError), found.error
    assert found.error.next_step and (where != "checkpoint" or "move .state/checkpoint.sqlite away" in found.error.next_step)
    (found.run_dir / ".state" / "checkpoint.sqlite").unlink()
    done = resume(found.run_dir, services(clock=later(found.run_dir)))
    assert (*done.banked, *done.dropped) == ("c01-continuous-batching", "c02-dtype-bfloat16")


def test_a_second_resume_is_refused_while_the_first_runs(cut: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It is told who has the campaign, and changes nothing; when that process is killed, the lock is free for the next."""
    command = [sys.executable, "-m", "tests.support.killed", str(cut.parent), "hold:0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None and first.stdout.readline() == "held\n"
        before = tree(cut)
        with pytest.raises(OwnedError, match=rf"run by pid {first.pid} ") as caught:
            resume(cut, services(clock=later(cut)))
        assert f"countersign campaign status {cut}" in caught.value.next_step
        assert main(["campaign", "resume", str(cut)]) == OwnedError.exit_code
        said = capfd.readouterr().err
        assert f"pid {first.pid} " in said and "Traceback" not in said
        assert tree(cut) == before
        first.kill()
    assert first.returncode == -signal.SIGKILL
    assert f"pid {first.pid} " in (cut / ".state/owner.lock").read_text() and owner(cut) is None
    assert resume(cut, services(clock=later(cut))).banked == ("c01-continuous-batching",)
    assert (cut / ".state/owner.lock").read_text() == ""


@pytest.mark.parametrize("taken_over", [True, False], ids=["by-another", "by-nobody"])
def test_who_lost_the_lock_writes_no_more(cut: Path, taken_over: bool) -> None:
    """The lock's file is deleted while a process sleeps: whatever it does when it wakes, the campaign is not its any more."""
    command = [sys.executable, "-m", "tests.support.killed", str(cut.parent), "hold:0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=pipe) as first:
        assert first.stdout is not None and first.stdout.readline() == "held\n"
        (cut / ".state/owner.lock").unlink()
        if taken_over:
            assert resume(cut, services(clock=later(cut))).banked == ("c01-continuous-batching",)
        before = (cut / "ledger.jsonl").read_bytes()
        _, said = first.communicate("go on\n", timeout=60)
    assert first.returncode == 1 and "OwnedError" in said and "deleted or replaced" in said
    assert (cut / "ledger.jsonl").read_bytes() == before
    assert resume(cut, services(clock=later(cut))).banked == ("c01-continuous-batching",)


def test_who_lost_the_lock_leaves_the_other_ones_launch_alone(cut: Path) -> None:
    """It wakes while the new owner measures the very launch that it was measuring: the new owner does not notice."""
    command, pipe = [sys.executable, "-m", "tests.support.killed", str(cut.parent), "hold:0"], subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=pipe) as first:
        assert first.stdout is not None and first.stdout.readline() == "held\n"
        (cut / ".state/owner.lock").unlink()
        said: list[str] = []

        def wake(_: int, launch: str) -> None:
            if not said:
                assert launch.endswith("/launch_000") and (cut / launch).with_name(".launch_000.partial").is_dir()
                said.append(first.communicate("go on\n", timeout=60)[1])

        assert resume(cut, services(World(on_launch=wake), clock=later(cut))).banked == ("c01-continuous-batching",)
    assert first.returncode == 1 and "deleted or replaced" in said[0]


@pytest.mark.parametrize("name", [".state/owner.lock", ".state/checkpoint.sqlite", "log.jsonl", "ledger.jsonl", "config"])
def test_a_run_with_links_in_it_writes_nowhere(cut: Path, name: str) -> None:
    """Somebody's run directory points at files of ours: it is refused with the link's name, and they stay as they are."""
    elsewhere = cut.with_name("elsewhere")
    (cut / name).rename(elsewhere)
    (cut / name).symlink_to(elsewhere)
    before = tree(elsewhere) if elsewhere.is_dir() else elsewhere.read_bytes()
    with pytest.raises(EvidenceError, match=f"{name}: a link"):
        resume(cut, services(clock=later(cut)))
    assert (tree(elsewhere) if elsewhere.is_dir() else elsewhere.read_bytes()) == before


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_a_lock_that_is_no_file(cut: Path, kind: str) -> None:
    """A clear error that names it."""
    path = cut / ".state/owner.lock"
    path.unlink()
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(CountersignError, match=r"owner\.lock: ") as caught:
        resume(cut, services(clock=later(cut)))
    assert caught.value.next_step


def test_a_name_in_the_lock_file_holds_nothing(cut: Path) -> None:
    """A number that another process has today does not keep anybody out: the kernel's lock counts, not its text."""
    (cut / ".state/owner.lock").write_text("pid 1 on elsewhere\n")
    assert owner(cut) is None
    assert resume(cut, services(clock=later(cut))).stopped == "levers"
