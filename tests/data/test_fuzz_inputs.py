"""Damaged movies and side files: only the package's own errors, bounded memory, bounded time."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from fuzzing import CASES, attack, damaged

from hstmae.data.sources.movies.fm2 import parse_fm2
from hstmae.data.sources.movies.hst_movie import format_json
from hstmae.data.sources.movies.reading import read_movie
from hstmae.data.sources.side_file import read_side_file

FM2 = b"version 3\nemuVersion 22020\nrerecordCount 0\npalFlag 0\n" + b"|0|R.....A.|........||\n" * 12


def side_npz(compressed: bool) -> bytes:
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(file, state=rng.integers(0, 256, (6, 16), dtype=np.uint8), actions=np.arange(6, dtype=np.int64))
    return file.getvalue()


def side_jsonl() -> bytes:
    lines = [{"state": bytes(range(k, k + 16)).hex(), "action": k} for k in range(6)]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


@pytest.mark.parametrize("name", ["movie.fm2", "movie.json"])
def test_movies(tmp_path: Path, name: str) -> None:
    whole = FM2 if name.endswith("fm2") else format_json(parse_fm2(FM2, "smb"))
    path = tmp_path / name
    path.write_bytes(whole)
    assert len(read_movie(path, "smb")) == 12

    def read(case: int) -> None:
        path.write_bytes(damaged(whole, np.random.default_rng([1, case])))
        read_movie(path, "smb")

    assert attack(read, CASES // 2) > CASES // 8


@pytest.mark.parametrize("kind", ["stored.npz", "packed.npz", "lines.jsonl"])
def test_side_files(tmp_path: Path, kind: str) -> None:
    whole = side_jsonl() if kind.endswith("jsonl") else side_npz(kind.startswith("packed"))
    path = tmp_path / kind
    path.write_bytes(whole)
    assert len(read_side_file(path, 16)) == 6

    def read(case: int) -> None:
        path.write_bytes(damaged(whole, np.random.default_rng([2, case])))
        side = read_side_file(path, None if case % 2 else 16)
        assert len(side) >= 1

    assert attack(read, CASES // 3) > CASES // 12


@pytest.mark.parametrize("shape", [(6, 1 << 40), (1 << 33,), (6, -16), (1 << 62, 1 << 62)])
def test_side_files_that_claim_absurd_sizes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    whole = side_npz(False)
    old = b"(6, 16), }"
    new = f"{shape}, }}".encode()
    at = whole.index(old)
    path = tmp_path / "claims.npz"
    room = len(whole[at:]) - len(whole[at:].split(b"\n", 1)[1]) - 1
    path.write_bytes(whole[:at] + new.ljust(room)[:room] + whole[at + room :])
    assert attack(lambda _: read_side_file(path, None), 1) == 1


def test_a_header_that_is_no_python_text_is_told(tmp_path: Path) -> None:
    whole = side_npz(False)
    at = whole.index(b"{'descr'")
    path = tmp_path / "header.npz"
    path.write_bytes(whole[:at] + b"((\x83" + whole[at + 3 :])
    assert attack(lambda _: read_side_file(path, None), 1) == 1
