"""Links that lead out of a run are refused, however a path was looked at before."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from audit.intake import files


def test_a_path_is_inside_when_all_its_links_stay_inside(tmp_path: Path) -> None:
    """Files, folders, links to both, links through links, names that do not exist."""
    run, out = tmp_path / "run", tmp_path / "out"
    (run / "a" / "b").mkdir(parents=True)
    out.mkdir()
    (run / "a" / "file").write_text("x")
    (out / "file").write_text("x")
    links = {"in": "a/b", "up": "..", "away": str(out), "file_away": str(out / "file"), "file_in": "a/file", "loop": "loop"}
    for name, target in links.items():
        (run / name).symlink_to(target)
    (tmp_path / "same").symlink_to(run)
    names = (
        "a",
        "a/file",
        "a/nothing",
        "in",
        "in/file",
        "file_in",
        "up",
        "up/out/file",
        "away",
        "away/file",
        "file_away",
        "gone/x",
        ".",
        "a/../..",
    )
    for base in (run, tmp_path / "same"):
        for name in names:
            real = os.path.realpath(base / name)
            wanted = real == str(run) or real.startswith(f"{run}/")
            assert files.leads_inside(base, base / name) == wanted, name
    assert not files.leads_inside(run, run / "a\0b")


@pytest.mark.parametrize("back", [False, True])
def test_a_folder_that_becomes_a_link_is_looked_at_again(tmp_path: Path, back: bool) -> None:
    """What was worked out for a folder does not outlive it."""
    run, out = tmp_path / "run", tmp_path / "out"
    (run / "leg").mkdir(parents=True)
    out.mkdir()
    assert files.leads_inside(run, run / "leg" / "file")
    shutil.rmtree(run / "leg")
    (run / "leg").symlink_to(out)
    assert not files.leads_inside(run, run / "leg" / "file")
    if back:
        (run / "leg").unlink()
        (run / "leg").mkdir()
        assert files.leads_inside(run, run / "leg" / "file")
