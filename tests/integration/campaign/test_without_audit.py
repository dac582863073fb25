"""Off means off: a build without the package ``audit`` runs the same campaign to the same bytes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.campaigns import tree

ROOT = Path(__file__).resolve().parents[3]
CODE = """
import sys
from pathlib import Path
from tests.support.campaigns import services, small_config
from workflow.campaign import run
run(small_config(), services(), Path(sys.argv[1]))
"""


def campaign(install: Path, out: Path) -> dict[str, bytes]:
    """Run the small campaign from a copy of the packages; the files it left."""
    subprocess.run([sys.executable, "-B", "-c", CODE, str(out)], cwd=install, check=True, timeout=120)
    return tree(out / "sim")


def test_the_output_tree_is_the_same_without_the_package(tmp_path: Path) -> None:
    """Same place, same command, before and after ``audit/`` is deleted: byte for byte the same files."""
    install = tmp_path / "install"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("workflow", "agents", "audit", "proof/report", "tests/support"):
        shutil.copytree(ROOT / name, install / name, ignore=ignore)
    for name in ("tests", "proof"):
        (install / name / "__init__.py").touch()
    with_package = campaign(install, tmp_path / "with")
    shutil.rmtree(install / "audit")
    without_package = campaign(install, tmp_path / "without")
    assert sorted(with_package) == sorted(without_package)
    differing = [name for name, data in with_package.items() if without_package[name] != data]
    assert not differing
    assert {"ledger.jsonl", "report.md", "report.html"} <= set(with_package)
