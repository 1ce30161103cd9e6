"""Super Mario Bros.: what the memory says of each column of the console's picture memory.

The block buffer (0x500) lies column beside column as the name tables do: 32 columns of 16 pixels, two screens. What it
does not hold is scenery, which repeats every 48 columns, by the kinds of scenery (0x741, 0x742) and of map (0x74E).
Replay streams are read by it, so it stays as it is.
"""

from __future__ import annotations

import numpy as np

from .layers import HUD_DIGITS

_COLUMNS, _ROWS = 32, 13
_BEHIND = 8  # columns left of the camera that the picture memory still holds
_BUFFER = np.array([[0x500 + 0xD0 * (c // 16) + c % 16 + 16 * row for row in range(_ROWS)] for c in range(_COLUMNS)])


def columns(ram: np.ndarray) -> tuple[int, np.ndarray]:
    """uint8 [2048] -> the column at the left edge of the picture, 0 to 31, and what the memory says of all columns,
    uint8 [32, 20]."""
    camera = (256 * int(ram[0x71A]) + int(ram[0x71C])) // 16
    place = np.arange(_COLUMNS)
    on_map = camera - _BEHIND + (place - camera + _BEHIND) % _COLUMNS
    digits = np.full(2 * _COLUMNS, 255, np.uint8)
    for column, (address, added) in HUD_DIGITS.items():
        digits[column] = min(int(ram[address]) + added, 254)
    kind = (ram[0x741] & 3) | (ram[0x742] & 3) << 2 | (ram[0x74E] & 3) << 4
    same = np.array([kind, ram[0x727], ram[0x750]], np.uint8)
    side = [ram[_BUFFER], (on_map % 48)[:, None], place[:, None], digits.reshape(-1, 2), np.tile(same, (_COLUMNS, 1))]
    return camera % _COLUMNS, np.concatenate(side, 1).astype(np.uint8)
