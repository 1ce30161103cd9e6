"""Super Mario Bros.: blocks that are another tile in the memory than the picture shows.

A block that is hit becomes blank while it bounces, and its new tile afterwards: in the block buffer at once, on the
screen as soon as the buffer of `screen` is drawn. On the screen only its characters change and not its palette, which
is that of the tile drawn there first: a used block that was a brick, or not seen at all, has the bricks' colours
[map] [data].
"""

from __future__ import annotations

import numpy as np

from .history import COLUMNS, ROWS, UNKNOWN
from .screen import records_of, waits_in

BOUNCING = 0x23  # where a block bounces, which sprites show: blank [data]
USED, USED_AS_BRICK = 0xC4, 0x6E  # the second one is no tile of the game's own
_BLANK = b"\x24\x24"
_SECOND, _ROW, _FIRST_ROW = 0x400, 32, 4  # bit of the second screen's addresses; bytes a row of it; above: status bar
_SLOTS, _TOP, _AT, _BECOMES = 2, 0x3E4, 0x3E6, 0x3E8  # blocks that bounce: row, where their column begins, next tile
_BRICK, _PLAIN_BRICK, _QUESTION = 0x51, 0x52, 0xC0
_KIND, _GROUND = 0x74E, 1
_BRICKS = 1  # palette


def shown_blocks(state: np.ndarray, context: np.ndarray | None) -> list[tuple[int, int, int, int]]:
    """Blocks of which the picture does not show yet what the block buffer holds.

    Args:
        state: uint8 [T, 2048]; context: uint8 [T, 13 * 32], see `history`; None = not known.
    Returns:
        Of each one frame, metatile row, column of the two screens (0 .. 31) and the metatile shown.
    """
    found = []
    for t in np.flatnonzero(waits_in(state)):
        ram = state[t].tobytes()
        for address, kind, tiles in records_of(ram):
            row, column = divmod(address & (_SECOND - 1), _ROW)
            row = row // 2 - _FIRST_ROW // 2
            if kind != len(tiles) or len(tiles) != len(_BLANK) or not 0 <= row < ROWS or not 0x2000 <= address < 0x3000:
                continue
            column = column // 2 + (COLUMNS // 2 if address & _SECOND else 0)
            at = block_address(row, column)
            if ram[at] == BOUNCING:
                drawn = UNKNOWN if context is None else int(context[t, COLUMNS * row + column])
                found.append((int(t), row, column, _before(ram, at) if drawn == UNKNOWN else drawn))
            elif ram[at] and tiles != _BLANK:
                found.append((int(t), row, column, BOUNCING))
    return found


def block_address(row: int, column: int) -> int:
    """Where the block buffer holds a metatile row of one of the 32 columns."""
    return 0x500 + 16 * ROWS * (column // 16) + 16 * row + column % 16


def _before(ram: bytes, at: int) -> int:
    """The metatile of a block before it was hit, by what it becomes: a brick again, a used block, or nothing."""
    for slot in range(_SLOTS):
        if 0x500 + ram[_AT + slot] + ram[_TOP + slot] == at:
            becomes = ram[_BECOMES + slot]
            if becomes not in (0, USED):
                return becomes
            brick = _BRICK if ram[_KIND] == _GROUND else _PLAIN_BRICK
            return _QUESTION if becomes else brick
    return BOUNCING


def used_as_bricks(ids: np.ndarray, state: np.ndarray, drawn: np.ndarray) -> None:
    """Name used blocks in the bricks' colours, in place. On the ground both look the same.

    Args:
        ids: metatiles int16 [T, N] that stand there; state: uint8 [T, 2048]; drawn: uint8 [T, N], see `history`.
    """
    used = ids == USED
    if used.any():
        bricks = (drawn != UNKNOWN) & (drawn >> 6 == _BRICKS)
        ids[used & bricks & (state[:, _KIND] != _GROUND)[:, None]] = USED_AS_BRICK
