"""Adapter of ``transformers serve`` (Hugging Face transformers 5.x), the embedded engine.

It has no metrics page and does not report its configuration. What is in force is read from the live process's command
line, from the library's own defaults, and from the one line the server logs per request, which says whether the request
went through continuous batching.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow.errors import InstallError
from workflow.serving.base import Effective, Engine, Lever, Scalar, ServerView, Source

_DEFAULTS: dict[str, Scalar] = {
    "continuous_batching": False,
    "compile": False,
    "attn_implementation": "sdpa",
    "dtype": "float32",
    "device": "cpu",
    "quantization": None,
    "cb_block_size": None,
    "cb_num_blocks": None,
    "cb_max_batch_tokens": None,
}
_BATCHED = re.compile(r"\[Request received\] Model: .*, CB: (True|False)")
_FATAL = (
    (re.compile(r"\bMemoryError\b|out of memory|Cannot allocate memory", re.I), "oom"),
    (re.compile(r"CB worker is dead|fatal_error"), "crash"),
    (re.compile(r"address already in use", re.I), "port_taken"),
)


class TransformersServe(Engine):
    """The embedded engine: a real OpenAI-compatible server on one CPU thread."""

    name = "transformers"
    levers = (
        Lever(
            "continuous-batching",
            {"continuous_batching": True},
            "Serves requests together in one paged batch instead of one after the other; each token waits for the batch.",
            aims="batching",
        ),
        Lever(
            "small-batches",
            {"cb_max_batch_tokens": 8},
            "At most 8 tokens in a batch: a token waits less for its neighbours, a prompt is read in slices.",
            aims="batching",
        ),
        Lever(
            "dtype-bfloat16",
            {"dtype": "bfloat16"},
            "Halves the bytes of every weight; answers may change in the last bits.",
            aims="weights",
        ),
        Lever("attn-eager", {"attn_implementation": "eager"}, "Plain attention in place of the fused kernel.", aims="attention"),
        Lever("compile", {"compile": True}, "torch.compile of the decode step; pays at the start of each server."),
    )
    env_allowed: frozenset[str] = frozenset({"TOKENIZERS_PARALLELISM", "TORCH_CPP_LOG_LEVEL"})
    flag_values: Mapping[str, tuple[type, ...]] = {
        "continuous_batching": (bool,),
        "compile": (bool,),
        "attn_implementation": (str,),
        "dtype": (str,),
        "cb_block_size": (int,),
        "cb_num_blocks": (int,),
        "cb_max_batch_tokens": (int,),
    }
    health_path = "/health"
    functions = ("transformers.models.qwen2.modeling_qwen2:apply_rotary_pos_emb",)
    overlay_roots = ("transformers.models.qwen2.",)
    overlays = Path(__file__).resolve().parent / "overlays"
    chat_path = "/v1/chat/completions"

    def version(self) -> str:
        """Version of the installed transformers; InstallError names the extra when it or its server part is missing."""
        try:
            found = importlib.metadata.version("transformers")
            for needed in ("fastapi", "uvicorn", "torch"):
                importlib.metadata.version(needed)
        except importlib.metadata.PackageNotFoundError as error:
            raise InstallError(
                f"the embedded engine needs {error.name!r}, which is not installed",
                "Run `make campaign`, or `pip install -c constraints.txt 'countersign[engine]'`.",
            ) from error
        return found

    def argv(self, flags: Mapping[str, Scalar], model: Path, port: int) -> list[str]:
        """``python -m transformers.cli.transformers serve ...`` with the settings spelled out."""
        merged = {"dtype": "float32", **flags}
        argv = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model)]
        argv += ["--device", "cpu", "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
        for key, value in sorted(merged.items()):
            name = f"--{key.replace('_', '-')}"
            if value is True:
                argv.append(name)
            elif value is not False and value is not None:
                argv += [name, str(value)]
        return argv

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Offline, one thread, no byte-code writes; plus the campaign's allowed keys."""
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_CACHE": "/tmp/hub",  # noqa: S108 - inside the sandbox's own tmpfs
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "TOKENIZERS_PARALLELISM": "false",
            **env,
        }

    def request_body(self, model: Path, prompt: str, output_len: int) -> dict[str, Any]:
        """Greedy, streamed, forced to ``output_len`` tokens through the body field ``generation_config``."""
        forced = {"do_sample": False, "min_new_tokens": output_len, "max_new_tokens": output_len, "eos_token_id": None}
        messages = [{"role": "user", "content": prompt}]
        return {"model": str(model), "messages": messages, "stream": True, "generation_config": json.dumps(forced)}

    def effective(self, view: ServerView) -> Effective:
        """Switches and values of the live command line over the library's defaults; batching from the request log."""
        values: dict[str, Scalar] = dict(_DEFAULTS)
        sources: dict[str, Source] = dict.fromkeys(values, "default")
        args = list(view.cmdline)
        for key in (*_DEFAULTS,):
            name = f"--{key.replace('_', '-')}"
            if name in args:
                values[key] = _typed(args, args.index(name), isinstance(_DEFAULTS[key], bool))
                sources[key] = "cmdline"
        served = args[args.index("serve") + 1] if "serve" in args[:-1] else None
        values["model"], sources["model"] = served, "cmdline"
        seen = set(_BATCHED.findall(view.log))
        if seen:
            values["continuous_batching"] = "mixed" if len(seen) > 1 else seen == {"True"}
            sources["continuous_batching"] = "log"
        return Effective(values, sources)

    def dispatch(self, flags: Mapping[str, Scalar]) -> str | None:
        """See ``Engine.dispatch``: on the CPU everything is eager but what ``compile`` compiles."""
        return "compiled" if flags.get("compile") else "eager"

    def fatal(self, line: str) -> str | None:
        """See ``Engine.fatal``."""
        return next((word for pattern, word in _FATAL if pattern.search(line)), None)


def _typed(args: list[str], at: int, switch: bool) -> Scalar:
    if switch:
        return True
    text = args[at + 1] if at + 1 < len(args) else ""
    return int(text) if text.lstrip("-").isdigit() else text
