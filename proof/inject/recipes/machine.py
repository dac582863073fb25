"""The machine under the legs: its clock, its processor, who else used it, and servers that did not go."""

from __future__ import annotations

import random

from proof.inject import edits, shape
from proof.inject.draft import Draft
from proof.inject.recipe import Recipe


def _slow_clock(draft: Draft, size: float, rng: random.Random) -> None:
    """No gain; the processor ran slower under the reference, and its speed with it."""
    shape.no_gain(draft)
    edits.speed(draft, draft.leg("ref"), 1 - size / 100)
    _clocks(draft, ("ref",), size)


def _slow_throughout(draft: Draft, size: float, rng: random.Random) -> None:
    """The processor ran slower under all of them alike."""
    edits.speed(draft, draft.launches, 1 - size / 100)
    _clocks(draft, ("aa", "ref", "cand"), size)


def _clocks(draft: Draft, legs: tuple[str, ...], size: float) -> None:
    for launch in (launch for leg in legs for launch in draft.leg(leg)):
        for sample in launch.host["samples"]:
            sample["mhz"] *= 1 - size / 100


def _neighbour(draft: Draft, size: float, rng: random.Random) -> None:
    """No gain; another process used the machine beside the reference."""
    shape.no_gain(draft)
    edits.speed(draft, draft.leg("ref"), 1 / 1.05)
    _strangers(draft, ("ref",), size)


def _quiet_neighbour(draft: Draft, size: float, rng: random.Random) -> None:
    """A process that does next to nothing beside all of them."""
    _strangers(draft, ("aa", "ref", "cand"), 0.01)


def _strangers(draft: Draft, legs: tuple[str, ...], cores: float) -> None:
    for launch in (launch for leg in legs for launch in draft.leg(leg)):
        for sample in launch.host["samples"]:
            sample |= {"foreign_cores": cores, "foreign": [{"pid": 4242, "name": "cc1plus", "cores": cores}]}


def _stolen(draft: Draft, size: float, rng: random.Random) -> None:
    """No gain; the hypervisor took time from the reference."""
    shape.no_gain(draft)
    edits.speed(draft, draft.leg("ref"), 1 / 1.05)
    for launch in draft.leg("ref"):
        for sample in launch.host["samples"]:
            sample["steal_cores"] = size


def _hardly_stolen(draft: Draft, size: float, rng: random.Random) -> None:
    """The hypervisor took next to nothing, from all of them."""
    for launch in draft.launches:
        for sample in launch.host["samples"]:
            sample["steal_cores"] = 0.01


def _left_running(draft: Draft, size: float, rng: random.Random) -> None:
    """A process of so many reference servers outlived its stop and burdened what came next."""
    for launch in draft.leg("ref")[: int(size)]:
        launch.server["stop"] |= {"survivors": [{"pid": 4711, "command": "python -m engine.worker"}], "port_closed": False}


def _slow_stop(draft: Draft, size: float, rng: random.Random) -> None:
    """The servers took longer to stop, and all are gone."""
    for launch in draft.leg("ref")[: int(size)]:
        launch.server["stop"]["seconds"] = 9.5


def _both_alive(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's first server was started so many seconds before the reference's first one had stopped."""

    def early(written: Draft) -> None:
        ref, cand = written.leg("ref")[0], written.leg("cand")[0]
        cand.server["started_unix"] = ref.server["stopped_unix"] - size

    draft.late.append(early)


def _just_after(draft: Draft, size: float, rng: random.Random) -> None:
    """It was started as soon as the other had stopped."""

    def early(written: Draft) -> None:
        ref, cand = written.leg("ref")[0], written.leg("cand")[0]
        cand.server["started_unix"] = ref.server["stopped_unix"] + 0.5

    draft.late.append(early)


def _another_machine(draft: Draft, size: float, rng: random.Random) -> None:
    """No gain by the change: so many candidate launches ran on another processor, which is a tenth faster."""
    shape.no_gain(draft)
    moved = draft.leg("cand")[: int(size)]
    edits.speed(draft, moved, 1.1)
    for launch in moved:
        launch.host |= {"cpu_model": "another", "cores": 8}


def _one_machine(draft: Draft, size: float, rng: random.Random) -> None:
    """Every launch ran on that processor."""
    for launch in draft.launches:
        launch.host |= {"cpu_model": "another", "cores": 8}


RECIPES = (
    Recipe("slower-clock", ("M20", "M22"), "stopwatch: host.json samples[].mhz", ("ours",), (5.0, 15.0, 35.0),
           "No gain; the processor's clock was so many percent lower under the reference.", _slow_clock, _slow_throughout, critical=True),
    Recipe("neighbour", ("M22",), "stopwatch: host.json samples[].foreign_cores", ("ours",), (0.15, 0.5, 1.5),
           "No gain; strangers used so many cores beside the reference.", _neighbour, _quiet_neighbour, critical=True),
    Recipe("stolen-time", ("M22",), "stopwatch: host.json samples[].steal_cores", ("ours",), (0.3, 0.7, 1.5),
           "No gain; the hypervisor took so many cores from the reference.", _stolen, _hardly_stolen),
    Recipe("left-running", ("M22",), "stopwatch: server.json stop.survivors, stop.port_closed", ("ours",), (1.0, 2.0, 3.0),
           "A process of so many reference servers was still alive when the next server was measured.", _left_running, _slow_stop, critical=True),
    Recipe("two-servers-at-once", ("M22", "R19"), "stopwatch: server.json started_unix, stopped_unix", ("ours",), (1.0, 4.0, 8.0),
           "Reference and candidate were alive together for so many seconds.", _both_alive, _just_after, critical=True),
    Recipe("another-machine", ("C18",), "stopwatch: host.json cpu_model, cores", ("ours",), (1.0, 2.0, 3.0),
           "No gain; so many candidate launches ran on a faster processor.", _another_machine, _one_machine, critical=True),
)  # fmt: skip
