"""What the NES must have had in its name tables to show a picture: the inverse of how it draws the background."""

from __future__ import annotations

from pathlib import Path

import numpy as np

_LINES, _CELL = 240, 8
_PLANE = 512  # pixels of two name tables beside each other
_STATUS = 4  # rows of cells at the top that often do not scroll; games find the line of the split by what stands there
_HOPELESS = 24  # cells more that no tile fits than those that one does
_SURE = 0.6  # share of pixels in which a line must be as the name tables say


def patterns_of(rom: Path) -> np.ndarray | None:
    """uint8 [2, 256, 8, 8], the two sets of tiles, values 0 to 3; None where the program makes its tiles itself, or has
    more than two sets."""
    data = rom.read_bytes()
    if data[5] != 1:
        return None
    start = 16 + 512 * (data[6] >> 2 & 1) + 16384 * data[4]
    planes = np.frombuffer(data, np.uint8)[start : start + 8192]
    if len(planes) != 8192:
        return None
    bits = np.unpackbits(planes.reshape(2, 256, 2, 8, 1), axis=-1)
    return bits[:, :, 0] | bits[:, :, 1] << 1


class ScreenSolver:
    """See the module.

    Args:
        patterns: from `patterns_of`.
    """

    def __init__(self, patterns: np.ndarray) -> None:
        self._patterns = patterns

    def shifts(self, tables: np.ndarray, palette: np.ndarray, drawn: np.ndarray) -> list[tuple[int, int] | None]:
        """For each row of cells of a picture which set of tiles it is drawn with, and which of 512 columns of the name
        tables its left edge is; None where nothing fits.

        Args:
            tables: uint8 [2, 1024], better no two places alike.
            palette: uint8 [32] NES colours.
            drawn: uint8 [240, 256] what the console shows of it.
        """
        found: list[tuple[int, int] | None] = []
        planes = [self._plane(tables, palette, k) for k in (0, 1)]
        for row in range(_LINES // _CELL):
            lines = slice(row * _CELL + 2, (row + 1) * _CELL, 3)  # two of eight tell enough
            best, score = None, _SURE * 2 * 256
            for k, plane in enumerate(planes):
                twice = np.concatenate([plane[lines], plane[lines]], 1)
                seen = np.lib.stride_tricks.sliding_window_view(twice, 256, 1)[:, :_PLANE]
                agree = (seen == drawn[lines, None]).sum((0, 2))
                at = int(agree.argmax())
                if agree[at] > score:
                    best, score = (k, at), float(agree[at])
            found.append(best)
        return found

    def solve(
        self, tables: np.ndarray, palette: np.ndarray, shifts: list[tuple[int, int] | None], drawn: np.ndarray,
        wanted: np.ndarray,
    ) -> np.ndarray | None:  # fmt: skip
        """Name tables with which the console shows `wanted` instead of `drawn`, as far as that can be; None where
        nothing can be changed for the better.

        Args:
            drawn, wanted: int16 [240, 256], -1 where not known.
        """
        out, solved, failed = tables.copy(), 0, 0
        planes = {k: self._plane(tables, palette, k) for k in {at[0] for at in shifts if at is not None}}
        for row, at in enumerate(shifts):
            if at is None:
                continue
            if failed > _HOPELESS + solved:  # something else is wrong
                return None
            set_number, shift = at
            lines = slice(row * _CELL, (row + 1) * _CELL)
            plane = np.roll(planes[set_number][lines], -shift, 1)[:, :256]
            background = plane == drawn[lines]  # the rest is covered by sprites
            for left in range(-shift % _CELL - _CELL, 256, _CELL):
                x = slice(max(left, 0), min(left + _CELL, 256))
                known = background[:, x] & (wanted[lines, x] >= 0)
                if (wanted[lines, x] == drawn[lines, x])[known].all():
                    continue
                column = (left + shift) // _CELL % 64
                inside = slice(x.start - left, x.stop - left)
                tile = self._tile(out, palette, set_number, row, column, inside, known, wanted[lines, x])
                if tile is None:
                    failed += 1
                else:
                    solved += 1
                    out[column // 32, row * 32 + column % 32] = tile
        return None if np.array_equal(out, tables) else out

    def _tile(
        self, tables: np.ndarray, palette: np.ndarray, set_number: int, row: int, column: int, inside: slice,
        known: np.ndarray, wanted: np.ndarray,
    ) -> int | None:  # fmt: skip
        """The tile that shows what is wanted at a place. The cell's palette may be changed for it, in `tables`."""
        at = 960 + row // 4 * 8 + column % 32 // 4
        shift = (row // 2 % 2 * 2 + column // 2 % 2) * 2
        packed = int(tables[column // 32, at])
        own = packed >> shift & 3
        looks = self._patterns[set_number][:, :, inside]
        for group in sorted(range(4), key=lambda g: g != own):
            colours = _colours(palette, group)[looks]
            fits = ((colours == wanted) | ~known).all((1, 2))
            if fits.any():
                tables[column // 32, at] = packed & ~(3 << shift) & 255 | group << shift
                return int(fits.argmax())
        return None

    def _plane(self, tables: np.ndarray, palette: np.ndarray, set_number: int) -> np.ndarray:
        """uint8 [240, 512], the background without scrolling."""
        tiles = tables[:, :960].reshape(2, 30, 32)
        packed = tables[:, 960:].reshape(2, 8, 8).repeat(4, 1).repeat(4, 2)[:, :30]
        y, x = np.mgrid[:30, :32]
        groups = packed >> ((y // 2 % 2 * 2 + x // 2 % 2) * 2).astype(np.uint8) & 3
        values = self._patterns[set_number][tiles]  # [2, 30, 32, 8, 8]
        colours = np.stack([_colours(palette, group) for group in range(4)])
        shown = colours[groups[..., None, None], values]
        return shown.transpose(1, 3, 0, 2, 4).reshape(_LINES, _PLANE)

    @staticmethod
    def mixed(tables: np.ndarray) -> np.ndarray:
        """Name tables with other tiles below the status rows, no two stretches alike: drawn, they tell the `shifts`
        of a picture whose own tiles may repeat."""
        out = tables.copy()
        own = np.random.RandomState(0).randint(0, 256, (2, 1024)).astype(np.uint8)
        out[:, _STATUS * 32 : 960] = own[:, _STATUS * 32 : 960]
        return out


def _colours(palette: np.ndarray, group: int) -> np.ndarray:
    """uint8 [4], the colours of a background palette; value 0 is the common one."""
    return np.array([palette[0], *palette[4 * group + 1 : 4 * group + 4]], np.uint8)
