"""Which cubes around a decoded one are known in a training step, and how its pixels go on there.

Losses between neighbours compare errors ``e = restored - true``: the difference of two restored pixels is right exactly
where the errors of both are equal. A visible cube is its true self, so its error is 0, and pairs of two decoded cubes
and pairs of a decoded and a visible one are the same case. All other neighbours are unknown and left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...games import GameSpec, GameState
from ...models.cubes import DEPTH, grid_size, to_cubes
from ...models.inputs import Places

SMOOTH = 1e-3  # of colours in 0 .. 1


@dataclass(frozen=True)
class Neighbourhood:
    """The decoded cubes of a batch and what lies around them."""

    queries: Tensor  # int64 [B, Q], flat indices of the decoded cubes
    slots: Tensor  # int64 [B, N * S] place of every cube among the queries; Q where it is visible, Q + 1 where neither
    grid: tuple[int, int]  # units per column and per row
    slices: int  # of the clips

    @staticmethod
    def of(frames: Tensor, visible: Tensor, queries: Tensor, shown: Tensor | None = None) -> Neighbourhood:
        """frames: uint8 [B, T, H, W, ...], the true clips; shown: as the model saw them, None where they are `frames`;
        visible int64 [B, U] units whose cubes differ there are not visible; queries int64 [B, Q]."""
        grid, slices, count = grid_size(*frames.shape[2:4]), frames.shape[1] // DEPTH, queries.shape[1]
        b, n = len(frames), grid[0] * grid[1]
        slots = torch.full((b, n), count + 1, device=frames.device).scatter_(1, visible, count)
        slots = slots.repeat_interleave(slices, 1)
        if shown is not None:
            whole = (to_cubes(shown) == to_cubes(frames)).flatten(3).all(-1).flatten(1)
            slots = torch.where(whole, slots, count + 1)
        order = torch.arange(count, device=frames.device).expand(b, -1)
        return Neighbourhood(queries, slots.scatter(1, queries, order), grid, slices)

    @property
    def place(self) -> tuple[Tensor, Tensor, Tensor]:
        """Row, column and slice of the decoded cubes, int64 [B, Q] each."""
        unit = self.queries // self.slices
        return unit // self.grid[1], unit % self.grid[1], self.queries % self.slices

    def slots_at(self, row: Tensor, column: Tensor, piece: Tensor) -> Tensor:
        """`slots` of cubes int64 [B, Q, ...]; Q + 1 outside of the picture or the clip."""
        rows, columns = self.grid
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns) & (piece >= 0) & (piece < self.slices)
        cube = (row.clamp(0, rows - 1) * columns + column.clamp(0, columns - 1)) * self.slices
        cube = cube + piece.clamp(0, self.slices - 1)
        found = self.slots.gather(1, cube.flatten(1)).view(cube.shape)
        return torch.where(inside, found, self.queries.shape[1] + 1)


def smooth_abs(x: Tensor) -> Tensor:
    """``sqrt(x^2 + eps^2) - eps`` with eps = 1e-3: an absolute value with a smooth minimum, 0 at 0."""
    return (x.square() + SMOOTH**2).sqrt() - SMOOTH


def box_regions(state: GameState, at: Places) -> Tensor:
    """Region id of the boxes (player, enemies, items) over each pixel of decoded cubes, the highest where several are,
    0 without any: int16 [B, Q, 2, 16, 16]."""
    boxes = state.boxes[at.row[..., 0, 0], at.frame[..., 0, 0]]  # [B, Q, 2, M, 5]
    if not boxes.shape[-2]:
        return torch.zeros(torch.broadcast_shapes(at.frame.shape, at.y.shape, at.x.shape), dtype=torch.int16,
                           device=boxes.device)  # fmt: skip
    region, x0, y0, x1, y1 = (part[..., None] for part in boxes.unbind(-1))
    y, x = at.y[..., 0].unsqueeze(-2), at.x[..., 0, :].unsqueeze(-2)  # [B, Q, 1, 1, 16]
    rows = ((y >= y0) & (y < y1)) * region  # [B, Q, 2, M, 16]
    columns = (x >= x0) & (x < x1)
    return (rows[..., :, None] * columns[..., None, :]).amax(-3)


def pixel_regions(game: GameSpec, state: GameState | None, at: Places) -> Tensor:
    """Region id of each pixel of decoded cubes, int16 [B, Q, 2, 16, 16]: `GameSpec.region_map` there.

    A label for a loss: it uses the whole state whatever level of it the model is given; without a state, the game's
    fixed regions alone. Where boxes overlap the highest id wins.
    """
    shape = torch.broadcast_shapes(at.frame.shape, at.y.shape, at.x.shape)
    out = torch.zeros(shape, dtype=torch.int16, device=at.y.device)
    if state is not None:
        if game.tile_layers:
            layer, xy = game.tile_layers[0], state.tile_xy[0].long()
            table = torch.from_numpy(game.tile_regions).to(at.y.device).short()
            row = (at.y - xy[at.row, at.frame, 1]) // layer.cell
            column = (at.x - xy[at.row, at.frame, 0]) // layer.cell
            inside = (row >= 0) & (row < layer.rows) & (column >= 0) & (column < layer.cols)
            kinds = table[state.tiles[0].long()]  # far fewer cells than pixels
            found = kinds[at.row, at.frame, row.clamp(0, layer.rows - 1), column.clamp(0, layer.cols - 1)]
            out = torch.where(inside, found, out)
        boxed = box_regions(state, at)
        out = torch.where(boxed > 0, boxed, out)
    for number, left, top, right, bottom in game.fixed_regions:
        fixed = (at.x >= left) & (at.x < right) & (at.y >= top) & (at.y < bottom)
        out = torch.where(fixed, number, out)
    return out
