"""How a film's stored pictures are to be turned and mirrored to stand upright."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Matrix = tuple[int, int, int, int, int, int, int, int, int]

_ONE = 1 << 16  # the first two columns are 16.16 fixed point ...
_LAST = 1 << 30  # ... the last one 2.30


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways: the picture is transposed first, then its columns and its rows are reversed.

    Attributes:
        transposed: rows become columns.
        flip_x, flip_y: the order of columns, of rows is reversed.
        exact: False for the nearest one to a matrix that turns by no multiple of 90 degrees, or that scales or shears.
    """

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False
    exact: bool = True

    @classmethod
    def of(cls, matrix: Matrix | None) -> Orientation:
        """From a display matrix as films hold it; None = upright."""
        if matrix is None:
            return cls()
        a, b, _, c, d = matrix[:5]  # x' = ax + cy, y' = bx + dy
        transposed = abs(b) + abs(c) > abs(a) + abs(d)
        across, down = (c, b) if transposed else (a, d)
        rest = (a, d) if transposed else (b, c)
        exact = abs(across) == abs(down) == _ONE and rest == (0, 0)
        return cls(transposed, across < 0, down < 0, exact)

    @property
    def matrix(self) -> Matrix | None:
        """The display matrix; None for upright."""
        across, down = (-_ONE if flip else _ONE for flip in (self.flip_x, self.flip_y))
        if self.transposed:
            return (0, down, 0, across, 0, 0, 0, 0, _LAST)
        return None if across == down == _ONE else (across, 0, 0, 0, down, 0, 0, 0, _LAST)

    def upright(self, stored: np.ndarray) -> np.ndarray:
        """[H, W, ...] as stored -> as shown; a view."""
        shown = stored.swapaxes(0, 1) if self.transposed else stored
        return shown[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]

    def stored(self, shown: np.ndarray) -> np.ndarray:
        """The way back; a view."""
        stored = shown[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return stored.swapaxes(0, 1) if self.transposed else stored

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) stored -> shown, or back."""
        return (height, width) if self.transposed else (width, height)
