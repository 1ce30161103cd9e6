"""One frame as a .hst file gives it."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np


@dataclass(frozen=True)
class HstFrame:
    """One frame.

    Attributes:
        episode: name.
        index: position among the frames of its episode that the file holds.
        number: the recorder's frame number.
        pixels: uint8 [H, W] palette indices, or [H, W, 3] RGB.
        palette: uint8 [K, 3], None for RGB.
        state: uint8 [S], None where the file holds none.
        action: controller byte, None likewise.
    """

    episode: str
    index: int
    number: int
    pixels: np.ndarray
    palette: np.ndarray | None
    state: np.ndarray | None
    action: int | None

    @property
    def rgb(self) -> np.ndarray:
        """uint8 [H, W, 3]."""
        return self.pixels if self.palette is None else _colours(self.palette)[self.pixels]


def _colours(palette: np.ndarray) -> np.ndarray:
    """256 entries: pictures are data, and may name colours that the palette has not; those are black."""
    return np.concatenate([palette, np.zeros((256 - len(palette), 3), np.uint8)])


def rate(fps: float) -> Fraction:
    """A frame rate as an exact number, 60.0988 as 600988/10000: positions in time never drift."""
    return Fraction(fps).limit_denominator(100_000)
