"""A film as a mask: as many frames as the footage, white = missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..film.reading import FilmReader
from .frames import Frames
from .meaning import Reading, decide, middle
from .planes import Plane
from .survey import Survey

_LOOKED_AT = 64  # frames from which it is decided how a film is read, more where these are all dark


class FilmMask:
    """Masks of a film, read forwards a stretch at a time.

    What can be wrong is looked for at the beginning, in the film's head and its first frames, not in all of hours: the
    number of its frames is counted without decoding them.

    Attributes:
        share: not known.
        notes: what the user should know about how it is read.

    Raises:
        DataError: unreadable, of another number of frames than the footage, or not to be understood.
    """

    share: float | None = None

    def __init__(self, path: Path, frames: Frames, reading: Reading) -> None:
        self._where = f"mask {path}"
        self._reader = FilmReader(path, with_times=True)
        self.size = self._reader.facts.upright_size
        self.count = len(self._reader.facts.times)
        if self.count not in (1, frames.count):
            raise DataError(
                f"{self._where}: has {self.count} frames, {frames.place} {frames.count}; a mask film has one for each"
            )
        self._meaning, self.share, notes = decide(self._look(), reading, self._where)
        if self.count > _LOOKED_AT and self.share:
            self.share = None  # of the frames looked at
        self.notes = [f"{note} (in the frames looked at)" if "everything" in note else note for note in notes]
        self._frames: Iterator[Plane] | None = None
        self._next = 0
        self._kept: dict[int, np.ndarray] = {}  # packed bits of the last stretch, which the next one may share

    def _look(self) -> Survey:
        """What there is in the first frames, and in those after them up to the first one that is not dark."""
        seen = Survey()
        for plane in self._planes():
            seen.add(plane)
            if seen.masks >= _LOOKED_AT and seen.values.most >= middle(255):
                break
        return seen

    def _planes(self) -> Iterator[Plane]:
        reader, layout = self._reader, self._reader.layout
        for frame in reader.frames():
            rgb = reader.rgb(frame)
            alpha = None
            if layout.alpha:
                alpha = reader.facts.orientation.upright(frame.planes[-1] >> (layout.bits - 8)).astype(np.uint8)
            yield Plane(rgb.max(-1), 255, rgb, alpha, lossy=True)
        if reader.damage:
            raise DataError(f"{self._where}: cannot be read to its end: {reader.damage}")

    def of(self, first: int, count: int) -> np.ndarray:
        """bool [count, H, W], or [1, H, W] of a film of one frame."""
        if self.count == 1:
            first, count = 0, 1
        self._kept = {t: bits for t, bits in self._kept.items() if first <= t < first + count}
        start = next((t for t in range(first, first + count) if t not in self._kept), None)
        if start is not None and (self._frames is None or start < self._next):
            self._frames, self._next = self._planes(), 0
        while self._frames is not None and self._next < first + count:
            plane = next(self._frames, None)
            if plane is None:
                raise DataError(f"{self._where}: ends after {self._next} frames")
            if self._next >= first:
                self._kept[self._next] = np.packbits(self._meaning.of(plane))
            self._next += 1
        shape, size = (count, *self.size), self.size[0] * self.size[1]
        bits = np.stack([self._kept[t] for t in range(first, first + count)])
        return np.unpackbits(bits, axis=1, count=size).astype(bool).reshape(shape)
