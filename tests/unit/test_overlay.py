"""Overlays: descriptions that are refused, what is put into a server, and the rebinding itself in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workflow.errors import ConfigError
from workflow.serving import get_engine, overlay

MANIFEST = {
    "schema": "countersign.overlay/1",
    "name": "twice",
    "op": "apply",
    "target": "target_module:Thing.apply",
    "entry": "apply",
    "summary": "Twice as much.",
}
CODE = """
import target_module

from .helper import FACTOR

target_module.TOUCHED = True


def apply(self, x):
    return FACTOR * (x + self.more)
"""


def made(folder: Path, code: str = CODE, **changes: object) -> Path:
    """An overlay's folder."""
    folder.mkdir()
    (folder / "overlay.json").write_text(json.dumps({**MANIFEST, **changes}))
    (folder / "overlay.py").write_text(code)
    (folder / "helper.py").write_text("FACTOR = 2\n")
    return folder


def served(place: Path, items: list[overlay.Overlay], code: str) -> subprocess.CompletedProcess[str]:
    """Python that has the overlays installed as a server has them, running this code beside target_module."""
    (place / "target_module.py").write_text(
        "TOUCHED = False\n\n\nclass Thing:\n    more = 1\n\n    def apply(self, x):\n        return x + self.more\n\n\n"
        "def use(x):\n    return Thing().apply(x)\n"
    )
    put = overlay.install(items, sandboxed=False)
    env = {"PATH": os.defpath, **put.env, "PYTHONPATH": f"{put.env.get('PYTHONPATH', '')}:{place}"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env, timeout=60)


USE = "import target_module; print(target_module.use(3), target_module.use(4), target_module.TOUCHED)"


def test_the_target_is_rebound_when_it_is_imported(tmp_path: Path) -> None:
    """The entry takes the place of the method; a line says so, and at the end how often it was called."""
    done = served(tmp_path, [overlay.read(made(tmp_path / "o"))], USE)
    assert done.stdout.split() == ["8", "10", "True"], done.stderr
    assert "[overlay] bound target_module:Thing.apply to twice:apply" in done.stderr
    assert "[overlay] twice was bound, calls=2" in done.stderr


def test_switched_off_it_is_imported_and_nothing_is_rebound(tmp_path: Path) -> None:
    """The third leg: the same files, the same imports, the original method, and no line that reads like a binding."""
    done = served(tmp_path, [overlay.read(made(tmp_path / "o")).off()], USE)
    assert done.stdout.split() == ["4", "5", "True"], done.stderr
    assert "twice: present, left switched off" in done.stderr and "bound" not in done.stderr


def test_without_overlays_nothing_is_installed(tmp_path: Path) -> None:
    """The reference server has no trace of the mechanism."""
    put = overlay.install([], sandboxed=True)
    assert (dict(put.env), dict(put.placed)) == ({}, {})
    assert served(tmp_path, [], USE).stdout.split() == ["4", "5", "False"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"target": "target_module:Thing.gone"}, "gone"),
        ({"entry": "gone"}, "gone"),
        ({"target": "target_module:gone.apply"}, "gone"),
    ],
)
def test_what_cannot_be_rebound_ends_the_server(tmp_path: Path, change: dict[str, str], says: str) -> None:
    """A server that would run without its overlay is no candidate."""
    done = served(tmp_path, [overlay.read(made(tmp_path / "o", **change))], USE)
    assert done.returncode != 0 and "AttributeError" in done.stderr and says in done.stderr


def test_code_that_fails_to_import_ends_the_server(tmp_path: Path) -> None:
    """An overlay's own error is seen in the server's log."""
    done = served(tmp_path, [overlay.read(made(tmp_path / "o", "raise RuntimeError('no device')\n"))], USE)
    assert done.returncode != 0 and "no device" in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot be read"),
        ("[]", "not an overlay's description"),
        (json.dumps({**MANIFEST, "more": "x"}), "not an overlay's description"),
        (json.dumps({**MANIFEST, "name": 7}), "not an overlay's description"),
        (json.dumps({**MANIFEST, "schema": "countersign.overlay/9"}), "schema"),
        (json.dumps({**MANIFEST, "name": "../x"}), "not a plain name"),
        (json.dumps({**MANIFEST, "target": "os"}), "target"),
        (json.dumps({**MANIFEST, "target": "os:system; rm"}), "target"),
        (json.dumps({**MANIFEST, "entry": "a.b"}), "entry"),
    ],
)
def test_descriptions_that_are_refused(tmp_path: Path, text: str, says: str) -> None:
    """The file is named, and what it needs."""
    folder = made(tmp_path / "o")
    (folder / "overlay.json").write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        overlay.read(folder)
    assert "overlay.json" in str(caught.value) and caught.value.next_step


def test_a_folder_is_what_it_was_when_it_was_read(tmp_path: Path) -> None:
    """A file that changes, comes or is a link is noticed before anything starts; so are two overlays with one target."""
    folder = made(tmp_path / "o")
    found = overlay.read(folder)
    with pytest.raises(ConfigError, match="two overlays"):
        overlay.install([found, found], sandboxed=True)
    (folder / "helper.py").write_text("FACTOR = 3\n")
    with pytest.raises(ConfigError, match="changed since"):
        overlay.install([found], sandboxed=True)
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(ConfigError, match="is a link"):
        overlay.read(folder)
    (folder / "link").unlink()
    (folder / "overlay.py").unlink()
    with pytest.raises(ConfigError, match=r"no overlay\.py"):
        overlay.read(folder)


def test_in_a_sandbox_nothing_of_our_paths_is_told(tmp_path: Path) -> None:
    """The server sees /overlay and no directory of the run."""
    put = overlay.install([overlay.read(made(tmp_path / "o"))], sandboxed=True)
    assert str(tmp_path) not in json.dumps(dict(put.env)) and set(put.placed) == {"/overlay/boot", "/overlay/0"}


def test_the_catalogue_is_whole() -> None:
    """Every overlay that ships can be read, bears its folder's name, and replaces an operation of the served model."""
    catalogue = get_engine("transformers").overlays
    assert catalogue is not None
    found = [overlay.read(folder) for folder in sorted(catalogue.iterdir()) if folder.name[0] not in "_."]
    assert [item.name for item in found] == [
        "fused_rms_norm",
        "lean_rope",
        "native_decoder_layer",
        "native_rms_norm",
        "packed_swiglu",
    ]
    assert all(item.folder.name == item.name and item.target.startswith("transformers.") for item in found)
