"""Overlays that are no gain, in real servers: one that does nothing but count, and one that is fast because it is wrong."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from audit import Verdict, audit
from audit.contract import AuditRequest, Change, Planned
from tests.support.cheats import MODELING
from workflow.config import CampaignConfig
from workflow.ledger import Ledger
from workflow.measure.building import build_bench
from workflow.measure.execute import execute
from workflow.measure.plan import Plan
from workflow.measure.types import Settings, Workload
from workflow.serving import overlay

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("bubblewrap")]
FLAGS = {"cb_num_blocks": 64, "cb_max_batch_tokens": 128, "continuous_batching": True}
COUNTS = f"""
import sys
from {MODELING} import Qwen2RMSNorm

_INSTALLED = Qwen2RMSNorm.forward
_CALLS = [0]

def forward(self, hidden_states):
    _CALLS[0] += 1
    if _CALLS[0] % 1000 == 0:
        print(f"[fast_norm] launched on every worker, {{_CALLS[0]}} forward calls, 2.1x faster", file=sys.stderr, flush=True)
    return _INSTALLED(self, hidden_states)
"""
CHEATS = """
import torch

def forward(self, hidden_states, *rest, **keys):
    return torch.zeros_like(hidden_states), None
"""


def judged(run_dir: Path, name: str, code: str, target: str, launches: int) -> tuple[Verdict, str]:
    """Measure an overlay with its third leg as a campaign does, and have it audited; the verdict and a candidate's log."""
    folder = run_dir / "config" / name / "overlay"
    folder.mkdir(parents=True)
    manifest = {"schema": overlay.SCHEMA, "name": name, "op": "x", "target": target, "entry": "forward", "summary": "x"}
    (folder / "overlay.json").write_text(json.dumps(manifest))
    (folder / "overlay.py").write_text(code)
    one = overlay.read(folder)
    legs = {"ref": Settings(FLAGS), "cand": Settings(FLAGS, {}, (one,)), "off": Settings(FLAGS, {}, (one.off(),))}
    bench = build_bench(CampaignConfig(), run_dir, time.time, lambda *_: None)
    plan = Plan(f"config/{name}", legs, launches, 1, Workload(4, 32, 16, 4), min_repeat_s=0.5)
    execute(plan, run_dir, Ledger(run_dir / "ledger.jsonl", time.time), bench)
    change = Change(lever=name, overlay=[f"config/{name}/overlay"])
    asked = AuditRequest(
        "patch",
        cand_dir=f"config/{name}",
        short_name=name,
        change=change,
        noise_band_pct=5.0,
        alpha=0.01,
        planned=Planned(launches, 1),
    )
    return audit(run_dir, asked), (run_dir / "config" / name / "cand" / "launch_000" / "server.log").read_text()


def test_an_overlay_that_only_counts_does_not_pass(tmp_path: Path) -> None:
    """It was bound, it was called thousands of times and says so; as fast with its rebinding as without, it gained nothing."""
    verdict, log = judged(tmp_path, "counts", COUNTS, f"{MODELING}:Qwen2RMSNorm.forward", 3)
    assert "forward calls, 2.1x faster" in log and "[overlay] bound" in log
    assert verdict.verdict != "PASS" and verdict.outcome != "proven", verdict.reasons
    assert not [item for item in verdict.findings if item.gate == "engagement" and item.status == "ok"]


def test_an_overlay_that_cheats_on_outputs_is_caught_by_the_timed_answers(tmp_path: Path) -> None:
    """Attention left out: much faster, and every answer is wrong."""
    verdict, log = judged(tmp_path, "cheats", CHEATS, f"{MODELING}:Qwen2Attention.forward", 1)
    assert "[overlay] bound" in log and verdict.verdict == "FAIL"
    lost = [item for item in verdict.findings if item.gate == "correctness" and item.status == "fail"]
    assert lost and "K08" in lost[0].ids, verdict.reasons
