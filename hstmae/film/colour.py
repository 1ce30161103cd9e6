"""Between the native samples of films and 8-bit RGB, by the film's own matrix and range.

Each chroma sample colours the block of pixels that it belongs to, as most players show it; so the colours of a pixel
depend on its own samples only, and the way back is the mean of each block.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from .layout import Layout, Planes

# Shares of red and blue in luma.
MATRICES = {
    "bt709": (0.2126, 0.0722),
    "fcc": (0.30, 0.11),
    "bt470bg": (0.299, 0.114),
    "smpte170m": (0.299, 0.114),
    "smpte240m": (0.212, 0.087),
    "bt2020nc": (0.2627, 0.0593),
}
_SHIFT = 16
_ROWS = 32  # a multiple of the rows that share a chroma sample


@dataclass(frozen=True)
class Colours:
    """How samples mean colours.

    Attributes:
        layout: of the samples.
        matrix: a name of MATRICES; unused where the samples are RGB or grey.
        full: samples use their whole range; else luma 16 .. 235 and chroma 16 .. 240, in 8 bits.
    """

    layout: Layout
    matrix: str
    full: bool

    def rgb(self, planes: Planes) -> np.ndarray:
        """uint8 [H, W, 3] of planes, not turned upright."""
        size = planes[0].shape
        made = np.empty((*size, 3), np.uint8)
        for start in range(0, size[0], _ROWS):  # few rows at a time stay in the processor's cache
            self._rgb_rows(planes, start, made[start : start + _ROWS])
        return made

    def _rgb_rows(self, planes: Planes, start: int, made: np.ndarray) -> None:
        """Fill `made` uint8 [N, W, 3] with the rows from `start` on."""
        luma, red, green_blue, green_red, blue = _tables(self)
        rows = slice(start, start + len(made))
        if self.layout.kind != "yuv":
            for channel, plane in enumerate((0, 0, 0) if self.layout.kind == "gray" else (2, 0, 1)):
                made[..., channel] = _bytes(luma.take(planes[plane][rows]))
            return
        down = self.layout.down
        u, v = (plane[start >> down : (start >> down) + -(-len(made) >> down)] for plane in planes[1:3])
        base = luma.take(planes[0][rows])
        for channel, shift in enumerate((red.take(v), green_blue.take(u) + green_red.take(v), blue.take(u))):
            made[..., channel] = _bytes(base + self._spread(shift, base.shape))

    def native(self, rgb: np.ndarray) -> Planes:
        """Planes, alpha opaque, of uint8 [H, W, 3] that lies as the film's pictures are stored."""
        top, dtype = self.layout.top, self.layout.dtype
        size = rgb.shape[:2]
        opaque = (np.full(size, top, dtype),) if self.layout.alpha else ()
        if self.layout.kind == "rgb":
            low, span = self._luma_range()
            made = [np.rint(low + rgb[..., k] * (span / 255)) for k in (1, 2, 0)]
            return (*(plane.astype(dtype) for plane in made), *opaque)
        red_share, blue_share = MATRICES[self.matrix]
        r, g, b = (rgb[..., k] / np.float32(255) for k in range(3))
        y = red_share * r + (1 - red_share - blue_share) * g + blue_share * b
        low, span = self._luma_range()
        luma = np.rint(low + span * y).clip(0, top).astype(dtype)
        if self.layout.kind == "gray":
            return luma, *opaque
        middle, reach = self._chroma_range()
        chroma = []
        for colour, share in ((b, blue_share), (r, red_share)):
            mean = self._mean((colour - y) / (2 * (1 - share)))
            chroma.append(np.rint(middle + reach * mean).clip(0, top).astype(dtype))
        return luma, *chroma, *opaque

    def pasted(self, planes: Planes, rgb: np.ndarray, mask: np.ndarray) -> Planes:
        """Planes whose pixels under `mask` bool [H, W] are those of `rgb`; both lie as the pictures are stored.

        Every sample that belongs to a visible pixel stays as it is: a chroma sample is replaced where all its pixels
        are masked. At the rim of a mask that cuts through such a block masked pixels get the new luma with the old
        chroma; a mask that is grown by a pixel has none there. Alpha becomes opaque under the mask.
        """
        if not mask.any():
            return planes
        rows = _span(mask.any(1), self.layout.down)
        columns = _span(mask.any(0), self.layout.across)
        part, hidden = self.native(rgb[rows, columns]), mask[rows, columns]
        whole = self._mean(hidden.astype(np.float32)) == 1
        made = []
        for number, (plane, new) in enumerate(zip(planes, part, strict=True)):
            chroma = self.layout.kind == "yuv" and number in (1, 2)
            down, across = (self.layout.down, self.layout.across) if chroma else (0, 0)
            result = plane.copy()
            place = result[rows.start >> down :, columns.start >> across :][: new.shape[0], : new.shape[1]]
            np.copyto(place, new, where=whole if chroma else hidden)
            made.append(result)
        return tuple(made)

    def _luma_range(self) -> tuple[float, float]:
        """(sample of black, samples from black to white)"""
        scale = 1 << (self.layout.bits - 8)
        return (0, self.layout.top) if self.full or self.layout.kind == "rgb" else (16 * scale, 219 * scale)

    def _chroma_range(self) -> tuple[float, float]:
        """(sample of no colour, samples from the least to the most)"""
        scale = 1 << (self.layout.bits - 8)
        return 128 * scale, self.layout.top if self.full else 224 * scale

    def _spread(self, chroma: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
        """One value per chroma sample -> one per pixel of pictures of `size`."""
        if self.layout.down:
            chroma = chroma.repeat(1 << self.layout.down, 0)
        if self.layout.across:
            chroma = chroma.repeat(1 << self.layout.across, 1)
        return chroma[: size[0], : size[1]]

    def _mean(self, values: np.ndarray) -> np.ndarray:
        """One value per pixel -> the mean of those that share a chroma sample."""
        down, across = 1 << self.layout.down, 1 << self.layout.across
        if down == across == 1:
            return values
        height, width = values.shape
        padded = np.pad(values, ((0, -height % down), (0, -width % across)), constant_values=np.nan)
        blocks = padded.reshape(padded.shape[0] // down, down, padded.shape[1] // across, across)
        return np.nanmean(blocks, axis=(1, 3))


def _span(any_masked: Any, step: int) -> slice:
    """The part that holds all that is masked, from a multiple of 2 ** step to one or to the end."""
    places = np.flatnonzero(any_masked)
    return slice(int(places[0]) >> step << step, -(-(int(places[-1]) + 1) >> step) << step)


def _bytes(scaled: np.ndarray) -> np.ndarray:
    """0 .. 255, in the place of what was scaled."""
    scaled >>= _SHIFT
    return np.clip(scaled, 0, 255, out=scaled)


@lru_cache(maxsize=8)
def _tables(colours: Colours) -> tuple[np.ndarray, ...]:
    """What each sample adds to which channel, int32 in 2 ** -16: luma to all, V to red, U and V to green, U to blue."""
    samples = np.arange(colours.layout.top + 1, dtype=np.float64)
    low, span = colours._luma_range()
    scale = 255 * (1 << _SHIFT)
    luma = (samples - low) / span * scale + (1 << (_SHIFT - 1))  # rounds
    tables = [luma]
    if colours.layout.kind == "yuv":
        red, blue = MATRICES[colours.matrix]
        middle, reach = colours._chroma_range()
        chroma = (samples - middle) / reach * scale
        from_v, from_u = 2 * (1 - red), 2 * (1 - blue)
        green = 1 - red - blue
        tables += [from_v * chroma, -blue * from_u / green * chroma, -red * from_v / green * chroma, from_u * chroma]
    else:
        tables += [np.zeros(1)] * 4
    return tuple(np.rint(table).astype(np.int32) for table in tables)
