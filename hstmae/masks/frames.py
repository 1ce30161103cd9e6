"""What masks have to fit: the frames of one footage, described without reading them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataError

_SLACK = 5e-7  # seconds: times are written in decimals, those of frames are fractions


@dataclass(frozen=True)
class Frames:
    """The frames of one footage.

    Attributes:
        name: of the sequence inside its input; "" for an input that is itself the sequence.
        place: names the footage in messages.
        size: height and width.
        count: how many.
        files: the names that the frames have, in order; None for films.
        fps: frames per second, None where nothing says.
        starts: float64 [count], when each frame is shown, in seconds; None = at a constant rate.
    """

    name: str
    place: str
    size: tuple[int, int]
    count: int
    files: Sequence[str] | None = None
    fps: float | None = None
    starts: np.ndarray | None = None

    def times(self, first: int, count: int) -> np.ndarray:
        """float64 [count]: when the frames from position `first` on are shown, in seconds after the first of all.

        Raises:
            DataError: nothing tells the rate.
        """
        if self.starts is not None:
            return self.starts[np.minimum(np.arange(first, first + count), len(self.starts) - 1)] + _SLACK
        if not self.fps:
            raise DataError(f"{self.place}: has no frame rate, so ranges are written in frames, e.g. 10-20")
        return np.arange(first, first + count) / self.fps + _SLACK
