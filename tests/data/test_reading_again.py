"""Groups that were checked once are read faster afterwards, and damage that comes later is noticed all the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zstandard
from synthetic_episodes import make_episode, write_episodes

from hstmae.data import EpisodeStore
from hstmae.data.columns import Column, _without_checksum, no_sums, read_rows
from hstmae.data.preprocessing import preprocess
from hstmae.data.writer import Packing
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


@pytest.mark.parametrize("group", [0, 3])
def test_every_bit_flipped_after_the_first_reading_is_noticed(group: int) -> None:
    """The file is mapped, so what changes on disk changes under the reader."""
    column = Column("x", (5,), 16, 4, False, 0, 0)
    content = np.random.default_rng(0).integers(0, 9, (16, 5)).astype(np.uint8)
    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True, write_content_size=True)
    parts = [compressor.compress(content[k : k + 4].tobytes()) for k in range(0, 16, 4)]
    index = np.cumsum([0, *(len(part) for part in parts)]).astype(np.uint64)
    packed, rows, sums = bytearray(b"".join(parts)), np.arange(16), no_sums(column)
    for _ in range(2):
        assert np.array_equal(read_rows(memoryview(packed), column, index, rows, "file", sums), content)
    assert (sums >= 0).all()
    unnoticed = 0
    for position in range(int(index[group]), int(index[group + 1])):
        for bit in range(8):
            packed[position] ^= 1 << bit
            try:
                got = read_rows(memoryview(packed), column, index, rows, "file", sums.copy())
            except StoreError:
                pass
            else:  # a bit that nothing depends on
                assert np.array_equal(got, content)
                unnoticed += 1
            packed[position] ^= 1 << bit
    assert unnoticed < 8


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


def test_a_frame_without_its_checksum_unpacks_to_the_same() -> None:
    data = bytes(range(200)) * 9
    for checksum in (True, False):
        packed = zstandard.ZstdCompressor(write_checksum=checksum).compress(data)
        stripped = _without_checksum(memoryview(packed))
        assert zstandard.ZstdDecompressor().decompress(stripped) == data
        assert len(stripped) == len(packed) - (4 if checksum else 0)
