"""Where it is said what is missing: checked for whole inputs before work, then told stretch by stretch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import DataError, UsageError
from ..masks.detect import detect
from ..masks.frames import Frames
from ..masks.growing import dilate, feather
from ..masks.meaning import Reading
from ..masks.painted import TOLERANCE
from ..masks.ranges import Drawn
from ..masks.sources import Source, Sources
from ..masks.tubes import TubeSpec, tube_mask
from ..pictures.base import Picture
from .footage.base import Footage, Stretch
from .footage.film import Film

_AT_ONCE = 64  # frames that are looked through at a time for transparent pixels


@dataclass(frozen=True)
class Missing:
    """What is missing of a stretch.

    Attributes:
        mask: bool [T, H, W].
        fills: packed colours taken for damage.
        synthetic: what the mask hides is the truth, so that the restoration can be measured.
        weight: float32 [T, H, W], how much of a pixel comes from the restoration; None = all of it under the mask.
    """

    mask: np.ndarray
    fills: list[int]
    synthetic: bool
    weight: np.ndarray | None = None

    def mixed(self, t: int, restored: np.ndarray, picture: Picture) -> np.ndarray:
        """The restored pixels of frame `t`, uint8 [H, W] or [H, W, 3], faded into those of the picture."""
        if self.weight is None:
            return restored
        weight = self.weight[t][..., None]
        return np.rint(restored * weight + picture.pixels * (1 - weight)).astype(np.uint8)


@dataclass
class MaskRules:
    """Where it is said what is missing. Transparent pixels are always missing; all others add to them.

    Attributes:
        paths: mask files, films or folders of masks, see masks.sources.
        reading: how values of mask files are to be understood.
        partial: in folders of masks, frames without one are not damaged.
        tube: a synthetic tube mask.
        drawn: rectangles and lost frames.
        detect: look for painted blocks; `fill` is their packed colour where it is known, `tolerance` how many levels
            compression may have changed it.
        dilate: pixels by which all that is missing is made larger.
        feather: pixels over which the restoration fades into what is visible, outside of what is missing.
    """

    paths: Sequence[Path] = ()
    reading: Reading = field(default_factory=Reading)
    partial: bool = False
    tube: TubeSpec | None = None
    drawn: Drawn = field(default_factory=Drawn)
    detect: bool = False
    fill: int | None = None
    tolerance: int = TOLERANCE
    dilate: int = 0
    feather: int = 0
    _open: dict[tuple[str, str], tuple[Frames, list[Source]]] = field(default_factory=dict)

    def check(self, sequences: Sequence[Footage]) -> list[str]:
        """Look at all that can be wrong with the masks of these footages, before a frame of them is restored.

        Returns:
            What the user should know about how they were read.
        Raises:
            DataError: a mask is not there, unreadable, of another size or number than the frames, or hides nothing.
            UsageError: an option does not fit the footage.
        """
        notes: list[str] = []
        sources = Sources(self.reading, self.partial)
        for footage in sequences:
            notes += self._fit(footage, sources)
        notes += self.drawn.check([self._open[footage.place, footage.name][0] for footage in sequences])
        notes = list(dict.fromkeys(notes))
        if self._says_nothing() and not any(_transparent(footage) for footage in sequences):
            seen = "; ".join(notes) or "no pixel is transparent"
            raise DataError(f"nothing is missing: {seen}; say what is with --mask, --rect, --lost or --detect")
        return notes

    def _says_nothing(self) -> bool:
        drawn = self.drawn.rectangles or self.drawn.lost
        opened = [source for _, sources in self._open.values() for source in sources]
        return not (drawn or self.detect or self.tube) and all(source.share == 0 for source in opened)

    def _fit(self, footage: Footage, sources: Sources) -> list[str]:
        """Open the masks of one footage."""
        pictures = footage.read(0, 1).pictures
        if not pictures:
            raise DataError(f"{footage.place}: holds no frame that can be read")
        if self.feather and pictures[0].palette is not None:
            raise UsageError(f"{footage.place}: has a palette, whose colours cannot fade; use --dilate, not --feather")
        frames = Frames(
            footage.name, footage.place, pictures[0].size, footage.count, getattr(footage, "files", None), footage.fps,
            _starts(footage),
        )  # fmt: skip
        opened = [sources.open(path, frames) for path in self.paths]
        self._open[footage.place, footage.name] = frames, [source for source, _ in opened]
        return [note for _, notes in opened for note in notes]

    def looked_for(self) -> str:
        """What `detect` looks for, in words."""
        if self.fill is not None:
            return (
                f"rectangles of at least 8x8 pixels in #{self.fill:06x}, each channel up to {self.tolerance} levels off"
            )
        return "16x16 blocks, counted from the upper left corner, in a colour that is hardly anywhere else"

    def of(self, footage: Footage, stretch: Stretch, first: int) -> Missing:
        """What is missing of a stretch of `footage` that begins at position `first`.

        Raises:
            DataError: as of `check`, of a footage that it has not seen; or a mask cannot be read any more.
        """
        if (footage.place, footage.name) not in self._open:
            self._fit(footage, Sources(self.reading, self.partial))
        frames, sources = self._open[footage.place, footage.name]
        pictures, found = stretch.pictures, list[int]()
        mask = np.stack([p.missing for p in pictures])
        if self.tube is not None:
            mask |= tube_mask(frames.size, self.tube)
        for source in sources:
            mask |= source.of(first, len(mask))
        mask |= self.drawn.of(frames, first, len(mask))
        if self.detect:
            painted, found = detect(
                np.stack([p.packed for p in pictures]), pictures[0].palette, self.fill, self.tolerance
            )
            mask |= painted
        mask = dilate(mask, self.dilate)
        if not self.feather:
            return Missing(mask, found, self.tube is not None)
        weight = feather(mask, self.feather)
        return Missing(weight > 0, found, self.tube is not None, weight)


def _starts(footage: Footage) -> np.ndarray | None:
    """When each frame of a film is shown, in seconds after the first; None where nothing says."""
    if not isinstance(footage, Film) or not footage.reader.facts.times:
        return None
    facts = footage.reader.facts
    return np.array([float((time - facts.times[0]) * facts.time_base) for time in facts.times])


def _transparent(footage: Footage) -> bool:
    """Whether any pixel of the footage is transparent."""
    position = 0
    while pictures := footage.read(position, position + _AT_ONCE).pictures:
        if any(picture.missing.any() for picture in pictures):
            return True
        position += len(pictures)
    return False
