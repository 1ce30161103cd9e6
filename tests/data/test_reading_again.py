"""Every reading checks what it unpacks: damage is noticed whenever it comes."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import zstandard
from synthetic_episodes import make_episode, write_episodes

from hstmae.data import EpisodeStore
from hstmae.data.store.columns import FORMATS, Column, Index, read_rows
from hstmae.data.store.layouts import PLAIN
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.writer import Packing
from hstmae.errors import StoreError


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    base = tmp_path_factory.mktemp("again")
    write_episodes(base / "in", make_episode(20, seed=4))
    preprocess(base / "in", base / "out", workers=1, packing=Packing(1, 4, 8), val_fraction=0.0)
    return EpisodeStore(base / "out")


def test_reading_again_gives_the_same(store: EpisodeStore) -> None:
    rows = [1, 5, 9, 13, 2, 2, 19, 0]
    first = store.read(0, rows)
    for _ in range(2):
        again = store.read(0, rows)
        for name in ("frames", "state", "context", "actions"):
            assert np.array_equal(getattr(first, name), getattr(again, name)), name
    assert np.array_equal(first.frames, store[0].frames[rows])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("group", [0, 3])
def test_every_bit_flipped_after_the_first_reading_is_noticed(group: int, form: int) -> None:
    """The file is mapped, so what changes on disk changes under the reader."""
    column = Column("x", (5,), 16, 4, PLAIN, 0, 0, form)
    content = np.random.default_rng(0).integers(0, 9, (16, 5)).astype(np.uint8)
    compressor = zstandard.ZstdCompressor(level=3, write_checksum=form == 1, write_content_size=True)
    parts = [compressor.compress(content[k : k + 4].tobytes()) for k in range(0, 16, 4)]
    offsets = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    index = Index(offsets, None if form == 1 else [zlib.crc32(part) for part in parts])
    packed, rows = bytearray(b"".join(parts)), np.arange(16)
    for _ in range(2):
        assert np.array_equal(read_rows(memoryview(packed), column, index, rows, "file"), content)
    unnoticed = 0
    for position in range(offsets[group], offsets[group + 1]):
        for bit in range(8):
            packed[position] ^= 1 << bit
            try:
                got = read_rows(memoryview(packed), column, index, rows, "file")
            except StoreError:
                pass
            else:  # a bit that nothing depends on
                assert np.array_equal(got, content)
                unnoticed += 1
            packed[position] ^= 1 << bit
    assert unnoticed == 0 if form > 1 else unnoticed < 8


def test_a_file_changed_under_an_open_store_is_noticed(tmp_path: Path) -> None:
    write_episodes(tmp_path / "in", make_episode(12, seed=6))
    preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=Packing(1, 4, 8), val_fraction=0.0)
    store = EpisodeStore(tmp_path / "out")
    store.read(0, range(12))
    (path,) = (tmp_path / "out").glob("episodes/*/data.bin")
    with path.open("r+b") as file:
        file.seek(3000)
        byte = file.read(1)
        file.seek(3000)
        file.write(bytes([byte[0] ^ 16]))
    with pytest.raises(StoreError, match=r"damaged|claims|cut off"):
        store.read(0, range(12))
