"""Pictures of true colour, pixel by pixel: see _colours.c, which codes them."""

from __future__ import annotations

import math

import numpy as np

from ...errors import CodecError
from ..container.gop import GopShape
from .differences import Step
from .kernel import DECODE, ENCODE, PART, Backend

LARGEST = 1 << 22  # pixels of a picture that is coded so: that takes 33 bytes of memory for each
_BITS = 14, 20  # of the tables, for groups of few pixels and of many
_READ_BITS = 8, 22  # those that are read
_BACK = 1 << 24  # pixels of earlier pictures that are looked through


def look_back(size: tuple[int, int, int]) -> int:
    """How many pictures of a group [T, H, W] are looked through for what is drawn; part of the format."""
    return max(2, min(size[0] + 1, _BACK // (size[1] * size[2])))


def encode_pixels(frames: np.ndarray, kernel: Backend, step: Step) -> bytes:
    """uint8 [T, H, W, 3]; `step`: called with the share of the work that was done since the last call."""
    count, height, width, _ = frames.shape
    size = count, height, width
    bits = max(_BITS[0], min(_BITS[1], math.prod(size).bit_length()))
    painter = kernel.colour(ENCODE, size, look_back(size), bits, b"")
    try:
        for picture in frames:
            painter.picture(np.ascontiguousarray(picture), lambda share: step(share / count))
        return bytes([bits]) + painter.finish()
    finally:
        painter.close()


def decode_pixels(data: bytes, shape: GopShape, kernel: Backend, count: int) -> np.ndarray:
    """The first `count` pictures of the group, uint8 [count, H, W, 3]. Raises CodecError: data that make no sense."""
    if not data or not _READ_BITS[0] <= data[0] <= _READ_BITS[1] or shape.height * shape.width > LARGEST:
        raise CodecError("damaged stream of pictures: it is cut off, or states what no encoder writes")
    size = shape.frames, shape.height, shape.width
    out = np.zeros((count, shape.height, shape.width, 3), np.uint8)
    painter = kernel.colour(PART if count < shape.frames else DECODE, size, look_back(size), data[0], data[1:])
    try:
        for picture in out:
            painter.picture(picture)
        painter.finish()
    finally:
        painter.close()
    return out
