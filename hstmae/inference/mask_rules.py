"""Where it is said what is missing: checked for whole inputs before work, then told stretch by stretch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..masks.detect import detect
from ..masks.files import load_mask
from ..masks.tubes import TubeSpec, tube_mask
from .footage.base import Footage, Stretch


@dataclass(frozen=True)
class Missing:
    """What is missing of a stretch.

    Attributes:
        mask: bool [T, H, W].
        fills: packed colours taken for damage.
        synthetic: what the mask hides is the truth, so that the restoration can be measured.
    """

    mask: np.ndarray
    fills: list[int]
    synthetic: bool


@dataclass(frozen=True)
class MaskRules:
    """Where it is said what is missing. Transparent pixels are always missing; the others add to them.

    Attributes:
        path: a mask picture for every frame, or a folder with one of the frame's name for each.
        tube: a synthetic tube mask.
        detect: look for painted blocks; `fill` is their packed colour where it is known.
    """

    path: Path | None = None
    tube: TubeSpec | None = None
    detect: bool = False
    fill: int | None = None

    def check(self, sequences: Sequence[Footage]) -> list[str]:
        """Look at all that can be wrong with the masks of these footages, before a frame of them is restored.

        Returns:
            What the user should know about how they were read.
        Raises:
            DataError: a mask does not fit.
        """
        return []

    def of(self, footage: Footage, stretch: Stretch, first: int) -> Missing:
        """What is missing of a stretch of `footage` that begins at position `first`.

        Raises:
            DataError: a mask file is missing, unreadable or of another size.
        """
        pictures = stretch.pictures
        mask = np.stack([p.missing for p in pictures])
        size = pictures[0].size
        found: list[int] = []
        if self.tube is not None:
            mask |= tube_mask(size, self.tube)
        if self.path is not None:
            if self.path.is_dir():
                mask |= np.stack([load_mask(self.path / file, size) for file in stretch.files])
            else:
                mask |= load_mask(self.path, size)
        if self.detect:
            painted, found = detect(np.stack([p.packed for p in pictures]), pictures[0].palette, self.fill)
            mask |= painted
        return Missing(mask, found, self.tube is not None)
