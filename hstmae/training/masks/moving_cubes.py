"""Which cubes of a clip hold what scenery does not explain: sprites, boxes of player and enemies, a status bar."""

from __future__ import annotations

import torch
from torch import Tensor

from ...data.clips.clip import ClipBatch
from ...games import GameSpec
from ...models.cubes import DEPTH, grid_size
from .unit_scores import touched_units


def moving_cubes(batch: ClipBatch, game: GameSpec) -> Tensor:
    """bool [B, N * S] by flat cube index (unit * S + slice); all False for clips without a state.

    A cube counts where a sprite or a box of `GameState` reaches into it, or where part of it never scrolls.
    """
    b, t, height, width = batch.frames.shape[:4]
    grid, slices = grid_size(height, width), t // DEPTH
    if batch.state is None:
        return torch.zeros(b, grid[0] * grid[1] * slices, dtype=torch.bool, device=batch.frames.device)
    sprites, boxes = batch.state.sprites.long(), batch.state.boxes.long()
    corner = sprites[..., :2]
    rectangles = torch.cat([torch.cat([corner, corner + game.sprite_size], -1), boxes[..., 1:]], 2)
    used = torch.cat([sprites[..., 1] < game.native_size[0], boxes[..., 0] > 0], 2)
    reached = touched_units(rectangles, used, batch.origin, grid)
    found = reached.unflatten(1, (slices, DEPTH)).any(2).permute(0, 2, 3, 1)
    edges = [edges for _, *edges in game.fixed_regions]
    if edges:
        fixed = torch.tensor(edges, device=batch.frames.device).expand(b, 1, -1, -1)
        found = found | touched_units(fixed, None, batch.origin, grid).permute(0, 2, 3, 1)
    return found.flatten(1)
