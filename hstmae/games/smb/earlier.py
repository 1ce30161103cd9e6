"""What the memory of a frame was like one frame before, guessed from how it went on."""

from __future__ import annotations

import numpy as np

_PAGE, _X, _SCROLL = 0x71A, 0x71C, 0x73F
_SPRITES = slice(0x200, 0x300)  # 64 of y, tile, attributes, x
_HIDDEN = 0xEF  # y from which a sprite is not on the screen
_FAR = 9  # pixels that nothing moves in one frame


def camera_step(state: np.ndarray) -> int:
    """Pixels by which the camera of the second of two frames, uint8 [2, 2048], is further right; 0 after a jump."""
    here, there = (256 * int(row[_PAGE]) + int(row[_X]) for row in state)
    return there - here if abs(there - here) < _FAR else 0


def one_frame_before(state: np.ndarray, shift: int) -> np.ndarray:
    """Memory uint8 [1 or 2, 2048] of frames in a row -> uint8 [2048], a guess at the one before them: the camera stood
    `shift` pixels further left, and sprites moved as they did since."""
    guess = state[0].copy()
    camera = max(0, 256 * int(guess[_PAGE]) + int(guess[_X]) - shift)
    guess[_PAGE], guess[_X] = camera >> 8 & 255, camera & 255
    guess[_SCROLL] = (int(guess[_SCROLL]) - shift) & 255
    if len(state) < 2:
        return guess
    sprites, later = (row[_SPRITES].reshape(64, 4).astype(np.int64) for row in state)
    same = (sprites[:, None, 1:3] == later[None, :, 1:3]).all(-1)
    apart = np.abs(sprites[:, None, [0, 3]] - later[None, :, [0, 3]]).max(-1)
    seen = (sprites[:, 0] < _HIDDEN)[:, None] & (later[:, 0] < _HIDDEN) & same & (apart < _FAR)
    partner = np.where(seen, apart, 256).argmin(1)
    moved = seen.any(1)
    for column in (0, 3):
        back = 2 * sprites[:, column] - later[partner, column]
        sprites[:, column] = np.where(moved, np.clip(back, 0, 255), sprites[:, column])
    guess[_SPRITES] = sprites.astype(np.uint8).ravel()
    return guess
