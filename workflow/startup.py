"""Checks before any real work: our packages are ours, from one place, and what a command needs is installed."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from workflow.errors import InstallError

OURS = ("workflow", "agents", "audit", "proof")
DISTRIBUTION = "countersign"
OWN_VENV = (
    "Install Countersign in an environment of its own: python3 -m venv .venv && .venv/bin/pip install 'countersign[all]' "
    "(or pipx, or uv tool)."
)
_NEEDS = {
    "campaign": (
        *("aiohttp", "jinja2", "langgraph", "langgraph.checkpoint.sqlite", "matplotlib", "psutil"),
        *("proof", "pydantic", "rich", "structlog", "tokenizers", "yaml"),
    ),
    "engine": ("torch", "transformers"),
    "models": ("jinja2", "litellm", "pydantic", "yaml"),
    "audit": ("duckdb", "msgspec", "scipy", "numpy"),
    "proof": ("jinja2", "matplotlib", "yaml"),
}


def check_packages(*, audit: bool = False) -> None:
    """Raise InstallError unless our packages come from one directory and no other distribution claims their names.

    ``workflow`` and ``agents`` are common names (openai-agents installs ``agents``); a mixture of two projects would fail
    late and strangely. ``audit`` must be there only when asked for, ``proof`` for campaigns and its own command.
    """
    home = Path(__file__).resolve().parent.parent
    for name in OURS:
        place = _place(name)
        if place is None and (name in ("workflow", "agents") or (name == "audit" and audit)):
            raise InstallError(f"package {name!r} is not installed beside {home / 'workflow'}", OWN_VENV)
        if place is not None and place.parent != home:
            raise InstallError(f"package {name!r} comes from {place}, but Countersign is in {home}", OWN_VENV)
    for info, name in _foreign():
        raise InstallError(f"another distribution ({info.name}) installs a package {name!r}: {info.parent / name}", OWN_VENV)


def _place(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    if spec is None:
        return None
    if spec.origin is not None:
        return Path(spec.origin).resolve().parent
    found = [Path(item).resolve() for item in spec.submodule_search_locations or ()]
    return found[0] if found else None


def _foreign() -> Iterator[tuple[Path, str]]:
    """Metadata directories on the path, other than ours, whose files include one of our top-level packages."""
    marks = {name: f"\n{name}".encode() for name in OURS}
    for entry in dict.fromkeys(sys.path):
        folder = Path(entry or ".")
        for name in sorted(_listed(folder)):
            if not name.endswith(".dist-info") or name.partition("-")[0].lower() == DISTRIBUTION:
                continue
            try:
                text = b"\n" + (folder / name / "RECORD").read_bytes()
            except OSError:
                continue
            for ours, mark in marks.items():
                if mark in text and (mark + b"/" in text or mark + b".py," in text):
                    yield folder / name, ours


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names alone: a path of each costs more than the look at it
    except OSError:
        return []


def require(extra: str) -> None:
    """Raise InstallError naming the first package of an extra that is missing, and how to install it.

    ``audit`` stands for what the plain distribution needs.
    """
    for name in lacking(extra):
        wanted = "countersign" if extra == "audit" else f"countersign[{extra}]"
        raise InstallError(f"{name!r} is not installed", f"Run `make campaign`, or: pip install '{wanted}'")


def lacking(extra: str) -> list[str]:
    """Packages of an extra that are not installed; see ``require``."""
    return [name for name in _NEEDS[extra] if not _present(name)]


def _present(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
