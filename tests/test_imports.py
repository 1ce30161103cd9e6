"""The direction of imports, as pyproject.toml lays it down, and a proof that breaking it is noticed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def checkout(root, tmp_path) -> Path:
    """A copy of the package and its contract."""
    shutil.copy(root / "pyproject.toml", tmp_path)
    shutil.copytree(root / "hstmae", tmp_path / "hstmae", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return tmp_path


def test_imports_go_one_way(root):
    done = lint(root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "line", "chain"),
    [
        ("games/spec.py", "from ..data import episode", "hstmae.games is not allowed to import hstmae.data"),
        ("models/cubes.py", "from ..training import losses", "hstmae.models is not allowed to import hstmae.training"),
        ("errors.py", "def late():\n    from . import config", "hstmae.errors is not allowed to import hstmae.config"),
        ("models/cubes.py", "from ..cli import main", "hstmae.models is not allowed to import hstmae.cli"),
    ],
)
def test_a_forbidden_import_is_caught(checkout, module, line, chain):
    path = checkout / "hstmae" / module
    path.write_text(path.read_text(encoding="utf-8") + f"\n\n{line}\n", encoding="utf-8")
    done = lint(checkout)
    assert done.returncode == 1, done.stdout + done.stderr
    assert chain in done.stdout


def test_a_module_outside_all_layers_is_caught(checkout):
    (checkout / "hstmae" / "utils.py").write_text('"""Odds and ends."""\n', encoding="utf-8")
    done = lint(checkout)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "utils" in done.stdout
