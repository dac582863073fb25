"""Overlays that cheat, in real servers and the real sandbox: what they reach for is not there, or is seen."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.integration.test_overlay_servers import judged
from tests.support.cheats import INFLATES, MLP, NORM, REMEMBERS, SEEKS, STAYS

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("bubblewrap")]


def test_inflated_usage_is_seen_by_the_clients_own_count(tmp_path: Path) -> None:
    """The server says it made more tokens than its text has."""
    verdict, _ = judged(tmp_path, "inflates", INFLATES, NORM, 1)
    assert verdict.verdict == "FAIL" and any("the client counted" in str(reason) for reason in verdict.reasons), verdict.reasons


def test_remembered_outputs_lose_answers(tmp_path: Path) -> None:
    """What was computed for other prompts is handed out again, because no prompt comes twice."""
    verdict, log = judged(tmp_path, "remembers", REMEMBERS, MLP, 1)
    assert "[overlay] bound" in log and verdict.verdict == "FAIL" and verdict.correctness_status == "lost", verdict.reasons


def test_a_process_left_behind_ends_with_its_server(tmp_path: Path) -> None:
    """Nothing of it runs beside the reference; what it took of its own leg gains nothing."""
    verdict, _ = judged(tmp_path, "stays", STAYS, NORM, 1)
    assert verdict.outcome != "proven"
    left = [item for item in psutil.process_iter(["cmdline"]) if "hog_of_a_test" in " ".join(item.info["cmdline"] or ())]
    assert not left


def test_rows_cannot_be_reached_from_a_server(tmp_path: Path) -> None:
    """No file of the run, no plan, no ledger is in its sight."""
    verdict, log = judged(tmp_path, "seeks", SEEKS, NORM, 1)
    assert "[seeks] found 0" in log and verdict.outcome != "proven"
