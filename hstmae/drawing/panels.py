"""One picture as a panel: what is hidden, the error, how sure. All are uint8 RGB [H, W, 3]."""

from __future__ import annotations

import numpy as np

BACKGROUND = (24, 24, 28)
TINT, TINT_COLOUR = 0.45, (255, 0, 200)
LUMA, DIM = (0.299, 0.587, 0.114), 0.45  # of pixels that are there for orientation alone
CHECKER = (np.array([104, 104, 104], np.uint8), np.array([128, 128, 128], np.uint8))


def show_masked(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture with masked pixels drawn as a grey checker of 8x8 squares (a colour no game would mean)."""
    rows, cols = np.indices(mask.shape[-2:])
    odd = ((rows // 8 + cols // 8) % 2).astype(bool)
    checker = np.where(odd[..., None], CHECKER[1], CHECKER[0])
    return np.where(mask[..., None], checker, rgb).astype(np.uint8)


def show_tinted(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture with masked pixels tinted."""
    tinted = (1 - TINT) * rgb + TINT * np.array(TINT_COLOUR, np.float32)
    return np.where(mask[..., None], tinted, rgb).astype(np.uint8)


def show_error(restored: np.ndarray, truth: np.ndarray, gain: int = 2) -> np.ndarray:
    """Black where equal; the absolute difference times `gain` elsewhere."""
    difference = np.abs(restored.astype(np.int16) - truth.astype(np.int16)) * gain
    return np.minimum(difference, 255).astype(np.uint8)


def show_confidence(confidence: np.ndarray) -> np.ndarray:
    """float [H, W], the probability of each pixel's colour -> white where that is 1, black where it is 0."""
    grey = np.rint(255 * np.clip(confidence, 0, 1)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, -1)


def show_labels(rgb: np.ndarray, labels: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Pixels of a label above 0 in its colour, over the picture in dim grey.

    Args:
        rgb: uint8 [H, W, 3].
        labels: integer [H, W].
        colours: uint8 [K, 3], by label; the first is not used.
    """
    dim = (rgb.astype(np.float32) @ np.array(LUMA, np.float32) * DIM).astype(
        np.uint8
    ) & 0xF0  # in few steps: small files
    return np.where(labels[..., None] > 0, colours[labels], dim[..., None]).astype(np.uint8)
