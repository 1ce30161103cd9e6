"""Damage that footage really has: scratches, a logo, lost blocks and lost frames."""

from __future__ import annotations

import numpy as np

NAMES = ("scratches", "logo", "lost blocks", "lost frames")


def damages(count: int, height: int, width: int, seed: int = 0) -> dict[str, np.ndarray]:
    """What film scratches, a station's logo, lost packets and lost frames hide of a clip.

    Returns:
        Masks bool [T, H, W] by name. None is empty for pictures of 32x32 and more.
    """
    rng = np.random.default_rng(seed)
    nothing = np.zeros((count, height, width), bool)
    scratches, logo, blocks, lost = (nothing.copy() for _ in range(4))
    for x in rng.choice(width - 4, 5, replace=False):  # they wander sideways from frame to frame
        path = np.clip(x + np.cumsum(rng.integers(-1, 2, count)), 0, width - 3)
        for t in range(count):
            scratches[t, :, path[t] : path[t] + rng.integers(1, 3)] = True
    logo[:, max(0, height - 72) : height - 24, max(0, width - 88) : width - 24] = True
    for t in range(0, count, 8):  # a burst of lost packets: rows of blocks, for eight frames
        for _ in range(6):
            y, x = 16 * rng.integers(0, height // 16), 16 * rng.integers(0, max(1, width // 16 - 4))
            blocks[t : t + 8, y : y + 16, x : x + 16 * rng.integers(2, 6)] = True
    for t in range(min(10, count // 2), count, 16):
        lost[t : t + 6] = True
    return {"scratches": scratches, "logo": logo, "lost blocks": blocks, "lost frames": lost}
