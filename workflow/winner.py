"""The winner as a folder that somebody can start: the command, and the overlays in force with what rebinds them."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from workflow.canonical import write_atomic
from workflow.serving.overlay import BOOT, VARIABLE, Overlay

FOLDER, START = "winner", "start.sh"
OWN = ("PYTHONPATH", VARIABLE)


def start_script(argv: Sequence[str], env: Mapping[str, str], overlays: Sequence[Overlay]) -> str:
    """A POSIX shell script that starts the server from the folder it lies in; arguments are appended."""
    kept = {key: value for key, value in env.items() if key not in OWN}
    words = [f"{key}={shlex.quote(value)}" for key, value in sorted(kept.items())]
    if overlays:
        told = [
            {"name": item.name, "folder": f"../overlays/{item.name}", "target": item.target, "entry": item.entry, "rebind": True}
            for item in overlays
        ]
        words += ['PYTHONPATH="$here/boot"', f"{VARIABLE}={shlex.quote(json.dumps(told, sort_keys=True))}"]
    return f'#!/bin/sh\nhere=$(cd "$(dirname "$0")" && pwd)\nexec env {" ".join(words)} \\\n  {shlex.join(argv)} "$@"\n'


def write(run_dir: Path, argv: Sequence[str], env: Mapping[str, str], overlays: Sequence[Overlay]) -> Path:
    """Write ``winner/`` anew: start.sh, and with overlays their folders and the boot that rebinds them; the folder."""
    place, part = run_dir / FOLDER, run_dir / f".{FOLDER}.partial"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    for item in overlays:
        shutil.copytree(item.folder, part / "overlays" / item.name)
    if overlays:
        shutil.copytree(BOOT, part / "boot", ignore=shutil.ignore_patterns("__pycache__"))
    write_atomic(part / START, start_script(argv, env, overlays).encode())
    (part / START).chmod(0o755)
    shutil.rmtree(place, ignore_errors=True)
    part.rename(place)
    return place
