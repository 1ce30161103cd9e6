"""Masks made larger: some pixels all around, wholly missing or with weights that fade out."""

from __future__ import annotations

import numpy as np


def _box(mask: np.ndarray, margin: int) -> tuple[slice, slice] | None:
    """Rows and columns around all True of [T, H, W], with a margin; None where nothing is."""
    flat = np.asarray(mask.any(0))
    rows, columns = np.flatnonzero(flat.any(1)), np.flatnonzero(flat.any(0))
    if not len(rows):
        return None
    return (
        slice(max(rows[0] - margin, 0), rows[-1] + margin + 1),
        slice(max(columns[0] - margin, 0), columns[-1] + margin + 1),
    )


def _step(mask: np.ndarray, corners: bool) -> np.ndarray:
    """One pixel larger, to four sides or, with `corners`, to eight."""
    tall = mask.copy()
    tall[:, 1:] |= mask[:, :-1]
    tall[:, :-1] |= mask[:, 1:]
    wide = (tall if corners else mask).copy()
    source = tall if corners else mask
    wide[:, :, 1:] |= source[:, :, :-1]
    wide[:, :, :-1] |= source[:, :, 1:]
    return wide if corners else wide | tall


def dilate(mask: np.ndarray, pixels: int) -> np.ndarray:
    """bool [T, H, W] grown by `pixels` on all sides, nearly round (steps to eight and to four sides in turn)."""
    box = _box(mask, pixels) if pixels else None
    if box is None:
        return mask
    part = mask[:, box[0], box[1]]
    for step in range(pixels):
        part = _step(part, step % 2 == 0)
    grown = mask.copy()
    grown[:, box[0], box[1]] = part
    return grown


def feather(mask: np.ndarray, pixels: int) -> np.ndarray:
    """How much of each pixel comes from the restoration: float32 [T, H, W], 1 inside the mask, falling to 0 outside.

    At distance d (in steps as of `dilate`) it is 1 - d / (pixels + 1): the mask grown by `pixels` is where it is not 0.
    """
    weight = mask.astype(np.float32)
    box = _box(mask, pixels) if pixels else None
    if box is None:
        return weight
    part, ring = mask[:, box[0], box[1]], weight[:, box[0], box[1]]
    for step in range(pixels):
        grown = _step(part, step % 2 == 0)
        ring[grown & ~part] = 1 - (step + 1) / (pixels + 1)
        part = grown
    return weight
