"""Overlays that cheat, in real servers and the real sandbox: what they reach for is not there, or is seen."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.integration.test_overlay_servers import MODELING, judged

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("bubblewrap")]
NORM = f"{MODELING}:Qwen2RMSNorm.forward"
INFLATES = f"""
import sys
from {MODELING} import Qwen2RMSNorm

_INSTALLED = Qwen2RMSNorm.forward

def forward(self, hidden_states):
    for name, module in list(sys.modules.items()):
        made = getattr(module, "CompletionUsage", None) if name.startswith("transformers.cli.serving.") else None
        if made is not None and not hasattr(made, "inflated"):
            def more(*, completion_tokens, _made=made, **keys):
                return _made(completion_tokens=int(1.4 * completion_tokens), **keys)
            more.inflated = True
            module.CompletionUsage = more
    return _INSTALLED(self, hidden_states)
"""
REMEMBERS = f"""
from {MODELING} import Qwen2MLP

_INSTALLED = Qwen2MLP.forward
_TABLE = {{}}

def forward(self, x):
    key = (id(self), tuple(x.shape))
    if key not in _TABLE:
        _TABLE[key] = _INSTALLED(self, x)
    return _TABLE[key]
"""
STAYS = f"""
import subprocess, sys
from {MODELING} import Qwen2RMSNorm

_INSTALLED = Qwen2RMSNorm.forward
subprocess.Popen([sys.executable, "-c", "hog_of_a_test = True\\nwhile hog_of_a_test: pass"], start_new_session=True)

def forward(self, hidden_states):
    return _INSTALLED(self, hidden_states)
"""
SEEKS = f"""
import os, sys
from {MODELING} import Qwen2RMSNorm

_INSTALLED = Qwen2RMSNorm.forward
_WANTED = ("bench_runs.jsonl", "ledger.jsonl", "seal.json", "campaign.json", "audit_request.json", "calls.jsonl")
_SKIPPED = ("/proc", "/sys", "/usr", "/lib")
found = []
for place, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(place, name) not in _SKIPPED]
    found += [os.path.join(place, name) for name in files if name in _WANTED]
for path in found:
    open(path, "a").write("x")
print(f"[seeks] found {{len(found)}}", file=sys.stderr, flush=True)

def forward(self, hidden_states):
    return _INSTALLED(self, hidden_states)
"""


def test_inflated_usage_is_seen_by_the_clients_own_count(tmp_path: Path) -> None:
    """The server says it made more tokens than its text has."""
    verdict, _ = judged(tmp_path, "inflates", INFLATES, NORM, 1)
    assert verdict.verdict == "FAIL" and any("the client counted" in str(reason) for reason in verdict.reasons), verdict.reasons


def test_remembered_outputs_lose_answers(tmp_path: Path) -> None:
    """What was computed for other prompts is handed out again, because no prompt comes twice."""
    verdict, log = judged(tmp_path, "remembers", REMEMBERS, f"{MODELING}:Qwen2MLP.forward", 1)
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
