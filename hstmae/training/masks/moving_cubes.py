"""Which cubes of a clip hold what scenery does not explain: sprites, boxes of player and enemies, a status bar."""

from __future__ import annotations

import torch
from torch import Tensor

from ...data.clips.clip import ClipBatch
from ...games import GameSpec
from ...models.cubes import CUBE, DEPTH, grid_size


def moving_cubes(batch: ClipBatch, game: GameSpec) -> Tensor:
    """bool [B, N * S] by flat cube index (unit * S + slice); all False for clips without a state.

    A cube counts where a sprite or a box of `GameState` reaches into it, or where part of it never scrolls.
    """
    b, t, height, width = batch.frames.shape[:4]
    rows, columns = grid_size(height, width)
    slices = t // DEPTH
    device = batch.frames.device
    found = torch.zeros(b, rows, columns, slices, dtype=torch.bool, device=device)
    if batch.state is None:
        return found.flatten(1)
    top, left = (batch.origin[:, i].view(b, 1, 1) for i in (0, 1))
    sprites, boxes = batch.state.sprites.long(), batch.state.boxes.long()
    size = game.sprite_size
    x0 = torch.cat([sprites[..., 0], boxes[..., 1]], 2) - left  # [B, T, N + M]
    y0 = torch.cat([sprites[..., 1], boxes[..., 2]], 2) - top
    x1 = torch.cat([sprites[..., 0] + size, boxes[..., 3]], 2) - left
    y1 = torch.cat([sprites[..., 1] + size, boxes[..., 4]], 2) - top
    hidden = sprites[..., 1] >= game.native_size[0]
    used = torch.cat([~hidden, boxes[..., 0] > 0], 2) & (x1 > 0) & (y1 > 0) & (x0 < width) & (y0 < height)
    cell_y, cell_x = torch.arange(rows, device=device) * CUBE, torch.arange(columns, device=device) * CUBE
    down = (y0[..., None] < cell_y + CUBE) & (y1[..., None] > cell_y) & used[..., None]  # [B, T, N, rows]
    across = (x0[..., None] < cell_x + CUBE) & (x1[..., None] > cell_x)
    reached = torch.einsum("btnr,btnc->btrc", down.float(), across.float()) > 0
    found |= reached.view(b, slices, DEPTH, rows, columns).any(2).permute(0, 2, 3, 1)
    for _, left_edge, top_edge, right_edge, bottom_edge in game.fixed_regions:
        y, x = cell_y + batch.origin[:, :1], cell_x + batch.origin[:, 1:]
        inside_y = (y < bottom_edge) & (y + CUBE > top_edge)
        inside_x = (x < right_edge) & (x + CUBE > left_edge)
        found |= (inside_y[:, :, None] & inside_x[:, None])[..., None]
    return found.flatten(1)
