"""Animated pictures to restore: the frames of one file."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from ...inputs.unpacking import shown
from ...pictures.animated import Animated
from ...pictures.native import Native
from ...pictures.true_colour import RgbPicture
from .base import Stretch


class Animation:
    """The frames of an animated PNG, GIF or WebP file, or the pages of a TIFF file; frames become `f000123.png`, and
    all of them one file again."""

    fps: float | None = None
    has_state = False

    def __init__(self, name: str, path: Path) -> None:
        """Raises DataError as Animated does."""
        self.name, self._path = name, path
        self._animated = Animated(path)
        self.count = len(self._animated)
        self.files = [f"f{k:06d}.png" for k in range(self.count)]
        self._frames: Iterator[np.ndarray] | None = None
        self._kept: dict[int, np.ndarray] = {}  # of the last stretch, which the next one may share frames with
        self._next = 0

    @property
    def place(self) -> str:
        return str(self._path)

    @property
    def delays(self) -> list[Fraction]:
        """Seconds that each frame is shown; those of pages are 0."""
        return self._animated.delays

    @property
    def plays(self) -> int | None:
        """How often it is to be shown, 0 = for ever; None for pages."""
        return self._animated.plays if any(self.delays) else None

    @property
    def remarks(self) -> list[str]:
        return [f"{self._path.name}: {what}" for what in self._animated.lost]

    def signature(self) -> list[list[object]]:
        status = self._path.stat()
        return [[shown(self._path), status.st_size, status.st_mtime_ns]]

    def read(self, start: int, end: int) -> Stretch:
        end = min(end, self.count)
        if self._frames is None or (start < self._next and start not in self._kept):
            self._frames, self._kept, self._next = self._animated.frames(), {}, 0
        self._kept = {k: frame for k, frame in self._kept.items() if k >= start}
        while self._next < end:
            frame = next(self._frames)
            if self._next >= start:
                self._kept[self._next] = frame
            self._next += 1
        span = range(start, end)
        pictures = [self._picture(self._kept[k]) for k in span]
        return Stretch(self.files[start:end], pictures, None, None, np.arange(start, max(start, end)))

    def _picture(self, frame: np.ndarray) -> RgbPicture:
        samples = frame if self._animated.alpha else frame[..., :3]
        return RgbPicture(np.ascontiguousarray(frame[..., :3]), frame[..., 3] == 0, Native(samples, 8))

    def gather(self, folder: Path) -> None:
        """One file of all restored frames, which lie in `folder`, beside them."""
        from PIL import Image

        def frames() -> Iterator[np.ndarray]:
            for file in self.files:
                with Image.open(folder / file) as picture:
                    yield np.asarray(picture.convert("RGBA"))

        self._animated.write(folder / f"{self._path.stem}{self._animated.ending}", frames())
