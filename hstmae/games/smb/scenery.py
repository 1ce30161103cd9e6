"""Super Mario Bros.: what the background most likely shows where nothing solid is and no drawn column is remembered.

The game fills a map with scenery that repeats every 48 columns: [0x742] chooses among none, clouds, clouds with hills
and bushes, clouds with trees and fences, and [0x741] lays water or a wall over it. The arrangements below are read off
recorded columns (0x6A1-0x6AD), where they agree with more than 95 % of the cells that hold nothing solid; they miss
what occurs once on a map, such as castles.
"""

from __future__ import annotations

import numpy as np

from .history import ROWS

PERIOD = 48  # columns after which scenery repeats
_GROUND = 11  # first metatile row that the ground usually covers
_OVER_HOLES = 8  # first metatile row that is empty where the ground is missing ...
_WALL = 2  # kind of foreground
_FLOOR = 0.5  # ... on screens of which at least this share has ground [data]

Clouds = dict[int, tuple[tuple[int, int, int], ...]]  # by kind of background: column, row, width
_CLOUDS: Clouds = {1: ((3, 1, 4), (9, 5, 3), (18, 0, 4), (28, 9, 3), (35, 5, 3), (38, 4, 3), (46, 9, 3)),
           2: ((8, 1, 3), (19, 0, 3), (27, 1, 5), (36, 0, 4)),
           3: ((0, 1, 4), (18, 1, 3), (27, 0, 3), (30, 1, 4), (45, 0, 3))}  # fmt: skip
_HILL, _MOUND = np.array([[0, 0, 7, 0, 0], [0, 5, 6, 8, 0], [5, 6, 10, 9, 8]]), np.array([[0, 7, 0], [5, 6, 8]])
_SHORT_TREE, _TALL_TREE, _FENCE = np.array([[0x0E, 0x4E]]).T, np.array([[0x0D, 0x0F, 0x4E]]).T, np.array([[0x4D]])


def _row(first: int, length: int) -> list[int]:
    """Left end, middle parts and right end of a bush or of one row of a cloud."""
    return [first, *[first + 1] * (length - 2), first + 2]


# What stands on the ground: its first column, and its metatiles, 0 = as they were.
_STANDING = {
    2: [(0, _HILL), (16, _MOUND), *((column, np.array([_row(2, n)])) for column, n in ((11, 5), (23, 3), (41, 4)))],
    3: [
        *((column, _SHORT_TREE) for column in (11, 23, 24, 40)),
        *((column, _TALL_TREE) for column in (13, 21, 43)),
        *((column, _FENCE) for column in (14, 15, 16, 17, 38, 39, 41)),
    ],
}


def _arrangement(scenery: int, clouds: Clouds) -> np.ndarray:
    """Metatile ids uint8 [13, 48] of one kind of background."""
    out = np.zeros((ROWS, PERIOD), np.uint8)
    parts = [(row, column, np.array([_row(0x80, n), _row(0x83, n)])) for column, row, n in clouds.get(scenery, ())]
    parts += [(_GROUND - len(part), column, part) for column, part in _STANDING.get(scenery, ())]
    for row, column, part in parts:
        at = np.ix_(row + np.arange(len(part)), (column + np.arange(part.shape[1])) % PERIOD)
        out[at] = np.where(part > 0, part, out[at])
    return out


def _foreground(scenery: int) -> np.ndarray:
    """Metatile ids uint8 [13, 1] that one kind of foreground lays over the background, 0 = none."""
    out = np.zeros((ROWS, 1), np.uint8)
    top, edge, body = {1: (0, 0x86, 0x87), 2: (5, 0x45, 0x47), 3: (11, 0x86, 0x87)}.get(scenery, (ROWS, 0, 0))
    out[top : top + 1], out[top + 1 :] = edge, body
    return out


def _table(clouds: Clouds, walls: bool = False) -> np.ndarray:
    """uint8 [4, 4, 48, 13]: background, foreground, column, row -> metatile id.

    [0x741] is ahead of the screen: a wall begins and ends within a map, so where it is said that there is one, nothing
    says that it has begun on the screen [data].
    """
    back, over = np.stack([_arrangement(k, clouds) for k in range(4)]), np.stack([_foreground(k) for k in range(4)])
    over[_WALL] *= walls
    return np.where(over > 0, over, back[:, None]).swapaxes(2, 3).copy()


SCENERY = _table(_CLOUDS)
# As it was when the first files were coded by it: one cloud stood a row higher, and there were walls.
FIRST_SCENERY = _table(
    {**_CLOUDS, 3: tuple((18, 0, 3) if cloud == (18, 1, 3) else cloud for cloud in _CLOUDS[3])}, walls=True
)
_BRIDGE, _RAILING, _TREE_TOP, _TRUNK = 0x63, 0x0B, 0x17, 0x4C
IDS = np.union1d(FIRST_SCENERY, [_RAILING, _TRUNK]).astype(np.uint8)  # what a guess can be, ascending


def likely_scenery(state: np.ndarray, first: np.ndarray, columns: int, table: np.ndarray = SCENERY) -> np.ndarray:
    """Most likely metatiles, uint8 [T, 13, columns], of state uint8 [T, 2048]; first: int [T], the leftmost of the
    level columns (world x // 16)."""
    column = (first[:, None] + np.arange(columns)) % PERIOD
    back, fore = state[:, 0x742, None] & 3, state[:, 0x741, None] & 3
    return np.asarray(table[back, fore, column].transpose(0, 2, 1))


def empty_holes(scenery: np.ndarray, block: np.ndarray, water: np.ndarray) -> None:
    """A hole in the ground takes with it what stands above it, in place. Arguments as of `complete`; `water`: bool [T],
    the map is under water, where there are none."""
    ground = (block[:, _GROUND:] > 0).any(1)
    hole = ~ground & ((ground.mean(1) >= _FLOOR) & ~water)[:, None]
    above = scenery[:, _OVER_HOLES:_GROUND]
    above[np.broadcast_to(hole[:, None], above.shape)] = 0


def complete(scenery: np.ndarray, block: np.ndarray) -> np.ndarray:
    """What solid tiles say about the cells around them: trunks under tree tops, railings on bridges.

    Ids of `likely_scenery`, uint8 [T, 13, n], and what is solid, int [T, 13, n], 0 = nothing -> the ids, completed in
    place; where `block` is set, anything.
    """
    if (block == _BRIDGE).any():
        scenery[:, :-1][block[:, 1:] == _BRIDGE] = _RAILING
    if (block == _TREE_TOP).any():
        under = np.zeros_like(block[:, 0], bool)
        for row in range(ROWS):
            scenery[:, row][under] = _TRUNK
            under = (block[:, row] == _TREE_TOP) | (under & (block[:, row] == 0))
    return scenery
