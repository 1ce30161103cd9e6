"""Pictures that somebody enlarged by a whole number: their own size holds all that they show."""

from __future__ import annotations

import math

import numpy as np

_EDGES = 24  # columns, and rows, that differ from the one before: with fewer nothing can be said


class Enlarged:
    """Finds by how much pictures are enlarged, once there is something to be seen, and takes that back.

    Attributes:
        times: 1 = not, or not known yet.
    """

    def __init__(self) -> None:
        self.times = 1
        self._known = False

    def own(self, picture: np.ndarray) -> np.ndarray:
        """uint8 [H / times, W / times] or [..., 3] of a picture uint8 [H, W] or [H, W, 3]. From the first picture on
        that was not enlarged like those before it, all come as they are."""
        if not self._known:
            self.times = self._found(picture)
        if self.times == 1:
            return picture
        small = picture[:: self.times, :: self.times]
        if not self._is(picture, small):
            self.times, self._known = 1, True
            return picture
        return np.ascontiguousarray(small)

    def _is(self, picture: np.ndarray, small: np.ndarray) -> bool:
        return bool((small.repeat(self.times, 0).repeat(self.times, 1) == picture).all())

    def _found(self, picture: np.ndarray) -> int:
        height, width = picture.shape[:2]
        over = tuple(range(2, picture.ndim))
        down = np.flatnonzero((picture[1:] != picture[:-1]).any((1, *over))) + 1
        if len(down) < _EDGES:
            return 1
        across = np.flatnonzero((picture[:, 1:] != picture[:, :-1]).any((0, *over))) + 1
        if len(across) < _EDGES:
            return 1
        self._known = True
        return math.gcd(height, width, *down.tolist(), *across.tolist())
