"""Fillers that see exactly what the model sees. A model is worth something by what it gains over them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import UsageError
from ..games.palette import pack_rgb, unpack_rgb


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


def level_memory(frames: np.ndarray, mask: np.ndarray, colours: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """Fill masked pixels with what the game's maps show at the camera's place, and the rest with the mode colour.

    Args:
        frames: uint8 [T, H, W] palette indices; masked pixels are not read.
        mask: bool [T, H, W], True = masked.
        colours: uint8 [T, H, W], what an atlas holds of the place (see `Atlas.look_up`) ...
        trust: float32 [T, H, W], ... 0 where it holds nothing.
    """
    return np.where(mask & (trust > 0), colours, mode_colour(frames, mask))


def inpainting(frames: np.ndarray, mask: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Fill masked pixels frame by frame by OpenCV's inpainting (Telea's fast marching, radius 3): uint8 [T, H, W, 3].

    Raises:
        UsageError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError:
        raise UsageError("--inpaint needs OpenCV: pip install 'hstmae[bench]'") from None
    shown: Any = palette[np.where(mask, np.uint8(0), frames)]
    hidden = mask.astype(np.uint8)
    return np.stack([cv2.inpaint(f, m, 3, cv2.INPAINT_TELEA) for f, m in zip(shown, hidden, strict=True)])


def mode_rgb(frames: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill masked pixels with the most frequent colour of the clip's visible pixels; black where nothing is visible.

    Args:
        frames: uint8 [T, H, W, 3]; masked pixels are not read.
        mask: bool [T, H, W], True = masked.
    Returns:
        uint8 [T, H, W, 3].
    """
    values, counts = np.unique(pack_rgb(frames[~mask]), return_counts=True)
    colour = unpack_rgb(values[counts.argmax()]) if len(values) else np.zeros(3, np.uint8)
    return np.where(mask[..., None], colour, frames)


def mean_colour(frames: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill masked pixels with the mean of the clip's visible ones, the best single colour; arguments of `mode_rgb`."""
    visible = frames[~mask]
    colour = visible.mean(0).round().astype(np.uint8) if len(visible) else np.zeros(3, np.uint8)
    return np.where(mask[..., None], colour, frames)


def nearest_pixel(frames: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill each masked pixel with the nearest visible one of its frame; arguments of `mode_rgb`.

    A frame without a visible pixel becomes black.
    """
    filled = np.where(mask[..., None], np.uint8(0), frames)
    source: np.ndarray | None = None
    for t in range(len(frames)):
        if t == 0 or not np.array_equal(mask[t], mask[t - 1]):  # tubes hide the same pixels in all frames
            source = _nearest(mask[t])
        if source is not None:
            filled[t] = frames[t].reshape(-1, 3)[source]
    return filled


def _nearest(mask: np.ndarray) -> np.ndarray | None:
    """bool [H, W] -> int64 [H, W] flat place of the nearest pixel that is not masked, of several the first one; None
    where there is none.

    First along the columns, then, with what these tell, along the rows: distances are squared, so they add up.
    """
    if mask.all():
        return None
    (height, width), size = mask.shape, mask.size
    columns = np.flatnonzero(~mask.all(0))  # the others show nothing
    rows, far, hides = np.arange(height)[:, None], height + width, mask[:, columns]
    above = np.maximum.accumulate(np.where(hides, -far, rows), 0)
    below = np.minimum.accumulate(np.where(hides, 2 * far, rows)[::-1], 0)[::-1]
    keys = [((rows - row) ** 2) * size + row.clip(0, height - 1) * width + columns for row in (above, below)]
    nearest = np.minimum(*keys)  # [H, columns]: squared distance and place, in one number
    found = np.arange(size).reshape(mask.shape)
    for y in np.flatnonzero(mask.any(1)):
        hidden = np.flatnonzero(mask[y])
        found[y, hidden] = ((hidden[:, None] - columns) ** 2 * size + nearest[y]).min(1) % size
    return found


def nearest_in_time(frames: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill each masked pixel with what the nearest frame shows at its place, of two equally near ones the earlier one;
    what none shows as `nearest_pixel` does. Arguments of `mode_rgb`."""
    filled, count = nearest_pixel(frames, mask), len(frames)
    for t in range(count):
        left = mask[t].copy()
        for s in sorted((s for s in range(count) if s != t), key=lambda s: (abs(s - t), s)):
            if not left.any():
                break
            take = left & ~mask[s]
            filled[t][take] = frames[s][take]
            left &= mask[s]
    return filled


def median_in_time(frames: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill each masked pixel with the median of what is seen at its place; else as `nearest_pixel` does. Arguments of
    `mode_rgb`."""
    filled = nearest_pixel(frames, mask)
    order = np.sort(np.where(mask[..., None], np.uint16(256), frames), 0)  # what is masked comes last
    seen = (~mask).sum(0)
    middle = np.take_along_axis(order, np.maximum(seen - 1, 0)[None, ..., None] // 2, 0)[0].astype(np.uint8)
    take = mask & (seen > 0)
    filled[take] = np.broadcast_to(middle, frames.shape)[take]
    return filled


def simple_fillers(frames: np.ndarray, mask: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """(name, uint8 [T, H, W, 3]) by each way of filling true-colour footage without looking for motion; arguments of
    `mode_rgb`."""
    from ..motion.spatial import smooth

    yield "nearest frame", nearest_in_time(frames, mask)
    yield "median over time", median_in_time(frames, mask)
    yield "nearest pixel", nearest_pixel(frames, mask)
    surface = np.stack([np.rint(smooth(f, m)) for f, m in zip(frames, mask, strict=True)]).clip(0, 255)
    yield "smooth surface", np.where(mask[..., None], surface.astype(np.uint8), frames)
    yield "mean colour", mean_colour(frames, mask)
