"""Super Mario Bros.: the ropes of lifts that hang in pairs, one of which rises while the other sinks.

The game draws a rope down to the eight pixels that a lift's top lies in, and blanks it below, straight on the screen:
neither the block buffer nor the columns drawn earlier tell of it. A lift that comes too high makes both fall, as fast
as each other, and their ropes stay [map] [data].
"""

from __future__ import annotations

import numpy as np

from ..state import GameState
from .looks import hard_levels

ROPE = 0x40
_PULLEYS, _ROW, _CELL = 48, 8, 16  # pixel row below the pulleys; pixels by which ropes grow; of a metatile
_LIFT, _ENEMIES, _SLOTS = 0x24, 2, 5  # code; tokens
_TOO_HIGH = 45  # y
_BITS = 1 << np.arange(8)


def hang_ropes(ids: np.ndarray, state: GameState, origin: tuple[int, int]) -> None:
    """Put ropes, and what is blank below lifts, into metatile ids under the pixels int16 [T, H, W], in place.

    Args:
        state: of frames in order of time, numpy arrays with leading axis T.
        origin: y and x of the frames' corner in the native picture.
    """
    them = np.asarray(state.tokens)[:, _ENEMIES : _ENEMIES + _SLOTS]
    valid = np.asarray(state.token_valid)[:, _ENEMIES : _ENEMIES + _SLOTS]
    lift = valid & ((them[..., 4:10] > 0.5) @ _BITS[:6] == _LIFT)
    if not lift.any():
        return
    place = np.asarray(state.token_xy)[:, _ENEMIES : _ENEMIES + _SLOTS].astype(np.int64)
    partner, sinks = (them[..., 10:18] > 0.5) @ _BITS, them[..., 3] > 0
    camera, scene, short = np.asarray(state.camera).astype(np.int64), np.asarray(state.scene), hard_levels(state)
    ropes: dict[int, int] = {}  # by the level's column: y of the end
    for t in range(len(ids)):
        if t and (scene[t] != scene[t - 1] or camera[t] < camera[t - 1]):
            ropes.clear()
        for slot in np.flatnonzero(lift[t]):
            middle = camera[t] + place[t, slot, 0] + (_CELL if short[t] else _CELL + _ROW)
            other = np.flatnonzero(lift[t] & ((partner[t] == slot) | (np.arange(_SLOTS) == partner[t, slot])))
            y = place[t, slot, 1]
            if sinks[t, slot] and (not len(other) or sinks[t, other[0]]):  # they fall, the lower one may be gone
                y = _TOO_HIGH + (max(0, y - place[t, other[0], 1]) if len(other) else 0)
            ropes[int(middle) // _CELL] = int(y) // _ROW * _ROW + _ROW
        for column, end in ropes.items():
            left = column * _CELL - camera[t] - origin[1]
            columns = slice(max(left, 0), max(left + _CELL, 0))
            top, low = max(_PULLEYS - origin[0], 0), max(end - origin[0], 0)
            above, below = ids[t, top:low, columns], ids[t, max(top, low) :, columns]
            above[above <= 0], below[below == ROPE] = ROPE, 0
