"""The region of each cube: HUD, background, solid, item, player, enemy (names in the GameSpec)."""

import numpy as np
import torch
from torch import Tensor

from ...games import GameSpec, GameState
from ..inputs import CubeGrid
from .tokens import COMPACT, FULL


def cube_regions(game: GameSpec, state: GameState | None, level: Tensor, grid: CubeGrid) -> Tensor:
    """Region id of each cube, int64 [B, N, S]: the highest-numbered region found in its first frame.

    Tile regions count at state level `full`, boxes from `compact` on, fixed regions (the HUD) always.
    """
    b, device = len(level), level.device
    n = grid.units[0] * grid.units[1]
    at = torch.arange(n, device=device)
    corner = 16 * torch.stack([at // grid.units[1], at % grid.units[1]], -1) + grid.origin[:, None]  # [B, N, 2]
    out = torch.zeros(b, n, grid.slices, dtype=torch.long, device=device)
    if state is not None:
        first = state.map(lambda a: a[:, ::2])
        if game.tile_layers:
            layer = game.tile_layers[0]
            lut = torch.from_numpy(game.tile_regions.astype(np.int64)).to(device)  # runtimes of phones know no uint8
            sample = torch.tensor([*range(0, 15, layer.cell), 15], device=device)
            xy = first.tile_xy[0].long()  # [B, S, 2]
            row = (corner[:, :, None, 0, None] + sample - xy[:, None, :, 1, None]) // layer.cell  # [B, N, S, samples]
            col = (corner[:, :, None, 1, None] + sample - xy[:, None, :, 0, None]) // layer.cell
            inside = ((row >= 0) & (row < layer.rows))[..., :, None] & ((col >= 0) & (col < layer.cols))[..., None, :]
            flat = row.clamp(0, layer.rows - 1)[..., :, None] * layer.cols + col.clamp(0, layer.cols - 1)[..., None, :]
            ids = first.tiles[0].long().flatten(2)[:, None].expand(-1, n, -1, -1).gather(3, flat.flatten(3))
            found = torch.where(inside.flatten(3), lut[ids], 0).amax(-1)
            out = torch.where((level == FULL)[:, None, None], found, out)
        if first.boxes.shape[-2]:  # some games name no boxes
            region, x0, y0, x1, y1 = first.boxes.long().unbind(-1)  # [B, S, M]
            y, x = corner[:, :, None, None, 0], corner[:, :, None, None, 1]
            hit = (x < x1[:, None]) & (x + 16 > x0[:, None]) & (y < y1[:, None]) & (y + 16 > y0[:, None])
            boxed = torch.where(hit, region[:, None], 0).amax(-1)
            out = torch.where((level >= COMPACT)[:, None, None], torch.maximum(out, boxed), out)
    for number, left, top, right, bottom in game.fixed_regions:
        y, x = corner[..., 0] + 8, corner[..., 1] + 8
        out = torch.where(((x >= left) & (x < right) & (y >= top) & (y < bottom))[..., None], number, out)
    return out
