"""Shared setup: offline, and no process started by a test outlives it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"  # read once, by whichever test imports langgraph first

from tests.support.children import alive
from workflow.sandbox import Sandbox, detect


@pytest.fixture(autouse=True)
def no_process_survives() -> Iterator[None]:
    """Every test ends with the child processes it began with; a leak is killed, named and fails the test."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    deadline = time.monotonic() + 3
    while True:
        left = [c for c in psutil.Process().children(recursive=True) if c.pid not in before and alive(c)]
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    names = []
    for child in left:
        with suppress(psutil.NoSuchProcess):
            names.append(f"{child.pid} {child.name()}")
            child.kill()
    assert not names, f"processes outlived the test: {names}"


@pytest.fixture(scope="session")
def bubblewrap() -> Sandbox:
    """The sandbox of this machine, or a loud skip where there is none."""
    found = detect()
    if found.kind != "bubblewrap":
        pytest.skip(f"NEEDS BUBBLEWRAP, NOT TESTED HERE: {found.detail}")
    return found
