"""Super Mario Bros.: the picture's layers out of the memory: metatiles, status bar, sprites, and what colours them.

Addresses and marks: see `game`.
"""

from __future__ import annotations

import numpy as np

from .blocks import shown_blocks, used_as_bricks
from .history import COLUMNS, ROWS, UNKNOWN
from .objects import BACKGROUND, ITEM, SOLID
from .scenery import FIRST_SCENERY, SCENERY, complete, empty_holes, likely_scenery
from .scenery import IDS as GUESSES

HUD_HEIGHT = 32  # pixel rows that never scroll
HUD_DIGITS = {  # column of tile row 3 -> (address, what is added to the byte); score, coins, world, level, timer
    **{2 + i: (0x7DD + i, 0) for i in range(6)},
    13: (0x7ED, 0),
    14: (0x7EE, 0),
    19: (0x75F, 1),
    21: (0x75C, 1),
    **{26 + i: (0x7F8 + i, 0) for i in range(3)},
}
HUD_STATIC = 40  # id of the first fixed HUD cell; digits and letters are 1 + value
HUD_IDS = HUD_STATIC + 4 * 32 + 1
GLOBALS = (0x74E, 0x733, 0x741, 0x742, 0x743, 0x744, 0x756, 0x753, 0x773, 0x6D4, 0x75F)
SOLID_FROM = np.array([0x10, 0x51, 0x88, 0xC0])  # first solid metatile id of each palette group [data]
TILE_IDS = 256 + len(GUESSES) + 1  # metatiles, guessed scenery, and the unknown
HUD_FIXED = (HUD_STATIC + np.arange(128).reshape(4, 32)).astype(np.int16)
HUD_COLUMNS = np.array(list(HUD_DIGITS))
_BYTE = np.arange(256)
_IS_SOLID = np.greater_equal(_BYTE, SOLID_FROM[_BYTE >> 6])

TILE_REGIONS = np.full(TILE_IDS, BACKGROUND, np.uint8)
TILE_REGIONS[:256][_IS_SOLID] = SOLID
TILE_REGIONS[0xC0:0xC4] = ITEM  # question blocks and coins

# The metatile that each one looks like: bricks and blocks do not show what they hold, hidden ones nothing.
_LOOK = _BYTE.astype(np.int16)
_LOOK[0x55:0x5A], _LOOK[0x5A:0x5F], _LOOK[0xC1] = 0x51, 0x52, 0xC0
_LOOK[[0x44, 0x5F, 0x60]] = 0

# Id shown for each remembered metatile where nothing is solid now: what was solid then is gone, so blank.
_SCENERY = np.where(_IS_SOLID, 0, _LOOK).astype(np.int16)
_SCENERY[UNKNOWN] = TILE_IDS - 1

_GUESS_ID = np.zeros(256, np.int16)  # of each metatile as a guess
_GUESS_ID[GUESSES] = 256 + np.arange(len(GUESSES))

# Attribute id of each OAM attribute byte: palette, 4 = behind (bit 5), and the two flip bits as they are.
_ATTRIBUTE = ((_BYTE & 3) | ((_BYTE >> 3) & 4) | (_BYTE & 0xC0)).astype(np.int16)
_GLOBAL_ADDRESS = np.array([*GLOBALS, 0x79F, 0x09])


def _screen_columns() -> tuple[np.ndarray, np.ndarray]:
    """For each of the 32 columns that can be the leftmost one: where the 13 x 17 metatiles of the screen lie.

    Returns:
        Addresses in the memory and positions in the context, int64 [32, 13 * 17].
    """
    column = (np.arange(COLUMNS)[:, None, None] + np.arange(17)) % COLUMNS
    row = np.arange(ROWS)[:, None]
    block = 0x500 + column // 16 * (16 * ROWS) + 16 * row + column % 16
    return block.reshape(COLUMNS, -1), (COLUMNS * row + column).reshape(COLUMNS, -1)


def _hud_tables() -> np.ndarray:
    """Id of each cell of HUD_DIGITS for each value of its byte: int16 [cells * 256]."""
    tables = []
    for column, (_, offset) in HUD_DIGITS.items():
        value = _BYTE + offset
        ids = np.where(value < HUD_STATIC - 1, value + 1, HUD_IDS - 1)
        # The first of the six score digits is left blank while it is zero [data]; the fixed id stands for that.
        tables.append(np.where(value > 0, ids, HUD_STATIC + 3 * 32 + column) if column == 2 else ids)
    return np.stack(tables).astype(np.int16).ravel()


_BLOCK_AT, _DRAWN_AT = _screen_columns()
_HUD_ADDRESS = np.array([address for address, _ in HUD_DIGITS.values()])
_HUD_VALUE, _HUD_ROW = _hud_tables(), 256 * np.arange(len(HUD_DIGITS))


def metatiles(state: np.ndarray, context: np.ndarray | None, camera: np.ndarray, coding: bool = False) -> np.ndarray:
    """Ids of the 17 columns on the screen: the block buffer, scenery from the history where that is known, or a guess.

    A guess has an id of its own, so that whoever draws it can learn how far to trust it. Blocks are as the picture
    shows them, see `blocks`. `coding`: guesses as they were first made and blocks as in the memory, see
    `GameSpec.decode_for_coding`.
    """
    t, first = len(state), camera // 16
    row = np.arange(t)[:, None]
    solid = state.reshape(-1).take(_BLOCK_AT.take(first % COLUMNS, 0) + row * state.shape[1])
    ids = _LOOK.take(solid)
    if context is None:
        unknown = solid == 0
    else:
        first_drawn = context.reshape(-1).take(_DRAWN_AT.take(first % COLUMNS, 0) + row * context.shape[1])
        drawn = _SCENERY.take(first_drawn)
        ids = np.where(solid != 0, ids, drawn)
        if not coding:
            used_as_bricks(ids, state, first_drawn)
        unknown = ids == TILE_IDS - 1
    ids, solid, unknown = (x.reshape(t, ROWS, 17) for x in (ids, solid, unknown))
    some = unknown.any((1, 2))
    if some.any():
        likely = likely_scenery(state[some], first[some], 17, FIRST_SCENERY if coding else SCENERY)
        if not coding:
            empty_holes(likely, solid[some], water=state[some, 0x74E] == 0)
        complete(likely, solid[some])
        ids[some] = np.where(unknown[some], _GUESS_ID.take(likely), ids[some])
    for i, r, column, tile in [] if coding else shown_blocks(state, context):
        at = (column - first[i]) % COLUMNS
        if at < ids.shape[2]:
            ids[i, r, at] = _LOOK[tile]
    return ids


def status_bar(state: np.ndarray) -> np.ndarray:
    ids = np.empty((len(state), 4, 32), np.int16)
    ids[:] = HUD_FIXED
    ids[:, 3, HUD_COLUMNS] = _HUD_VALUE[_HUD_ROW + state[:, _HUD_ADDRESS]]
    return ids


def sprites(state: np.ndarray) -> np.ndarray:
    oam = state[:, 0x200:0x300].reshape(-1, 64, 4)
    sprites = np.empty(oam.shape, np.int16)
    sprites[..., 0], sprites[..., 1], sprites[..., 2] = oam[..., 3], oam[..., 0], oam[..., 1]
    sprites[..., 1] += 1  # the byte holds the line before the first
    sprites[..., 3] = _ATTRIBUTE[oam[..., 2]]
    return sprites


def global_values(state: np.ndarray) -> np.ndarray:
    values = state[:, _GLOBAL_ADDRESS]
    values[:, -2] = (values[:, -2] > 0).astype(np.uint8) + (values[:, -2] > 8)  # star: off, ending (cycles slowly), on
    values[:, -1] &= 7
    return values
