"""The kernel track over simulated servers: profile, route, third leg, leave-one-out, resume."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.campaigns import ListSink, services, small_config
from tests.support.simulated import World
from workflow.campaign import Outcome, resume, run
from workflow.config import MeasureConfig
from workflow.errors import ConfigError, EvidenceError
from workflow.events import Tail, told
from workflow.harness import compiler
from workflow.ledger import Ledger
from workflow.serving.transformers_serve import TransformersServe

MODULES = {"Qwen2MLP": 500.0, "Qwen2RMSNorm": 300.0, "Qwen2Attention": 200.0}
SPEED = {"continuous_batching=True": 3.5, "overlay:fused_rms_norm": 1.25, "overlay:packed_swiglu": 1.3}
MEASURE = MeasureConfig(aa_launches=4, launches=3, repeats=2, final_launches=3, min_repeat_s=0.5)
WANTED: dict[str, Any] = {
    "profile": True,
    "levers": ("continuous-batching",),
    "overlays": ("fused_rms_norm", "packed_swiglu"),
    "max_overlays": 2,
}


def ledger_of(run_dir: Path) -> Ledger:
    return Ledger(run_dir / "ledger.jsonl", lambda: 0.0, read_only=True)


def campaign(tmp_path: Path, sink: ListSink | None = None, world: World | None = None, **changes: Any) -> Outcome:
    return run(small_config(**{**WANTED, **changes}), services(world or World(profile=MODULES, speed=SPEED), sink=sink), tmp_path)


def test_the_profile_routes_and_overlays_are_tried_with_a_third_leg(tmp_path: Path) -> None:
    """The largest routed operation first; each A/B has the overlay switched off beside it; a profile follows every bank."""
    sink = ListSink()
    done = campaign(tmp_path, sink)
    assert done.banked == ("c01-continuous-batching", "c02-packed_swiglu", "c03-fused_rms_norm")
    ledger = ledger_of(done.run_dir)
    assert [entry.body["error"] for entry in ledger.of_kind("profile")] == [None] * 4
    first = ledger.of_kind("route")[0].body
    assert [item["op"] for item in first["routed"]] == ["Qwen2MLP", "Qwen2RMSNorm"]
    assert {item["op"] for item in first["left"]} == {"Qwen2Attention"}
    plan = ledger.get("plan/config/c02-packed_swiglu")
    assert plan is not None and sorted(plan.body["order"]) == ["cand"] * 2 + ["off"] * 2 + ["ref"] * 2
    told = [
        json.loads((done.run_dir / f"config/c02-packed_swiglu/{leg}/launch_000/server.json").read_bytes())["overlays"]
        for leg in ("ref", "off", "cand")
    ]
    assert [[item["rebind"] for item in leg] for leg in told] == [[], [False], [True]]
    asked = json.loads((done.run_dir / "audit_request.json").read_bytes())
    change = next(item["change"] for item in asked if item["short_name"] == "c02-packed_swiglu")
    assert change == {"lever": "packed_swiglu", "flags": {}, "env": {}, "overlay": ["config/c02-packed_swiglu/overlay"]}
    assert any(line.startswith("route: Qwen2MLP 50.0 %") for line in sink.said)


def test_the_final_leaves_out_each_part(tmp_path: Path) -> None:
    """One interleaved plan: baseline, everything, and everything without each part, overlays included."""
    done = campaign(tmp_path, max_overlays=1)
    ledger = ledger_of(done.run_dir)
    plan = ledger.get("plan/final")
    assert plan is not None
    assert set(plan.body["order"]) == {"ref", "cand", "without_continuous-batching", "without_packed_swiglu"}
    settings = {
        leg: json.loads((done.run_dir / f"final/{leg}/launch_000/server.json").read_bytes()) for leg in set(plan.body["order"])
    }
    shown = {
        leg: (item["requested"]["flags"].get("continuous_batching"), [one["name"] for one in item["overlays"]])
        for leg, item in settings.items()
    }
    assert shown == {
        "ref": (None, []),
        "cand": (True, ["packed_swiglu"]),
        "without_continuous-batching": (None, ["packed_swiglu"]),
        "without_packed_swiglu": (True, []),
    }


def test_the_auditor_signs_an_overlay_by_its_third_leg(tmp_path: Path) -> None:
    """Profile, patch with the third leg and bundle with its parts, all judged."""
    world = World(profile=MODULES, speed=SPEED, launch_noise=0.004)
    done = campaign(tmp_path, world=world, use_auditor=True, measure=MEASURE, max_overlays=1)
    said = {name: (verdict, outcome) for name, verdict, outcome in done.verdicts}
    assert said["c02-packed_swiglu"][1] == "proven" and "c02-packed_swiglu" in done.banked
    assert {name for name in said if name.startswith("profile")} == {"profile-1", "profile-2", "profile-3"}
    verdicts = {item["short_name"]: item for item in json.loads((done.run_dir / "verdicts.json").read_bytes())}
    engaged = [item for item in verdicts["c02-packed_swiglu"]["findings"] if item["gate"] == "engagement"]
    assert [item["status"] for item in engaged] == ["ok"] and "the overlay's code makes the gain" in engaged[0]["reason"]
    parts = [item for item in verdicts["final"]["findings"] if item["gate"] == "parts"]
    assert parts[0]["status"] == "ok" and {"continuous-batching", "packed_swiglu", "interaction"} <= set(parts[0]["figures"])


def test_an_overlay_that_does_nothing_is_not_banked(tmp_path: Path) -> None:
    """As fast with its code as without it."""
    still = World(profile=MODULES, speed={}, launch_noise=0.002)
    done = campaign(tmp_path, world=still, use_auditor=True, measure=MEASURE, auditor_max_fix=0)
    assert not done.banked and done.dropped == ("c01-continuous-batching", "c02-packed_swiglu", "c03-fused_rms_norm")


def test_without_a_profile_nothing_goes_to_the_kernel_track(tmp_path: Path) -> None:
    """A bench that cannot profile says so once and goes on with the sweep."""
    sink = ListSink()
    done = campaign(tmp_path, sink, World(speed=SPEED))
    assert done.banked == ("c01-continuous-batching",)
    assert [entry.body["because"] for entry in ledger_of(done.run_dir).of_kind("route")] == ["there is no profile"] * 2
    assert any("no profile: nothing on this bench can profile" in line for line in sink.said)


def test_an_overlay_that_was_edited_after_its_proposal_stops_the_campaign(tmp_path: Path) -> None:
    """Resume does not install what nobody proposed."""

    def edit(_number: int, launch: str) -> None:
        if launch.startswith("config/c02-packed_swiglu/"):
            code = tmp_path / "sim/config/c02-packed_swiglu/overlay/overlay.py"
            code.write_text(code.read_text() + "# later\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        campaign(tmp_path, world=World(profile=MODULES, speed=SPEED, on_launch=edit))
    with pytest.raises(EvidenceError, match="altered after it was proposed"):
        resume(tmp_path / "sim", services(World(profile=MODULES, speed=SPEED)))


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"overlays": ("gone",)}, "holds no overlay 'gone'"), ({"overlays": ("lean_rope", "lean_rope")}, "named twice")],
)
def test_overlays_that_are_not_there_are_refused_before_anything_starts(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    """With the names that the catalogue has."""
    with pytest.raises(ConfigError, match=says):
        campaign(tmp_path, **changes)
    assert not list(tmp_path.iterdir())


def test_two_overlays_of_one_target_are_not_both_put_in_force(tmp_path: Path) -> None:
    """The one that was banked holds the place; what would rebind it again is not on offer."""
    speed = {**SPEED, "overlay:native_rms_norm": 1.2}
    done = campaign(
        tmp_path, world=World(profile=MODULES, speed=speed), overlays=("fused_rms_norm", "native_rms_norm"), max_overlays=2
    )
    assert done.banked == ("c01-continuous-batching", "c02-fused_rms_norm") and not done.dropped
    last = ledger_of(done.run_dir).of_kind("route")[-1].body
    assert not last["routed"] and "holds no overlay" in {item["op"]: item["reason"] for item in last["left"]}["Qwen2RMSNorm"]


def broken_catalogue(place: Path) -> Path:
    """The shipped catalogue with a kernel that no compiler takes."""
    assert TransformersServe.overlays is not None
    shutil.copytree(TransformersServe.overlays, place, ignore=shutil.ignore_patterns("__pycache__"))
    (place / "native_rms_norm" / "kernel.cpp").write_text("int main( {\n")
    return place


@pytest.mark.skipif(compiler() is None, reason="no C++ compiler with ninja here")
def test_an_overlay_that_does_not_compile_is_dropped_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is measured of it, and the campaign goes on to the next."""
    monkeypatch.setattr(TransformersServe, "overlays", broken_catalogue(tmp_path / "catalogue"))
    sink = ListSink()
    world = World(profile=MODULES, speed={**SPEED, "overlay:native_rms_norm": 1.2})
    names = ("native_rms_norm", "fused_rms_norm")
    done = campaign(tmp_path / "runs", sink, world, overlays=names, max_overlays=2)
    assert done.banked == ("c01-continuous-batching", "c03-fused_rms_norm") and done.dropped == ("c02-native_rms_norm",)
    dropped = ledger_of(done.run_dir).get("drop/c02-native_rms_norm")
    assert dropped is not None and "kernel.cpp does not compile" in dropped.body["reason"] and not dropped.body["refuted"]
    assert not (done.run_dir / "config/c02-native_rms_norm/cand").exists()
    assert any("does not compile" in line for line in sink.said)


def test_a_folder_without_a_word_in_the_ledger_is_made_afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that was killed between folder and ledger leaves a folder that nobody vouches for."""
    appended = Ledger.append

    def killed(self: Ledger, kind: Any, key: str, body: dict[str, Any]) -> Any:
        if key == "proposal/c02-packed_swiglu":
            raise KeyboardInterrupt
        return appended(self, kind, key, body)

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            campaign(tmp_path, max_overlays=1)
    code = tmp_path / "sim/config/c02-packed_swiglu/overlay/overlay.py"
    shipped = code.read_text()
    code.write_text("raise SystemExit\n")
    (code.parent / "more.py").write_text("pass\n")
    done = resume(tmp_path / "sim", services(World(profile=MODULES, speed=SPEED)))
    assert "c02-packed_swiglu" in done.banked and code.read_text() == shipped and not (code.parent / "more.py").exists()


def test_profiles_routes_and_benchmarks_are_told_in_words(tmp_path: Path) -> None:
    """In the report's timeline and in ``campaign tail``."""
    done = campaign(tmp_path, max_overlays=1)
    report = json.loads((done.run_dir / "report.json").read_bytes())
    words = [item["words"] for item in report["timeline"] if item["kind"] in ("profile", "route", "isolated")]
    assert words[:2] == ["profile/round_1 profiled", "routed after profile/round_1: Qwen2MLP (50.0 %), Qwen2RMSNorm (30.0 %)"]
    assert "c02-packed_swiglu by itself: 1.99x" in words
    said = [told(event) or "" for event in Tail(done.run_dir).read() if event.kind in ("profile", "route", "isolated")]
    assert said[:2] == ["profile/round_1: profiled", "route after profile/round_1: Qwen2MLP 50.0 %, Qwen2RMSNorm 30.0 %"]
    assert "c02-packed_swiglu: by itself 1.99x" in said
