"""The direction of imports, as pyproject.toml lays it down, and a proof that breaking it is noticed."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True)


def copied(root: Path, folder: Path) -> Path:
    """A copy of the package's modules and its contract."""
    shutil.copy(root / "pyproject.toml", folder)
    for path in (root / "hstmae").rglob("*.py"):
        target = folder / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return folder


@pytest.fixture
def checkout(root, tmp_path) -> Path:
    return copied(root, tmp_path)


def test_imports_go_one_way(root):
    done = lint(root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 2 kept, 0 broken" in done.stdout


FORBIDDEN = [
    ("games/spec.py", "from ..data import episode", "hstmae.games is not allowed to import hstmae.data"),
    ("models/cubes.py", "from ..training import losses", "hstmae.models is not allowed to import hstmae.training"),
    ("errors.py", "def late():\n    from . import config", "hstmae.errors is not allowed to import hstmae.config"),
    ("models/cubes.py", "from ..cli import main", "hstmae.models is not allowed to import hstmae.cli"),
]


def test_forbidden_imports_are_caught(checkout):
    for module, line, _ in FORBIDDEN:
        path = checkout / "hstmae" / module
        path.write_text(path.read_text(encoding="utf-8") + f"\n\n{line}\n", encoding="utf-8")
    done = lint(checkout)
    assert done.returncode == 1, done.stdout + done.stderr
    assert [chain for *_, chain in FORBIDDEN if chain not in done.stdout] == []


def test_a_module_outside_all_layers_is_caught(checkout):
    (checkout / "hstmae" / "utils.py").write_text('"""Odds and ends."""\n', encoding="utf-8")
    done = lint(checkout)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "utils" in done.stdout


# Whatever the layers allow, no two modules may need each other, directly or around several corners.


def modules_of(folder: Path) -> dict[str, Path]:
    """The package's modules by dotted name; a folder with an __init__.py goes by its own name."""
    files = {p.relative_to(folder.parent).with_suffix(""): p for p in folder.rglob("*.py")}
    return {".".join(n.parts[:-1] if n.name == "__init__" else n.parts): p for n, p in files.items()}


def imports_of(name: str, path: Path, modules: dict[str, Path]) -> set[str]:
    """Modules of the package that one of them imports, at its top or inside of functions; not for type checkers alone.

    `from .a import b` is module a.b where there is one, else module a; packages on the way (`a` of `a.b`) do not count.
    """
    home = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found: set[str] = set()
    for node in statements_of(path.read_text(encoding="utf-8")):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        else:
            start = home[: len(home) - node.level + 1] if node.level else []
            base = ".".join([*start, *filter(None, [node.module])])
            inner = {f"{base}.{alias.name}" for alias in node.names}
            found.update(inner & modules.keys())
            if inner - modules.keys():
                found.add(base)
    return (found & modules.keys()) - {name}


@cache
def statements_of(text: str) -> list[ast.Import | ast.ImportFrom]:
    """The imports in a module, but for those that only type checkers see. Kept: tests change few files."""
    found: list[ast.Import | ast.ImportFrom] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                visit(other)
            return
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(text))
    return found


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of more than one module (Tarjan), in order of their names."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    out = []

    def walk(v: str) -> None:
        number[v] = low[v] = len(number)
        stack.append(v)
        for w in graph[v]:
            if w not in number:
                walk(w)
            if w in stack:
                low[v] = min(low[v], low[w])
        if low[v] == number[v]:
            at = stack.index(v)
            if len(stack) - at > 1:
                out.append(sorted(stack[at:]))
            del stack[at:]

    for v in graph:
        if v not in number:
            walk(v)
    return sorted(out)


def package_circles(folder: Path) -> list[list[str]]:
    modules = modules_of(folder)
    return circles({name: imports_of(name, path, modules) for name, path in modules.items()})


def test_no_modules_need_each_other_in_a_circle(root):
    assert package_circles(root / "hstmae") == []


@pytest.mark.parametrize(
    ("lines", "circle"),
    [
        (
            {"errors.py": "def late():\n    from .native import x", "native.py": "from .errors import HstError"},
            ["hstmae.errors", "hstmae.native"],
        ),
        (
            {"errors.py": "from . import native", "native.py": "import hstmae.errors"},
            ["hstmae.errors", "hstmae.native"],
        ),
        (
            {
                "errors.py": "from .games import pixels3",
                "games/pixels3.py": "from ..native import x",
                "native.py": "from . import errors",
            },
            ["hstmae.errors", "hstmae.games.pixels3", "hstmae.native"],
        ),
    ],
)
def test_a_circle_is_caught(checkout, lines, circle):
    for name, line in lines.items():
        path = checkout / "hstmae" / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(f"{text}\n\n{line}\n", encoding="utf-8")
    assert circle in package_circles(checkout / "hstmae")


def test_imports_for_type_checkers_alone_make_no_circle(checkout):
    line = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .errors import HstError\n"
    path = checkout / "hstmae" / "native.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n" + line, encoding="utf-8")
    errors = checkout / "hstmae" / "errors.py"
    errors.write_text(errors.read_text(encoding="utf-8") + "\nfrom .native import library_path\n", encoding="utf-8")
    assert not [c for c in package_circles(checkout / "hstmae") if "hstmae.native" in c]


def test_no_folder_is_a_hall(root):
    folders = {p.parent for p in (root / "hstmae").rglob("*.py")}
    sizes = {str(f.relative_to(root)): len(list(f.glob("*.py"))) for f in folders}
    assert len(sizes) > 20 and {name: n for name, n in sizes.items() if n > 20} == {}
