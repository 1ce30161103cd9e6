"""Restored footage: colours, how sure each of them is, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..atlas.known_pixels import SURE
from ..notebook import Row, card

# Where the colour of a pixel comes from, by the numbers of `Restoration.method`. The first is that of visible pixels;
# those from "still" to "recall" are shown by other frames, at the same place, moved as most of the picture moved, moved
# as the part of it around the pixel, as what is usually there, or, of a game with a model, by any of these.
METHODS = ("input", "still", "moved", "object", "usual", "recall", "surroundings", "atlas", "network")
INPUT, STILL, MOVED, OBJECT, USUAL, RECALL, SURROUNDINGS, ATLAS, NETWORK = range(len(METHODS))


@dataclass
class Restoration:
    """Restored footage. Visible pixels are the input's own, bit for bit.

    Attributes:
        rgb: uint8 [T, H, W, 3]; masked pixels hold the posterior mean colour, or what a model with head "rgb" answers,
            rounded as a picture file stores it, visible ones their own colour.
        indices: uint8 [T, H, W], the most probable palette entries (of head "rgb": those nearest to its colours, once
            the clip is whole); None for true colour.
        confidence: float32 [T, H, W], probability of the chosen entry; 1 on visible pixels, 0 on text that nothing
            tells (see `untold`). None for head "rgb", which answers with one colour and no probability.
        method: uint8 [T, H, W], where most of each colour comes from, see METHODS; 0 on visible pixels.
        shown: bool [T, H, W], whether other frames have most of the say; True on visible pixels. False: nobody shows
            the pixel, it was drawn. Of frames that were not wanted neither says anything.
        disproved: bool [T], frames that show something else than their state says, which was left aside; None where
            that was not looked into.
    """

    rgb: np.ndarray
    indices: np.ndarray | None
    confidence: np.ndarray | None
    method: np.ndarray | None = None
    shown: np.ndarray | None = None
    disproved: np.ndarray | None = None

    def of(self, frames: np.ndarray) -> Restoration:
        """A copy of `frames`, integer [t]."""
        parts = (self.indices, self.confidence, self.method, self.shown, self.disproved)
        rest = (None if one is None else one[frames] for one in parts)
        return Restoration(self.rgb[frames], *rest)

    def _repr_html_(self) -> str:
        frames, height, width = self.rgb.shape[:3]
        rows: list[Row] = [("frames", f"{frames} of {width}x{height}"), ("colours", "true colour")]
        if self.indices is not None:
            rows[1] = ("colours", "palette entries")
        pictures = [(f"frame {t}", self.rgb[t]) for t in range(frames // 2, frames)[:1]]
        if self.confidence is not None and frames:
            rows.append(("sure", f"{(self.confidence >= SURE).mean():.1%} of all pixels, visible ones among them"))
            rows.append(("guessed text", f"{(self.confidence == 0).sum():,} pixels"))
            grey = (255 * self.confidence.clip(0, 1)).astype(np.uint8)
            pictures += [("how sure", grey[t]) for t in range(frames // 2, frames)[:1]]
        return card("Restoration", rows, pictures)
