"""What our stopwatch recorded of overlays: which leg had which, switched on or off."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit import audit_path
from tests.unit.audit.build import Files, Json, Run, Server
from tests.unit.audit.planted.overlays import OVERLAY

CODE = {"overlay.json": json.dumps({"schema": "countersign.overlay/1", "target": "m:f", "entry": "f"}), "overlay.py": OVERLAY}
SHA256 = hashlib.sha256(
    json.dumps(
        {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(CODE.items())}, separators=(",", ":")
    ).encode()
).hexdigest()
ON: Json = {"name": "fused", "target": "m:f", "entry": "f", "sha256": SHA256, "rebind": True}
OFF: Json = {**ON, "rebind": False}
OTHER: Json = {**ON, "name": "other", "sha256": "cd" * 32}


@dataclass(frozen=True)
class Case:
    """Overlays of each leg as server.json has them, and what is said of it (None: the overlay's code makes the gain)."""

    name: str
    ref: tuple[Json, ...] = ()
    cand: tuple[Json, ...] = (ON,)
    off: tuple[Json, ...] = (OFF,)
    says: str | None = None


CASES = (
    Case("as planned"),
    Case("on top of another", (OTHER,), (OTHER, ON), (OTHER, OFF)),
    Case("not in the candidate", cand=(), says="not installed in the candidate"),
    Case("switched off in the candidate", cand=(OFF,), says="left switched off in the candidate"),
    Case("in the reference too", ref=(ON,), says="in the reference too"),
    Case("another one in the candidate alone", cand=(OTHER, ON), says="differ in other overlays"),
    Case("third leg without it", off=(), says="third leg"),
    Case("third leg switched on", off=(ON,), says="third leg"),
    Case("other files than those that lie here", cand=({**ON, "sha256": "ef" * 32},), says="not installed in the candidate"),
)


def environment(overlays: list[Json]) -> dict[str, str]:
    """What the stopwatch gives a server so that it installs these, as it stands in server.json."""
    given = [
        {"name": item["name"], "folder": f"/overlay/{at}", "target": item["target"], "entry": "f", "rebind": item["rebind"]}
        for at, item in enumerate(overlays)
    ]
    return {"PYTHONPATH": "/overlay/boot", "COUNTERSIGN_OVERLAYS": json.dumps(given, sort_keys=True)} if overlays else {}


def measured(root: Path, case: Case, odd: dict[str, str] | None = None) -> Path:
    """A run of three legs whose servers record these overlays; ``odd``: environment of the candidate that is another."""

    def told(files: Files) -> None:
        leg = files.launch_id.split("/")[2] if files.launch_id.startswith("config/") else ""
        files.server["overlays"] = list({"ref": case.ref, "cand": case.cand, "off": case.off}.get(leg, ()))
        files.server["env"] |= environment(files.server["overlays"]) | (odd or {} if leg == "cand" else {})

    run = Run(root)
    run.aa("baseline/set_1", Server(), touch=told)
    run.ab("config/c01", Server(), Server(tok_s=1100.0), touch=told)
    for index in range(3):
        run.launch(f"config/c01/off/launch_{index:03d}", Server(), (index, index), ["off"] * 3, 2, touch=told)
    folder = root / "config/c01/overlay"
    folder.mkdir()
    for name, text in CODE.items():
        (folder / name).write_text(text)
    change: Json = {"lever": "fused", "flags": {}, "env": {}, "overlay": ["config/c01/overlay"]}
    run.patch("config/c01", {}, change=change, short_name="c01")
    return run.finish()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_the_stopwatch_recorded(case: Case, tmp_path: Path) -> None:
    """A leg that had not what it should have had compares nothing, however the rows look."""
    (verdict,) = (item for item in audit_path(measured(tmp_path, case)) if item.short_name == "c01")
    engaged = [item for item in verdict.findings if item.gate == "engagement"]
    if case.says is None:
        assert verdict.outcome == "proven" and "the overlay's code makes the gain" in engaged[0].reason
    else:
        assert verdict.verdict == "FAIL" and case.says in engaged[0].reason and "server.json" in engaged[0].reason
        assert all(item.next_step for item in engaged)


@pytest.mark.parametrize(
    "odd",
    [
        {"PYTHONPATH": "/overlay/boot:/elsewhere"},
        {"PYTHONPATH": "/home/me/boot"},
        {"COUNTERSIGN_OVERLAYS": "[]"},
        {"COUNTERSIGN_OVERLAYS": "nonsense"},
        {"COUNTERSIGN_OVERLAYS": environment([ON, OTHER])["COUNTERSIGN_OVERLAYS"]},
        {"COUNTERSIGN_OVERLAYS": environment([{**ON, "target": "m:g"}])["COUNTERSIGN_OVERLAYS"]},
        {"COUNTERSIGN_OVERLAYS": environment([ON])["COUNTERSIGN_OVERLAYS"].replace("/overlay/0", "/somewhere")},
        {"COUNTERSIGN_OVERLAYS": environment([ON])["COUNTERSIGN_OVERLAYS"].replace("{", '{"more": 1, ')},
        {"LD_PRELOAD": "/overlay/0/fast.so"},
    ],
    ids=lambda odd: str(odd)[:60],
)
def test_an_environment_that_says_more_than_the_overlays_is_a_confound(odd: dict[str, str], tmp_path: Path) -> None:
    """The stopwatch tells its servers of the overlays through the environment; exactly that is no difference of its own."""
    (verdict,) = (item for item in audit_path(measured(tmp_path, CASES[0], odd)) if item.short_name == "c01")
    differing = [item.reason for item in verdict.findings if item.gate == "same_conditions" and item.status == "fail"]
    assert verdict.verdict == "FAIL" and any(f"env.{next(iter(odd))}" in reason for reason in differing), verdict.reasons


@pytest.mark.parametrize("leg", ["ref", "cand"])
@pytest.mark.parametrize(("value", "says"), [("unknown", "does not tell kv_cache_dtype"), ("fp8", "kv_cache_dtype")])
def test_what_cannot_be_known_is_never_the_same(leg: str, value: str, says: str, tmp_path: Path) -> None:
    """A setting without a source compares nothing; one that has a value is compared, whatever its source is called."""

    def told(files: Files) -> None:
        own = files.launch_id.split("/")[2] if files.launch_id.startswith("config/") else ""
        files.server["effective"]["kv_cache_dtype"] = value if own == leg else "unknown" if value == "unknown" else "bf16"
        files.server["effective_source"]["kv_cache_dtype"] = "unknown"
        for row in files.rows:
            row["server_info"] = files.server["effective"]

    run = Run(tmp_path)
    run.aa("baseline/set_1", Server(), touch=told)
    run.ab("config/c01", Server(), Server(tok_s=1100.0), touch=told)
    run.patch("config/c01", {"attn_implementation": "eager"}, short_name="c01")
    (verdict,) = (item for item in audit_path(run.finish()) if item.short_name == "c01")
    found = [item.reason for item in verdict.findings if item.gate == "same_conditions" and item.status in ("fail", "unknown")]
    assert verdict.verdict == "FAIL" and any(says in reason for reason in found), verdict.reasons
