"""Cubes that move with the scenery: which 16x16 cell of the game's world each pixel of a group of pictures belongs to.

A cube of the stream is 2x16x16 pixels, laid on the grid of the game's first tile layer where that has cells of 16
pixels, and on the picture itself elsewhere (and everywhere when nothing is known of the camera). Scenery therefore
stays in its cell however the camera scrolls, and "the same as in the slice before" needs no motion vector. Only
integers of the decoded state are used, so both ends of a stream build the same grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...games import GameSpec, GameState

CELL = 16
_SPARE = 2  # columns beyond those of the picture: one for a camera between two columns, one for its motion in a slice
OUTSIDE = 0xFF  # colour of the pixels of a cell that lie outside of the picture


@dataclass(frozen=True)
class CellGrid:
    """The cells of T frames (T even), S = T / 2 slices.

    Attributes:
        rows, cols: cells of a slice; cell number = (slice * rows + row) * cols + column.
        height, width: of the frames, multiples of 16.
        phase: int32 [T], pixels between the left edge of column 0 and that of the picture, in rows that move.
        moving: bool [rows], rows that move with the camera.
        base: int64 [S], column of the world at column 0; area: int64 [S], which map it belongs to.
    """

    rows: int
    cols: int
    height: int
    width: int
    phase: np.ndarray
    moving: np.ndarray
    base: np.ndarray
    area: np.ndarray

    @staticmethod
    def of(game: GameSpec, state: GameState | None, frames: int, height: int, width: int) -> CellGrid:
        """The grid of `frames` pictures (an even number); state with numpy arrays and leading axis T, or None."""
        rows, slices = height // CELL, frames // 2
        moving, phase = np.zeros(rows, bool), np.zeros(frames, np.int32)
        base, area = np.zeros(slices, np.int64), np.zeros(slices, np.int64)
        if state is not None and game.tile_layers and game.tile_layers[0].cell == CELL:
            layer, top = game.tile_layers[0], int(state.tile_xy[0][0, 1])
            if top % CELL == 0 and (state.tile_xy[0][:, 1] == top).all():
                moving[max(0, top // CELL) : max(0, top // CELL + layer.rows)] = True
                camera = np.asarray(state.camera, np.int64)
                first = camera // CELL
                # A camera that jumps inside of a slice shows another place in its second frame, which counts.
                near = np.abs(first[0::2] - first[1::2]) < _SPARE
                base = np.where(near, np.minimum(first[0::2], first[1::2]), first[1::2])
                phase = (camera - CELL * base.repeat(2)).astype(np.int32)
                area = np.asarray(state.area, np.int64)[1::2]
        return CellGrid(rows, width // CELL + _SPARE, height, width, phase, moving, base, area)

    @property
    def slices(self) -> int:
        return len(self.base)

    @property
    def per_slice(self) -> int:
        return self.rows * self.cols

    def offsets(self) -> np.ndarray:
        """int64 [T, rows]: pixels between the left edge of column 0 and that of the picture."""
        return np.where(self.moving, self.phase[:, None], 0).astype(np.int64)

    def columns(self) -> np.ndarray:
        """int64 [T, rows, width]: the column that each pixel lies in, -1 = none of the grid."""
        column = (np.arange(self.width) + self.offsets()[..., None]) // CELL
        return np.where((column >= 0) & (column < self.cols), column, -1)

    def used(self) -> np.ndarray:
        """bool [S, rows, cols]: cells with at least one pixel in the picture."""
        left = CELL * np.arange(self.cols) - self.offsets()[..., None]  # [T, rows, cols] x of each cell on the screen
        seen = (left > -CELL) & (left < self.width)
        return np.asarray(seen[0::2] | seen[1::2])

    def before(self) -> np.ndarray:
        """int64 [S, rows, cols]: number of the same cell of the world in the slice before, -1 = not there."""
        out = np.full((self.slices, self.rows, self.cols), -1, np.int64)
        if self.slices < 2:
            return out
        column = np.arange(self.cols)
        moved = np.where(self.moving, (self.base[1:] - self.base[:-1])[:, None], 0)  # [S - 1, rows]
        same = ~self.moving | (self.area[1:] == self.area[:-1])[:, None]
        source = column + moved[..., None]
        number = np.arange(self.slices - 1)[:, None, None] * self.per_slice + np.arange(self.rows)[:, None] * self.cols
        inside = (source >= 0) & (source < self.cols) & same[..., None]
        used = self.used()
        out[1:] = np.where(inside, number + source, -1)
        out[(out >= 0) & ~used.reshape(-1)[out.clip(min=0)]] = -1
        return out

    def pixels(self, frames: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """What the given cells show.

        Args:
            frames: uint8 [T, H, W] palette indices.
            cells: int64 [N], cell numbers.
        Returns:
            uint8 [N, 2, 16, 16]; pixels outside of the picture are OUTSIDE.
        """
        pad = CELL * (_SPARE + 1)
        wide = np.pad(frames, ((0, 0), (0, 0), (pad, pad)), constant_values=OUTSIDE)
        piece, rest = np.divmod(cells, self.per_slice)
        row, col = np.divmod(rest, self.cols)
        frame = 2 * piece[:, None] + np.arange(2)  # [N, 2]
        left = CELL * col[:, None] - self.offsets()[frame, row[:, None]]
        left = np.where((left > -CELL) & (left < self.width), left, -pad) + pad  # nothing of it: all outside
        step = np.arange(CELL)
        y = CELL * row[:, None] + step
        return np.asarray(wide[frame[..., None, None], y[:, None, :, None], left[..., None, None] + step])

    def of_cubes(self, cubes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the pixels of cubes of the picture lie among the cells.

        Args:
            cubes: int64 [Q], unit * slices + slice.
        Returns:
            int64 [Q, 2, 16, 16] cell number of each pixel, -1 = none, and its number inside of the cell, 0 .. 511.
        """
        across = self.width // CELL
        unit, piece = np.divmod(cubes, self.slices)
        row, left = unit // across, CELL * (unit % across)
        frame = 2 * piece[:, None] + np.arange(2)
        x = left[:, None] + np.arange(CELL)
        column = self.columns()[frame[:, :, None], row[:, None, None], x[:, None]]  # [Q, 2, 16]
        number = (piece * self.per_slice + row * self.cols)[:, None, None] + column
        within_x = (x[:, None] + self.offsets()[frame, row[:, None]][..., None]) % CELL
        step = np.arange(CELL)
        inside = np.arange(2)[:, None, None] * CELL**2 + step[:, None] * CELL + within_x[:, :, None, :]
        shape = (len(cubes), 2, CELL, CELL)
        cell = np.where(column >= 0, number, -1)[:, :, None, :]
        return np.broadcast_to(cell, shape), np.broadcast_to(inside, shape)

    def sum_by_cell(self, values: np.ndarray) -> np.ndarray:
        """Sum of `values` [T, H, W] over the pixels of each cell, float64 [S * rows * cols]."""
        t, h, w = values.shape
        cubes = values.reshape(t // 2, 2, h // CELL, CELL, w // CELL, CELL).transpose(2, 4, 0, 1, 3, 5)
        cell, _ = self.of_cubes(np.arange(h // CELL * (w // CELL) * self.slices))
        known = cell.ravel() >= 0
        return np.bincount(cell.ravel()[known], cubes.ravel()[known], minlength=self.slices * self.per_slice)
