"""From offers to rows of numbers, scores and colours: what is given and what is answered, whoever does the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

COLUMNS = (
    "seen 5", "alike 5", "seen 13", "alike 13", "textured", "alike textured", "rows", "alike rows", "shift",
    "centre alike", "centre other", "edge away", "support", "best support", "lead 13", "lead textured", "lead support",
    "early", "votes", "like usual", "activity", "activity around", "kept",
    "passed", "much", "alike again",
)  # fmt: skip  # numbers that differ within a layer, in the order of the list in `_weighing.c`
OWN = 3  # numbers that a layer may have of each pixel, as in `_weighing.c`
Layers = tuple[tuple[np.ndarray, np.ndarray], ...]  # of a network: float32 [in, out] weights, float32 [out] biases


@dataclass(frozen=True)
class Meaning:
    """Where numbers stand in a row.

    Attributes:
        columns: of each number by its name; wide: how many there are, those that say the kind included.
        nearest: the first kind that is no recall by movement; usual: the first one that is not of other frames.
        side: the first one that is neither of other places in the same frame; those between `usual` and it are.
    """

    columns: dict[str, int]
    wide: int
    nearest: int
    usual: int
    side: int

    def laid(self, kind: np.ndarray) -> np.ndarray:
        """bool of kinds: whether they lay one picture onto another and have evidence."""
        return np.asarray((kind < self.nearest) | ((kind > self.usual) & (kind < self.side)))


@dataclass
class Offered:
    """Offers for n pixels in layers: one for each frame and movement, and for each kind of surroundings.

    Attributes:
        kind: uint8 [layers].
        colour: uint32 [layers, n]; evidence: uint8 [layers, n, EVIDENCE] as of `Kernel.evidence`, the first one 0 where
            a layer offers nothing.
        base: float32 [layers, wide], numbers that all rows of a layer have.
        shift: float32 [layers, tiles], the number "shift" of each tile; tile: int32 [n].
        band: float32 [., H, 2], the numbers "rows" and "alike rows"; band_of: int32 [layers], which of them, -1 = none;
            y: int32 [n].
        own: float32 [., n, OWN], further numbers of each pixel; own_of: as band_of; own_columns: int32 [layers, OWN],
            where they stand, -1 = nowhere, and so are those after it.
        pace: float32 [., cells, 2], the numbers "passed" and "much" of each cell; pace_of: as band_of; cell: int32 [n].
        again: float32 [lags, n], the number "alike again" for each lag; lag_of: int32 [layers], which of them, where
            there is a pace.
        fine: float32 [., n, 3], colours that are not whole; fine_of: as band_of.
        usual: uint32 [n]; pixel: float32 [n, 3], "edge away", "activity" and "activity around".
    """

    kind: np.ndarray
    colour: np.ndarray
    evidence: np.ndarray
    base: np.ndarray
    shift: np.ndarray
    tile: np.ndarray
    band: np.ndarray
    band_of: np.ndarray
    y: np.ndarray
    own: np.ndarray
    own_of: np.ndarray
    own_columns: np.ndarray
    pace: np.ndarray
    pace_of: np.ndarray
    cell: np.ndarray
    again: np.ndarray
    lag_of: np.ndarray
    fine: np.ndarray
    fine_of: np.ndarray
    usual: np.ndarray
    pixel: np.ndarray


@dataclass
class Rows:
    """One row for each offer for an open pixel, those of a pixel together and sorted by colour.

    Attributes:
        start: int64 [m + 1], where the rows of each begin.
        rgb: float32 [rows, 3]; key: uint32 [rows], the colour rounded; kind: uint8 [rows].
        numbers: float32 [rows, wide].
    """

    start: np.ndarray
    rgb: np.ndarray
    key: np.ndarray
    kind: np.ndarray
    numbers: np.ndarray


class Weigher(Protocol):
    """All floats agree to rounding."""

    def settled(
        self, kind: np.ndarray, colour: np.ndarray, evidence: np.ndarray, least: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which pixels at least `least` layers show, all of them alike: uint32 [n] colours and uint8 [n] kinds of the
        first offers, bool [n]."""

    def rows(self, offered: Offered, open_: np.ndarray, meaning: Meaning) -> Rows:
        """Rows of the pixels `open_`, int64 [m], each of which has an offer."""

    def scores(self, numbers: np.ndarray, layers: Layers) -> np.ndarray:
        """float32 [rows]: the first output of a network, bent at 0 between its layers."""

    def softmax(self, scores: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Within groups that begin at `start`, int64 [m + 1], none of them empty."""

    def drawn(
        self, rows: Rows, shares: np.ndarray, exact: bool, snap: float, surroundings: int, shown: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The mean colours by `shares`, float32 [rows], or the likeliest ones where `exact` or sure from `snap` on.

        Returns:
            (uint8 [m, 3]; float32 [m], share of the likeliest colour; uint8 [m, 3], that; bool [m], whether kinds
            before `surroundings` have at least the share `shown`; uint8 [m], the kind of the row
            with the largest share).
        """

    def smooth(self, rgb: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Missing pixels drawn smoothly from those around, coarse to fine: float32 [H, W, 3]; grey if nothing is seen.

        Args:
            rgb: uint8 [H, W, 3]; seen: uint8 [H, W].
        """
