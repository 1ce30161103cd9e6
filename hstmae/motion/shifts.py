"""Which way a picture, or a part of it, moved between two frames."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .frames import Frame
from .kernel import kernel
from .loops import NOWHERE

TILE = 32  # pixels of a tile's side, for which objects' shifts are found
REACH = (48, 64)  # largest shift of the whole picture that is looked for, down and across ...
AROUND = 12  # ... and around an expected one
LOCAL = 14  # largest shift of an object
LEAST = 96  # votes for an object's shift: two descriptors that stand in one place each
Shift = tuple[int, int]


def whole_shifts(a: Frame, b: Frame, expected: Shift | None = None, most: int = 2) -> list[Shift]:
    """Likely shifts of the picture, best first: a[y, x] = b[y + dy, x + dx].

    Args:
        expected: where to look; None = everywhere.
    """
    near = expected is None
    centre = (0, 0) if expected is None else expected
    h, w = a.seen.shape
    reach = (min(REACH[0], h // 3), min(REACH[1], w // 3)) if near else (AROUND, AROUND)
    votes = kernel().votes(a.descriptors, b.index, centre, reach)
    found: list[Shift] = []
    least = max(4 * 48, 0.1 * votes.max())
    for _ in range(most):
        y, x = divmod(int(votes.argmax()), votes.shape[1])
        if votes[y, x] < least:
            break
        found.append((y - reach[0] + centre[0], x - reach[1] + centre[1]))
        votes[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = 0
    return found


def part_shifts(a: Frame, b: Frame, known: Iterable[Shift], best: int = 2) -> np.ndarray:
    """Likely shifts of objects: int16 [tiles, best, 2]."""
    explained = np.array(list(known), np.int16).reshape(-1, 2)
    return kernel().local_shifts(a.descriptors, b.index, explained, TILE, LOCAL, best, LEAST)


def tiles(size: tuple[int, int]) -> int:
    return -(-size[0] // TILE) * -(-size[1] // TILE)


def everywhere(shift: Shift, size: tuple[int, int]) -> np.ndarray:
    """int16 [tiles, 2]: one shift for all tiles."""
    return np.tile(np.array(shift, np.int16), (tiles(size), 1))


def scaled(shifts: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    """A share of each shift, or of each tile's, [tiles, 1], rounded; NOWHERE stays."""
    made = np.rint(shifts.astype(np.float32) * share).astype(np.int16)
    made[shifts[:, 0] == NOWHERE] = NOWHERE
    return made
