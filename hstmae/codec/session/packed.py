"""Decoded rows that stay in memory, packed as a store packs them; and work on groups in threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import zstandard

Item = TypeVar("Item")
Made = TypeVar("Made")

BLOCK = 16  # frames that are packed together, as in a store


@dataclass(frozen=True)
class Packed:
    """Rows of one column of a group, uint8 [T, *shape], BLOCK of them in each block."""

    blocks: list[bytes]
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        return sum(map(len, self.blocks))

    @staticmethod
    def of(rows: np.ndarray) -> Packed:
        pack = zstandard.ZstdCompressor(level=3)
        parts = [rows[at : at + BLOCK] for at in range(0, len(rows), BLOCK)]
        return Packed([pack.compress(np.ascontiguousarray(part).data) for part in parts], rows.shape[1:])

    def rows(self, at: np.ndarray, window: tuple[slice, ...], out: np.ndarray) -> None:
        """Put rows `at`, or a window of them, into `out`."""
        unpack = zstandard.ZstdDecompressor()
        block_of = at // BLOCK
        for block in np.unique(block_of).tolist():
            found = np.frombuffer(unpack.decompress(self.blocks[block]), np.uint8).reshape(-1, *self.shape)
            mine = np.flatnonzero(block_of == block)
            for k, row in zip(mine.tolist(), (at[mine] - block * BLOCK).tolist(), strict=True):
                out[k] = found[row][window]


def in_threads(make: Callable[[Item], Made], items: Sequence[Item]) -> list[Made]:
    """What is made of all items, in threads: the kernel that decodes is not Python."""
    if len(items) < 2:
        return [make(item) for item in items]
    with ThreadPoolExecutor(min(len(items), os.cpu_count() or 1)) as pool:
        return list(pool.map(make, items))
