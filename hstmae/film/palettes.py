"""Frames of at most 256 colours, as GIF holds them."""

from __future__ import annotations

from typing import Any

import numpy as np


def palette_frame(rgb: np.ndarray, alpha: np.ndarray | None) -> tuple[Any, bool]:
    """(PyAV frame of format pal8, whether colours were brought together) of uint8 [H, W, 3], [H, W] 0 = clear."""
    import av
    from PIL import Image

    packed = (rgb[..., 0].astype(np.int32) << 16) | (rgb[..., 1].astype(np.int32) << 8) | rgb[..., 2]
    clear = np.zeros(packed.shape, bool) if alpha is None else alpha == 0
    room = 256 - bool(clear.any())
    colours, indices = np.unique(packed, return_inverse=True)
    reduced = len(colours) > room
    if reduced:
        small = Image.fromarray(rgb).quantize(room, dither=Image.Dither.NONE)
        table = np.array(small.getpalette("RGB"), np.uint8).reshape(-1, 3)
        indices = np.asarray(small)
    else:
        table = np.stack([colours >> 16, (colours >> 8) & 255, colours & 255], -1).astype(np.uint8)
    palette = np.zeros((256, 4), np.uint8)  # alpha, red, green, blue
    palette[:, 0] = 255
    palette[: len(table), 1:] = table[:256]
    indices = indices.reshape(packed.shape).astype(np.uint8)
    if clear.any():
        palette[255] = 0
        indices = np.where(clear, np.uint8(255), indices)
    return av.VideoFrame.from_ndarray((indices, palette), format="pal8"), reduced
