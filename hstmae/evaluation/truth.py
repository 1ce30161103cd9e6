"""What restorations of a clip are measured against: worked out once, however many of them there are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..games.palette import pack_rgb
from ..games.pixels import View
from .similarity import Similarity, one_region


@dataclass(frozen=True)
class Truth:
    """The true frames of a clip and what was hidden of them.

    Attributes:
        frames: uint8 [T, H, W] palette indices; of true-colour footage uint8 [T, H, W, 3].
        palette: uint8 [K, 3]; None for true colour, where a pixel is exact when its three channels are.
        mask: bool [T, H, W], True where the pixel was hidden; all figures are of these.
        regions: region ids [T, H, W], for SSIM inside regions and across their borders; None leaves these out.
        sprites: bool [T, H, W], where sprites are; None leaves out how many of their pixels are exact.
    """

    frames: np.ndarray
    palette: np.ndarray | None
    mask: np.ndarray
    regions: np.ndarray | None = None
    sprites: np.ndarray | None = None

    @classmethod
    def of(cls, view: View, palette: np.ndarray | None, counted: np.ndarray | None = None) -> Truth:
        """Of a view of the true frames; `counted` bool [T], frames that are measured, None = all."""
        keep = slice(None) if counted is None else counted
        sprites = None if view.sprites is None else view.sprites[keep]
        return cls(view.frames[keep], palette, view.mask[keep], view.regions[keep], sprites)

    @cached_property
    def hidden(self) -> int:
        """Number of hidden pixels."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def colours(self) -> np.ndarray:
        """uint8 [T, H, W, 3]."""
        return self.frames if self.palette is None else self.palette[self.frames]

    @cached_property
    def packed(self) -> np.ndarray:
        """int32 [T, H, W], see `pack_rgb`."""
        return pack_rgb(self.frames) if self.palette is None else pack_rgb(self.palette)[self.frames]

    @cached_property
    def still(self) -> np.ndarray:
        """Pixels hidden in two frames in a row that do not change between them: bool [T - 1, H, W]."""
        return np.asarray(self.mask[1:] & self.mask[:-1] & (self.packed[1:] == self.packed[:-1]))

    @cached_property
    def single(self) -> np.ndarray | None:
        """See `one_region`."""
        return None if self.regions is None else one_region(self.regions)

    @cached_property
    def similarity(self) -> Similarity:
        return Similarity(self.colours)
