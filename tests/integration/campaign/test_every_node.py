"""kill -9 at every boundary of every node and everywhere inside it; the nodes are those that the compiled graph has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.campaigns import tree
from tests.support.comparing import keys
from tests.support.graphs import EVERYTHING, nodes_of
from tests.support.nursery import SHAPES

CASES = [(shape, node) for shape, found in SHAPES.items() for node in found.nodes or nodes_of(found.config)]
Found = dict[str, Any]


class Killer:
    """Asks the nursery, a process of one thread that forks; ``out`` holds a folder for each campaign."""

    def __init__(self, out: Path, process: subprocess.Popen[str]) -> None:
        self._out, self._process = out, process
        self._undisturbed: dict[str, tuple[Path, Found]] = {}

    def undisturbed(self, shape: str) -> tuple[Path, Found]:
        """The campaign as it ends when nobody kills it."""
        if shape not in self._undisturbed:
            self._undisturbed[shape] = self._ask(shape, "", None)
        return self._undisturbed[shape]

    def killed(self, shape: str, node: str) -> tuple[Path, Found]:
        """A campaign that died at every moment of that node, from the moment that it begins."""
        start = self.undisturbed(shape)[0].with_name("before") / node
        return self._ask(shape, node, start)

    def _ask(self, shape: str, node: str, start: Path | None) -> tuple[Path, Found]:
        assert self._process.stdin is not None and self._process.stdout is not None
        place = self._out / f"{shape}-{node or 'undisturbed'}"
        asked = {"shape": shape, "node": node, "out": str(place), "start": str(start) if start else None}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        found: Found = json.loads(self._process.stdout.readline())
        assert not found["failed"], found["failed"]
        return place / "sim", found


@pytest.fixture(scope="module")
def killer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    """One nursery for all nodes."""
    command = [sys.executable, "-m", "tests.support.nursery"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        yield Killer(tmp_path_factory.mktemp("nursery"), process)
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.parametrize(("shape", "node"), CASES, ids=[f"{shape}-{node}" for shape, node in CASES])
def test_kill_9_at_every_moment_of_a_node(shape: str, node: str, killer: Killer) -> None:
    """Ledger, files, verdicts and outcome are those of the undisturbed campaign; nothing sealed is replaced or measured again."""
    usual, expected = killer.undisturbed(shape)
    run_dir, found = killer.killed(shape, node)
    assert keys(run_dir) == keys(usual)
    assert set(tree(run_dir)) == set(tree(usual))
    for what in ("verdicts", "banked", "dropped", "stopped"):
        assert found[what] == expected[what]
    assert not found["again"] and not found["replaced"]
    kinds = {moment.split()[1] for moment in found["moments"]}
    asked, calls = ([call["request_sha256"] for call in _calls(place)] for place in (usual, run_dir))
    assert len(calls) == len(asked) == len(set(calls)), "a model was asked twice, or not at all"
    assert {"begins", "ends", "noted", "saved"} <= kinds and ("call" in kinds) is bool(asked), (
        f"killed only at {found['moments']}"
    )


def _calls(run_dir: Path) -> list[dict[str, Any]]:
    path = run_dir / "calls.jsonl"
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def test_the_campaign_has_every_node() -> None:
    """What is killed here is the largest graph there is, and both ways of deciding."""
    assert set(nodes_of(SHAPES["everything"].config)) == set(nodes_of(EVERYTHING))
    assert SHAPES["everything"].config.use_auditor and not SHAPES["unaudited"].config.use_auditor
