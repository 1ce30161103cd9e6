"""Super Mario Bros.: the level columns that the game has drawn, remembered from the memory of earlier frames.

The block buffer (0x500) keeps only what objects collide with. While the game draws a column, 0x6A1-0x6AD holds all of
its 13 metatiles, scenery and castles included. Conventions checked on recorded play: the column's number is
16 * [0x725] + [0x726], and the bytes are complete while the drawing step [0x71F] is one of 7, 6, 5, 3, 2, 1.
"""

from __future__ import annotations

import numpy as np

ROWS, COLUMNS = 13, 32  # metatiles below the HUD; columns remembered (the game's name tables hold as many)
UNKNOWN = 255
MAX_GAP = 8  # frames missing from the recording before the memory is no longer trusted
_COMPLETE = (7, 6, 5, 3, 2, 1)


def history(ram: np.ndarray, frame_numbers: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """uint8 [T, 2048] of a whole episode -> uint8 [T, 13 * 32] metatile ids by column mod 32, 255 = not known.

    `start`, uint8 [13 * 32]: what was known at the first of these frames, where they are not an episode's beginning.
    """
    t = len(ram)
    out = np.empty((t, ROWS, COLUMNS), np.uint8)
    if t == 0:
        return out.reshape(t, -1)
    drawn = np.isin(ram[:, 0x71F], _COMPLETE)
    column = (16 * ram[:, 0x725].astype(np.int32) + ram[:, 0x726]) % COLUMNS
    reset = np.zeros(t, bool)
    reset[1:] = (ram[1:, 0x750] != ram[:-1, 0x750]) | (ram[1:, 0x74E] != ram[:-1, 0x74E])
    reset[1:] |= np.diff(np.asarray(frame_numbers, np.int64)) > MAX_GAP + 1
    columns = np.full((ROWS, COLUMNS), UNKNOWN, np.uint8) if start is None else start.reshape(ROWS, COLUMNS).copy()
    for i in range(t):
        if reset[i]:
            columns[:] = UNKNOWN
        if drawn[i]:
            columns[:, column[i]] = ram[i, 0x6A1:0x6AE]
        out[i] = columns
    return out.reshape(t, -1)
