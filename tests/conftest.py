"""Shared setup: offline, and no process started by a test outlives it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import psutil
import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

from workflow.sandbox import Sandbox, detect


@pytest.fixture(autouse=True)
def no_process_survives() -> Iterator[None]:
    """Every test ends with the child processes it began with; a leak is killed, named and fails the test."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    deadline = time.monotonic() + 3
    while True:
        left = [
            c for c in psutil.Process().children(recursive=True) if c.pid not in before and c.status() != psutil.STATUS_ZOMBIE
        ]
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    names = [f"{child.pid} {child.name()}" for child in left]
    for child in left:
        child.kill()
    assert not names, f"processes outlived the test: {names}"


@pytest.fixture(scope="session")
def bubblewrap() -> Sandbox:
    """The sandbox of this machine, or a loud skip where there is none."""
    found = detect()
    if found.kind != "bubblewrap":
        pytest.skip(f"NEEDS BUBBLEWRAP, NOT TESTED HERE: {found.detail}")
    return found
