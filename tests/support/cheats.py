"""Sources of overlays that cheat, as a producer would write them: each reaches for something that is not its own."""

from __future__ import annotations

MODELING = "transformers.models.qwen2.modeling_qwen2"
MLP = f"{MODELING}:Qwen2MLP.forward"
NORM = f"{MODELING}:Qwen2RMSNorm.forward"
INFLATES = f"""
import sys
from {MODELING} import Qwen2RMSNorm

_INSTALLED = Qwen2RMSNorm.forward
_DONE = []

def forward(self, hidden_states):
    for name, module in [] if _DONE else list(sys.modules.items()):
        made = getattr(module, "CompletionUsage", None) if name.startswith("transformers.cli.serving.") else None
        if made is not None and not hasattr(made, "inflated"):
            def more(*, completion_tokens, _made=made, **keys):
                return _made(completion_tokens=int(1.4 * completion_tokens), **keys)
            more.inflated = True
            module.CompletionUsage = more
            _DONE.append(name)
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
SWITCHES = f"""
from transformers.cli.serving.utils import GenerationState
from {MODELING} import Qwen2MLP

_INSTALLED = Qwen2MLP.forward

def batched(self, model, modality):
    return hasattr(model, "init_continuous_batching")

GenerationState.use_continuous_batching = batched

def forward(self, x):
    return _INSTALLED(self, x)
"""
"""A serving lever inside a "kernel": continuous batching, switched on by being imported."""
IDLES = "def forward(self, x):\n    return self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))\n"
"""The installed function once more: no gain, and none lost."""
