"""The import contracts hold, and a planted violation breaks them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PLANTS = [
    (
        "agents/roles/baseline.py",
        "def spy() -> object:\n    from audit import audit_path\n    return audit_path\n",
        "producers know nothing of ours",
    ),
    (
        "audit/engine.py",
        "def peek() -> object:\n    import workflow.ledger\n    return workflow.ledger\n",
        "the auditor stands alone",
    ),
    ("audit/stats.py", "import pydantic\n", "the auditor stands alone"),
    ("workflow/nodes.py", "def peek() -> object:\n    import audit\n    return audit\n", "only the audit nodes"),
    ("workflow/measure/execute.py", "import workflow.nodes\n", "the stopwatch and its servers know no campaign"),
]


def lint(where: Path) -> subprocess.CompletedProcess[str]:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(where)!r}); {code}", "--no-cache"],
        cwd=where,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(where)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("workflow", "agents", "audit"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "model"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_contracts_hold(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("file", "code", "contract"), PLANTS, ids=[f"{plant[0]}: {plant[2]}" for plant in PLANTS])
def test_a_planted_violation_breaks_its_contract(copy: Path, file: str, code: str, contract: str) -> None:
    with (copy / file).open("a") as handle:
        handle.write(f"\n\n{code}")
    done = lint(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    broken = [line for line in done.stdout.splitlines() if "BROKEN" in line]
    assert any(contract in line for line in broken), done.stdout
