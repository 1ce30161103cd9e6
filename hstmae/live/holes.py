"""What is missing of a stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..masks.meaning import Reading
from ..masks.ranges import Drawn, Frames
from ..masks.sources import Source, Sources
from ..masks.tubes import TubeSpec, tube_mask

_ENDLESS = 1 << 30  # frames: how many come is not known


@dataclass
class Holes:
    """What is missing of each frame, counted from 0.

    Attributes:
        pictures: files, white = missing, in every frame.
        drawn: rectangles and lost frames.
        tube: a synthetic mask.
    """

    pictures: tuple[Path, ...] = ()
    drawn: Drawn = field(default_factory=Drawn)
    tube: TubeSpec | None = None
    _frames: Frames | None = None
    _opened: list[Source] | None = None
    _fixed: np.ndarray | None = None

    def __bool__(self) -> bool:
        return bool(self.pictures or self.drawn.rectangles or self.drawn.lost or self.tube)

    def of(self, number: int, size: tuple[int, int], fps: float) -> np.ndarray:
        """bool [H, W]. Raises DataError: a mask is unreadable, or of another size."""
        if self._frames is None or self._frames.size != size:
            self._open(size, fps)
        assert self._frames is not None and self._fixed is not None
        mask: np.ndarray = self._fixed | self.drawn.of(self._frames, number, 1)[0]
        return mask

    def _open(self, size: tuple[int, int], fps: float) -> None:
        self._frames = frames = Frames("stream", "stream", size, _ENDLESS, None, fps)
        self._fixed = np.zeros(size, bool)
        for path in self.pictures:
            source, _ = Sources(Reading()).open(path, frames)
            self._fixed |= source.of(0, 1)[0]
        if self.tube is not None:
            self._fixed |= tube_mask(size, self.tube)


def hidden(picture: np.ndarray, missing: np.ndarray, palette: np.ndarray | None = None) -> np.ndarray:
    """The picture with what is missing black, or of the darkest colour of its palette."""
    dark = 0 if palette is None else int(palette.astype(np.int64).sum(1).argmin())
    return np.where(missing if picture.ndim == 2 else missing[..., None], np.uint8(dark), picture)
