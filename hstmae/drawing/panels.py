"""One picture as a panel: what is hidden, the error, how sure. All are uint8 RGB [H, W, 3]."""

from __future__ import annotations

import numpy as np

BACKGROUND = (24, 24, 28)
CHECKER = (np.array([104, 104, 104], np.uint8), np.array([128, 128, 128], np.uint8))


def show_masked(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture with masked pixels drawn as a grey checker of 8x8 squares (a colour no game would mean)."""
    rows, cols = np.indices(mask.shape[-2:])
    odd = ((rows // 8 + cols // 8) % 2).astype(bool)
    checker = np.where(odd[..., None], CHECKER[1], CHECKER[0])
    return np.where(mask[..., None], checker, rgb).astype(np.uint8)


def show_error(restored: np.ndarray, truth: np.ndarray, gain: int = 2) -> np.ndarray:
    """Black where equal; the absolute difference times `gain` elsewhere."""
    difference = np.abs(restored.astype(np.int16) - truth.astype(np.int16)) * gain
    return np.minimum(difference, 255).astype(np.uint8)


def show_confidence(confidence: np.ndarray) -> np.ndarray:
    """float [H, W], the probability of each pixel's colour -> white where that is 1, black where it is 0."""
    grey = np.rint(255 * np.clip(confidence, 0, 1)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, -1)
