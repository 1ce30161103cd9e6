"""Fillers that see exactly what the model sees. A model is worth something by what it gains over them."""

from __future__ import annotations

import numpy as np


def mode_colour(frames: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill masked pixels with the most frequent colour of the clip's visible pixels.

    Args:
        frames: uint8 palette indices [T, H, W]; masked pixels are not read.
        mask: bool [T, H, W], True = masked.
    Returns:
        uint8 [T, H, W]. Nothing visible at all fills with index 0.
    """
    visible = frames[~mask]
    colour = int(np.bincount(visible, minlength=1).argmax()) if len(visible) else 0
    return np.where(mask, np.uint8(colour), frames)


def camera_copy(
    frames: np.ndarray, mask: np.ndarray, camera: np.ndarray, fixed: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Copy each masked pixel from the nearest frame of the clip that shows the same place of the world.

    Of two frames equally near in time the earlier one is taken. What no frame shows gets the mode colour.

    Args:
        frames: uint8 palette indices [T, H, W]; masked pixels are not read.
        mask: bool [T, H, W], True = masked.
        camera: integer [T], world x of the picture's left edge.
        fixed: bool [T, H, W], True where the picture does not scroll (a status bar); None = it scrolls everywhere.
    Returns:
        (uint8 [T, H, W] filled, bool [T, H, W] True where a masked pixel was found in another frame).
    """
    count, _, width = frames.shape
    filled = mode_colour(frames, mask)
    open_ = mask.copy()
    columns = np.arange(width)
    for t in range(count):
        others = sorted((s for s in range(count) if s != t), key=lambda s: (abs(s - t), s))
        for s in others:
            if not open_[t].any():
                break
            source = columns + int(camera[t]) - int(camera[s])
            inside = (source >= 0) & (source < width)
            source = np.clip(source, 0, width - 1)
            shown = inside & ~mask[s][:, source]
            colour = frames[s][:, source]
            if fixed is not None:
                # a place of the status bar is copied from the same screen place, and never from or to the scene
                shown = np.where(fixed[t], fixed[s] & ~mask[s], shown & ~fixed[s][:, source])
                colour = np.where(fixed[t], frames[s], colour)
            take = open_[t] & shown
            filled[t][take] = colour[take]
            open_[t] &= ~take
    return filled, mask & ~open_
