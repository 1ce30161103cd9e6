"""Scores by which units are hidden: detail, change, and objects that the state tracks.

All scores are float32 [B, N], N units in raster order; only their order within a clip is used by masks. They are drawn
from the clip before masking and never reach the model.
"""

import torch
from torch import Tensor

from ...data.clips.clip import ClipBatch
from ...games import GameSpec, GameState
from ...models.cubes import CUBE, DEPTH, grid_size, to_cubes
from .inputs import detail_scores

CHANGE_WEIGHT = 0.25  # of a changing pixel beside a unit full of moving objects: scrolling changes everything
SPRITE_WEIGHT = 0.5  # of a sprite beside a box: boxes are the player and enemies, sprites also their debris and coins


def information(frames: Tensor) -> Tensor:
    """Mean `detail_scores` of each unit's cubes, 0 for a unit of flat ones; frames uint8 [B, T, H, W] or [..., 3]."""
    cubes = to_cubes(frames)
    return detail_scores(cubes).view(*cubes.shape[:3]).mean(-1)


def change(frames: Tensor) -> Tensor:
    """Share (0 .. 1) of each unit's pixels that differ from the frame before, of every second row and column."""
    some = frames[:, :, ::2, ::2]
    differs = some[:, 1:] != some[:, :-1]
    if differs.ndim == 5:
        differs = differs.any(-1)
    b, t, h, w = differs.shape
    side = CUBE // 2
    return differs.view(b, t, h // side, side, w // side, side).float().mean((1, 3, 5)).flatten(1)


def moving_objects(state: GameState, origin: Tensor, grid: tuple[int, int], sprite_size: int) -> Tensor:
    """How long a unit holds objects that the state tracks: share of frames (0 .. 1) with part of a box (player, enemy,
    item, moving platform) in it, plus `SPRITE_WEIGHT` times that of hardware sprites.

    Args:
        state: tensors with leading axes [B, T], positions in native pixels.
        origin, grid: see `touched_units`; sprite_size: pixels.
    """
    boxes = _held(state.boxes[..., 1:].long(), state.boxes[..., 0] > 0, origin, grid)
    corner = state.sprites[..., :2].long()
    sprites = _held(torch.cat([corner, corner + sprite_size], -1), None, origin, grid)
    return boxes + SPRITE_WEIGHT * sprites


def semantics(
    moved: Tensor, state: GameState | None, origin: Tensor, grid: tuple[int, int], sprite_size: int
) -> Tensor:
    """`moving_objects` plus `CHANGE_WEIGHT` times `moved` (see `change`); without state, `moved` alone."""
    moving = CHANGE_WEIGHT * moved
    return moving if state is None else moving + moving_objects(state, origin, grid, sprite_size)


def _held(rectangles: Tensor, used: Tensor | None, origin: Tensor, grid: tuple[int, int]) -> Tensor:
    """Share of frames in which a unit touches one of the rectangles (see `touched_units`)."""
    return touched_units(rectangles, used, origin, grid).float().mean(1).flatten(1)


def touched_units(rectangles: Tensor, used: Tensor | None, origin: Tensor, grid: tuple[int, int]) -> Tensor:
    """Which units rectangles reach into: bool [B, T, rows, columns].

    Args:
        rectangles: int64 [B, T, M, 4], x0, y0, x1, y1 in native pixels; used: bool [B, T, M], None = all.
        origin: int64 [B, 2], y and x of the grid's corner.
    """
    top = CUBE * torch.arange(grid[0], device=origin.device)
    left = CUBE * torch.arange(grid[1], device=origin.device)
    y, x = origin[:, 0, None, None, None], origin[:, 1, None, None, None]
    x0, y0, x1, y1 = (side[..., None] for side in rectangles.unbind(-1))
    rows = (y0 - y < top + CUBE) & (y1 - y > top)  # [B, T, M, rows]
    columns = (x0 - x < left + CUBE) & (x1 - x > left)
    if used is not None:
        rows &= used[..., None]
    return rows.float().transpose(2, 3) @ columns.float() > 0


def moving_cubes(batch: ClipBatch, game: GameSpec) -> Tensor:
    """Which cubes hold what scenery does not explain: bool [B, N * S], all False for clips without a state.

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
