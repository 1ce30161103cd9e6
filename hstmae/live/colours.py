"""True colour with few colours becomes indices of a palette, which grows with what is seen."""

from __future__ import annotations

import numpy as np

MOST = 256


class Colours:
    """A palette of what has been shown. While all fits, a picture has the colours before it and perhaps new ones."""

    def __init__(self) -> None:
        self._index = np.full(1 << 24, -1, np.int16)
        self._known = 0
        self._palette = np.zeros((MOST, 3), np.uint8)
        self._shown: np.ndarray | None = None
        self._full = False

    def of(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """uint8 [H, W] indices and [K, 3] palette of a picture uint8 [H, W, 3]; the picture itself and None as soon as
        more than MOST colours were seen."""
        if self._full:
            return picture, None
        packed = (picture[..., 0].astype(np.int32) << 16) | (picture[..., 1].astype(np.int32) << 8) | picture[..., 2]
        found = self._index[packed]
        if (found < 0).any():
            new = np.unique(packed[found < 0])
            if self._known + len(new) > MOST:
                self._full = True
                self._index = np.empty(0, np.int16)
                return picture, None
            at = np.arange(self._known, self._known + len(new))
            self._index[new] = at
            self._palette[at] = np.stack([new >> 16, new >> 8 & 255, new & 255], 1)
            self._known += len(new)
            self._shown = None
            found = self._index[packed]
        if self._shown is None:
            self._shown = self._palette[: self._known].copy()
        return found.astype(np.uint8), self._shown
