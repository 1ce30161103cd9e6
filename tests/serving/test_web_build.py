"""What the package carries for browsers was built from the sources that lie beside it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from browser import STATIC

CLANG = "14"  # another version makes other bytes of the same sources


def test_the_built_files_are_of_these_sources(root: Path) -> None:
    """Else: npm ci && npm run build in web/"""
    kernel = root / "hstmae" / "codec" / "lossless"
    used = [*kernel.glob("_*.[ch]"), *(root / "web" / "native").glob("*.c")]
    used += [p for p in (root / "web" / "src").rglob("*") if p.suffix in (".ts", ".json", ".html", ".css")]
    used += [root / "web" / name for name in ("build.mjs", "package-lock.json")]
    names = sorted(p.relative_to(root).as_posix() for p in used if p.name != "_partners.c")  # of pretraining only
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode() + (root / name).read_bytes())
    assert json.loads((STATIC / "built-from.json").read_text()) == {"sources": digest.hexdigest()}


def test_building_again_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    web, clang, node = root / "web", shutil.which("clang"), shutil.which("node")
    if node is None or not (web / "node_modules" / "esbuild").is_dir():
        pytest.skip("Node and esbuild are needed (npm ci in web/)")
    version = subprocess.run([clang, "--version"], capture_output=True, text=True).stdout if clang else ""
    if not re.search(rf"version {CLANG}\.", version) or shutil.which("wasm-ld") is None:
        pytest.skip(f"clang {CLANG} with lld, wasi-libc and libclang-rt-dev-wasm32 is needed")
    done = subprocess.run([node, "build.mjs", str(tmp_path)], cwd=web, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (STATIC / path.name).read_bytes(), path.name
    done = subprocess.run(
        [node, "node_modules/typescript/bin/tsc", "--noEmit"], cwd=web, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
