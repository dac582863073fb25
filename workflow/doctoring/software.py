"""Checks of Python, packages, engines, accelerators and keys."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from workflow.doctoring.check import Check
from workflow.errors import InstallError
from workflow.startup import check_packages, lacking

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ("audit", "campaign", "engine")
"""Extras that the embedded campaign needs; ``audit`` is the plain distribution."""
PROBE_TIMEOUT_S = 180.0
PROBE = """
import json
found = {}
for name in ("torch", "transformers"):
    try:
        found[name] = __import__(name).__version__
    except Exception as error:
        found["error"] = f"{name}: {type(error).__name__}: {error}"
        break
if "torch" in found:
    import torch
    found["devices"] = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
print(json.dumps(found))
"""
KEYS = (
    "ANTHROPIC_API_KEY",
    "AZURE_API_KEY",
    "DEEPSEEK_API_KEY",
    "GEMINI_API_KEY",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
    "OPENAI_API_KEY",
    "OPENROUTER_API_KEY",
    "TOGETHER_API_KEY",
    "XAI_API_KEY",
)


def python() -> Check:
    """The interpreter that runs this."""
    what = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    if sys.version_info < (3, 11):  # noqa: UP036 - a copied tree can be run with any Python
        return Check("python", "missing", what, "Use Python 3.11 or newer.")
    return Check("python", "ok", what)


def packages() -> Check:
    """Our own packages: from one place, and nobody else's."""
    try:
        check_packages(audit=True)
    except InstallError as error:
        return Check("packages", "missing", str(error), error.next_step)
    return Check("packages", "ok", f"all of Countersign's come from {ROOT.parent}")


def dependencies(extra: str) -> Check:
    """What an extra needs is installed; the names of what is not."""
    missing = lacking(extra)
    name = f"extra {extra}" if extra != "audit" else "plain install"
    if not missing:
        return Check(name, "ok", "everything is installed")
    wanted = "countersign" if extra == "audit" else f"countersign[{extra}]"
    words = f"not installed: {', '.join(missing)}"
    return Check(name, "missing" if extra in NEEDED else "warn", words, f"`make setup`, or: pip install '{wanted}'")


def pins() -> dict[str, str]:
    """Versions this release was built and measured with, by ``normal`` name; empty where the file is not."""
    try:
        lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("#")[0].strip().partition("==") for line in lines)
    return {normal(name): version for name, sign, version in pairs if sign}


def installed() -> dict[str, str]:
    """Version of every installed distribution, by ``normal`` name."""
    found = ((item.metadata["Name"], item.version) for item in importlib.metadata.distributions())
    return {normal(str(name)): version for name, version in found if name and version}


def normal(name: str) -> str:
    """A distribution's name as package indexes compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def versions(wanted: Mapping[str, str], here: Mapping[str, str]) -> Check:
    """Installed versions against those this release was measured with; what is not installed is not compared."""
    if not wanted:
        return Check("versions", "warn", "constraints.txt is not there, nothing was compared", "Install Countersign anew.")
    other = [
        f"{name} {here[name]} (measured with {want})"
        for name, want in sorted(wanted.items())
        if name in here and here[name].partition("+")[0] != want
    ]
    if other:
        return Check("versions", "warn", "; ".join(other), "pip install -c constraints.txt 'countersign[all]'")
    return Check("versions", "ok", f"{sum(name in here for name in wanted)} packages are as this release was measured with")


class Probe(NamedTuple):
    """What a process of its own found when it imported the engine; ``error`` in words, empty when all went well."""

    torch: str = ""
    transformers: str = ""
    devices: tuple[str, ...] = ()
    error: str = ""


def probe(code: str = PROBE, timeout_s: float = PROBE_TIMEOUT_S) -> Probe:
    """Import torch and transformers where a crash of theirs hurts nobody."""
    try:
        run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return Probe(error=f"importing torch and transformers took more than {timeout_s:.0f} s")
    except OSError as error:
        return Probe(error=f"{sys.executable} did not start: {error.strerror}")
    try:
        found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        last = run.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return Probe(error=f"importing torch and transformers ended with exit code {run.returncode} {' '.join(last)}".strip())
    devices = tuple(str(name) for name in found.get("devices", ()))
    return Probe(found.get("torch", ""), found.get("transformers", ""), devices, found.get("error", ""))


def embedded_engine(found: Probe) -> Check:
    """``transformers serve``: it imports, and its server part is there."""
    from workflow.serving import get_engine

    name = "engine transformers"
    if found.error:
        return Check(name, "missing", found.error, "`make setup`, or: pip install -c constraints.txt 'countersign[engine]'")
    try:
        get_engine("transformers").version()
    except InstallError as error:
        return Check(name, "missing", str(error), error.next_step)
    return Check(name, "ok", f"transformers {found.transformers} on torch {found.torch}: the embedded engine")


def shipped_model(directory: Path = ROOT / "serving" / "tiny" / "model") -> Check:
    """The weights of the tiny model are there, and no pointer to them."""
    weights = directory / "model.safetensors"
    try:
        count = weights.stat().st_size
    except OSError:
        count = 0
    if count < 1_000_000:
        return Check("shipped model", "missing", f"no weights at {weights}", "Install Countersign anew, or clone it whole.")
    return Check("shipped model", "ok", f"{count / 1e6:.1f} MB of weights")


def other_engine(name: str) -> Check:
    """An engine whose results can be audited; no campaign needs it."""
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Check(f"engine {name}", "ok", "not installed, not needed; its results can be audited all the same")
    return Check(f"engine {name}", "ok", f"{name} {version}")


def accelerator(found: Probe, tools: Sequence[str]) -> Check:
    """GPUs that torch sees; a driver's tool without one is worth a word."""
    if found.devices:
        return Check("accelerator", "ok", f"{', '.join(found.devices)}; the embedded campaign runs on the CPU all the same")
    if tools:
        words = f"{', '.join(tools)} is installed, and torch sees no device"
        return Check(
            "accelerator", "warn", words, "Nothing, for the embedded campaign. Else install torch's build for the device."
        )
    return Check("accelerator", "ok", "none, none needed")


def keys(environment: Mapping[str, str]) -> Check:
    """Which of the usual keys for language models are set; their values are never looked at beyond that."""
    there = [name for name in KEYS if environment.get(name)]
    words = f"set: {', '.join(there)}" if there else "none set"
    return Check(
        "model keys",
        "ok",
        f"{words}; not needed: what ships proposes and judges without a language model; --model NAME tries one",
    )
