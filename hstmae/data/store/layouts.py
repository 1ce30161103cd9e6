"""How the rows of a group lie beside each other before zstd packs them.

`plain` holds one row after the other: right for pictures, where a row is large and resembles the one before it.
`sparse` is for a game's memory, most of which stays the same for many frames: the values that never change inside the
group are held once, the others address by address. It packs smaller, and a few rows come out of it without touching the
rest. `transposed`, values by address throughout, is what stores of format 1 hold; it is only read.

Layout of a sparse group of n rows of V values, C of which change: a mask of ceil(V / 8) bytes (most significant bit
first, 1 = changes), the V - C constant values, then n values for each of the C addresses.
"""

from __future__ import annotations

import numpy as np

PLAIN, TRANSPOSED, SPARSE = "plain", "transposed", "sparse"
LAYOUTS = (PLAIN, TRANSPOSED, SPARSE)


def lay_out(rows: np.ndarray, layout: str) -> np.ndarray:
    """uint8 [n, V], n at least 1, as the bytes of one group: contiguous uint8, `plain` or `sparse`."""
    if layout == PLAIN:
        return np.ascontiguousarray(rows)
    changes = (rows != rows[0]).any(0)
    return np.concatenate([np.packbits(changes), rows[0, ~changes], rows[:, changes].T.ravel()])


def size_limits(layout: str, count: int, width: int) -> tuple[int, int]:
    """The least and the most bytes that a group of `count` rows of `width` values takes once unpacked."""
    if layout == SPARSE:
        mask = -(-width // 8)
        return mask + width, mask + count * width
    return count * width, count * width


def take(block: np.ndarray, layout: str, count: int, rows: slice | list[int], width: int) -> np.ndarray | None:
    """Chosen `rows` of an unpacked group of `count` rows of V = `width` values, uint8 [size]: uint8 [number of `rows`,
    V], where possible a view of `block`; None where `block` cannot be a group of this layout."""
    if layout == SPARSE:
        return _take_sparse(block, count, rows, width)
    if layout == TRANSPOSED:
        return block.reshape(-1, count)[:, rows].T
    return block.reshape(count, -1)[rows]


def _take_sparse(block: np.ndarray, count: int, rows: slice | list[int], width: int) -> np.ndarray | None:
    mask_end = -(-width // 8)
    changes = np.unpackbits(block[:mask_end], count=width).view(np.bool_)
    address = changes.nonzero()[0]
    same_end = mask_end + width - len(address)
    if len(block) != same_end + count * len(address):
        return None
    row = np.zeros(width, np.uint8)
    row[~changes] = block[mask_end:same_end]
    changing = block[same_end:].reshape(-1, count)[:, rows].T
    out = np.empty((len(changing), width), np.uint8)
    out[:] = row  # what changes is still missing
    out[:, address] = changing
    return out
