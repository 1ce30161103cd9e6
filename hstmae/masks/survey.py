"""What there is in the masks of one source: the distinct values, colours and levels of transparency, counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from .planes import Plane

NEAR = 16  # levels that a channel of one colour may be off
_TINT = 24  # largest difference of the channels of lossy grey
_MANY = 4096  # distinct colours that are counted at most
_DARK, _BRIGHT = 64, 192


@dataclass
class Counts:
    """Distinct values in order, and how often each occurs."""

    values: np.ndarray = field(default_factory=lambda: np.zeros(0))
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def add(self, pixels: np.ndarray, factor: int = 1) -> None:
        """Count `pixels`, each multiplied by `factor`."""
        if pixels.dtype in (np.uint8, np.uint16):
            counts = np.bincount(pixels.ravel())
            values = np.flatnonzero(counts)
            counts = counts[values]
        else:
            values, counts = np.unique(pixels, return_counts=True)
        joined, place = np.unique(np.concatenate([self.values, values * factor]), return_inverse=True)
        self.counts = np.bincount(place, np.concatenate([self.counts, counts]), len(joined)).astype(np.int64)
        self.values = joined

    def __len__(self) -> int:
        return len(self.values)

    def __contains__(self, value: object) -> bool:
        return bool((self.values == value).any())

    @property
    def most(self) -> float:
        return float(self.values[-1]) if len(self) else 0.0

    @property
    def rarest(self) -> int:
        return int(self.values[self.counts.argmin()])

    def only(self, value: float) -> bool:
        return len(self) == 1 and float(self.values[0]) == value


@dataclass
class Survey:
    """What was seen in the masks of one source.

    Attributes:
        values: of all pixels; floats rounded to half precision.
        seen: the same on black where they are transparent.
        colours: packed, of pixels that are not wholly transparent; None = too many to be labels.
        alphas: levels of transparency; indices: palette entries.
        grey: no pixel that is seen has a tint.
        spread: largest difference in one channel among pixels that are seen.
        masks: how many; `clear` of them have transparency, `indexed` a palette.
        tops: as Plane.top.
    """

    values: Counts = field(default_factory=Counts)
    seen: Counts = field(default_factory=Counts)
    colours: Counts | None = field(default_factory=Counts)
    alphas: Counts = field(default_factory=Counts)
    indices: Counts = field(default_factory=Counts)
    grey: bool = True
    lossy: bool = False
    masks: int = 0
    clear: int = 0
    indexed: int = 0
    tops: set[float] = field(default_factory=set)
    _low: np.ndarray = field(default_factory=lambda: np.full(3, 255))
    _high: np.ndarray = field(default_factory=lambda: np.zeros(3, int))
    _visible: int = 0
    _middle: int = 0

    @property
    def spread(self) -> int:
        return int((self._high - self._low).max(initial=0))

    @property
    def middling(self) -> float:
        """Share of the pixels that are seen that are neither dark nor bright."""
        return self._middle / max(self._visible, 1)

    def add(self, plane: Plane) -> None:
        self.masks += 1
        self.lossy |= plane.lossy
        self.tops.add(plane.top)
        self.values.add(_rounded(plane.values))
        if plane.alpha is not None:
            self.clear += 1
            self.alphas.add(plane.alpha)
            self.seen.add(over_black(plane))
        if plane.index is not None:
            self.indexed += 1
            self.indices.add(plane.index)
        if plane.rgb is not None:
            self._add_colours(plane.rgb.reshape(-1, 3) if plane.alpha is None else plane.rgb[plane.alpha > 0])

    def _add_colours(self, rgb: np.ndarray) -> None:
        if not len(rgb):
            return
        bright, dark = rgb.max(1), rgb.min(1)
        tint = int((bright - dark).max())
        self.grey &= tint <= (_TINT if self.lossy else 0)
        self._low, self._high = np.minimum(self._low, rgb.min(0)), np.maximum(self._high, rgb.max(0))
        self._visible += len(rgb)
        self._middle += int(((bright >= _DARK) & (bright < _BRIGHT)).sum())
        if self.colours is not None:
            if tint:
                self.colours.add(_packed(rgb))
            else:
                self.colours.add(bright, 0x10101)
            if len(self.colours) > _MANY:
                self.colours = None


def survey(planes: Iterable[Plane]) -> Survey:
    made = Survey()
    for plane in planes:
        made.add(plane)
    return made


def over_black(plane: Plane) -> np.ndarray:
    """The values as they look on a black ground."""
    if plane.alpha is None:
        return plane.values
    return (plane.values.astype(np.int32) * plane.alpha + 127) // 255


def packed_colours(plane: Plane) -> np.ndarray:
    """int32 [H, W]; of planes without colours the greys, in 8 bits."""
    if plane.rgb is not None:
        return _packed(plane.rgb)
    grey = np.clip(plane.values * (255 / (plane.top or 255)), 0, 255).round().astype(np.int32)
    return grey * 0x10101


def _packed(rgb: np.ndarray) -> np.ndarray:
    return rgb.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def _rounded(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16) if values.dtype.kind == "f" else values
