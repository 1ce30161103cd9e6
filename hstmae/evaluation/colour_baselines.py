"""Fillers for true-colour footage. Like those for palettes they see exactly what the model sees."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..pictures.colours import pack_rgb, unpack_rgb
from .metrics import MetricSums

NO_CAMERA = "the footage does not say how its camera moves, and tubes hide the same places in every frame of the clip"
_ROWS = 16  # rows of pixels whose distances are held at a time


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
    """bool [H, W] -> int64 [H, W] flat place of the nearest pixel that is not masked; None where there is none."""
    height, width = mask.shape
    edge = np.pad(mask, 1, constant_values=False)  # only visible pixels beside a masked one can be nearest to one
    beside = edge[:-2, 1:-1] | edge[2:, 1:-1] | edge[1:-1, :-2] | edge[1:-1, 2:]
    places = np.flatnonzero(~mask & beside)
    own = np.arange(mask.size).reshape(mask.shape)
    if mask.all():
        return None
    if not len(places):
        return own
    y, x = places // width, places % width
    found = own.copy()
    for top in range(0, height, _ROWS):
        rows, cols = np.nonzero(mask[top : top + _ROWS])
        distance = (rows[:, None] + top - y) ** 2 + (cols[:, None] - x) ** 2
        found[top + rows, cols] = places[distance.argmin(1)]
    return found


class ColourBaselines:
    """Sums of the fillers' figures over the clips of an evaluation."""

    FILLERS = (("mode_colour", mode_rgb), ("mean_colour", mean_colour), ("nearest_pixel", nearest_pixel))

    def __init__(self) -> None:
        self._sums = {name: MetricSums() for name, _ in self.FILLERS}

    def add(self, truth: np.ndarray, mask: np.ndarray, regions: np.ndarray) -> None:
        """Fill one clip and measure it: uint8 [T, H, W, 3], bool [T, H, W], region ids [T, H, W]."""
        seen = np.where(mask[..., None], np.uint8(0), truth)
        for name, fill in self.FILLERS:
            self._sums[name].add(
                truth=truth, indices=None, rgb=fill(seen, mask), palette=None, mask=mask, regions=regions
            )

    def result(self) -> dict[str, Any]:
        """Figures by filler; `camera_copy`, which palette games have, is null with a reason."""
        figures: dict[str, Any] = {name: sums.result() for name, sums in self._sums.items()}
        return {**figures, "camera_copy": None, "camera_copy_reason": NO_CAMERA}
