"""What a masked pixel showed in another frame: scenery keeps its colours, so a place seen once is known.

A game's state tells where the camera is and where things move. All visible pixels on which nothing moves are entered
in a map of the level, once forward and once backward in time; a masked pixel on which nothing moves is looked up there,
and the sighting that is nearer in time counts, unless the state tells that another tile stands there now. Only visible
pixels of the input are used, as by the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..games import GameSpec, GameState

# How often a recalled pixel is right, in round figures (episodes held back from training, tubes at 90 %).
TRUST = 0.9999
_WIDEST = 1 << 15  # pixels; a camera that travels further within one map is looked at in parts


@dataclass
class Recalled:
    """indices uint8 [T, H, W], what was seen; found bool [T, H, W], the masked pixels for which that is known."""

    indices: np.ndarray
    found: np.ndarray


def recall(
    frames: np.ndarray, mask: np.ndarray, state: GameState, game: GameSpec, level: str, origin: tuple[int, int] = (0, 0)
) -> Recalled:
    """Look masked pixels up in the other frames.

    Args:
        frames: uint8 [T, H, W] palette indices in order of time; masked pixels are not read.
        mask: bool [T, H, W], True = masked.
        state: decoded, leading axis T.
        level: "full" knows every sprite and tile, "compact" the boxes of player and enemies.
        origin: y and x of the frames' corner in the native picture.
    """
    shape = (frames.shape[0], frames.shape[1], frames.shape[2])
    moving = moving_pixels(state, game, level, shape, origin)
    fixed = fixed_pixels(game, shape, origin)
    scene = ~moving & ~fixed
    bar = fixed & ~moving
    tiles = text = None
    if level == "full" and game.tile_layers:
        tiles = tile_map(state, game, 0, shape, origin)
        scene &= ~np.isin(tiles, game.looks.cycling_tiles)
        if fixed.any() and len(game.tile_layers) > 1:
            text = tile_map(state, game, 1, shape, origin)
            bar &= text >= 0  # what may change without being told is left to the network
    made = Recalled(np.zeros(shape, np.uint8), np.zeros(shape, bool))
    camera = np.asarray(state.camera).astype(np.int64)
    for part in parts(camera, np.asarray(state.scene), led_back(camera, game)):
        _look_up(made, frames, mask, scene, camera, part, tiles)
        if bar.any():
            _look_up(made, frames, mask, bar, np.zeros_like(camera), part, text)
    return made


def fixed_pixels(game: GameSpec, shape: tuple[int, int, int], origin: tuple[int, int]) -> np.ndarray:
    """Where the game's picture never scrolls (status bar): bool [T, H, W] of a crop at `origin` (y, x)."""
    frames, height, width = shape
    native = np.zeros(game.native_size, bool)
    for _, x0, y0, x1, y1 in game.fixed_regions:
        native[y0:y1, x0:x1] = True
    part = native[origin[0] : origin[0] + height, origin[1] : origin[1] + width]
    whole = np.zeros((height, width), bool)
    whole[: part.shape[0], : part.shape[1]] = part
    return np.broadcast_to(whole, (frames, height, width))


def moving_pixels(
    state: GameState, game: GameSpec, level: str, shape: tuple[int, int, int], origin: tuple[int, int]
) -> np.ndarray:
    """Where something moves or may move, bool [T, H, W]."""
    covered = np.zeros((shape[0], game.native_size[0], game.native_size[1]), bool)
    height, width = game.native_size
    if level == "full":
        x, y = (np.asarray(state.sprites)[..., i].astype(int) for i in (0, 1))
        for t, n in zip(*np.nonzero((y < height) & (x < width)), strict=True):
            size = game.sprite_size
            covered[t, max(y[t, n], 0) : max(y[t, n] + size, 0), max(x[t, n], 0) : max(x[t, n] + size, 0)] = True
    else:
        seen = game.drawn_objects(state)
        regions = np.asarray(state.boxes).astype(int)
        used, boxes = (regions[..., 0] > 0, regions[..., 1:]) if seen is None else (seen.used, seen.boxes)
        for t, n in zip(*np.nonzero(used), strict=True):
            x0, y0, x1, y1 = np.maximum(boxes[t, n], 0)
            covered[t, y0:y1, x0:x1] = True
    whole = np.ones(shape, bool)  # beyond the native picture nothing is known
    part = covered[:, origin[0] : origin[0] + shape[1], origin[1] : origin[1] + shape[2]]
    whole[:, : part.shape[1], : part.shape[2]] = part
    return whole


def tile_map(
    state: GameState, game: GameSpec, number: int, shape: tuple[int, int, int], origin: tuple[int, int]
) -> np.ndarray:
    """Id of a layer's tile under each pixel, int16 [T, H, W]; -1 where it is guessed or there is none."""
    layer, ids = game.tile_layers[number], np.asarray(state.tiles[number])
    corner = np.asarray(state.tile_xy[number]).astype(int)
    row = (np.arange(shape[1]) + origin[0] - corner[:, 1:]) // layer.cell  # [T, H]
    col = (np.arange(shape[2]) + origin[1] - corner[:, :1]) // layer.cell
    inside = ((row >= 0) & (row < layer.rows))[:, :, None] & ((col >= 0) & (col < layer.cols))[:, None]
    row, col = row.clip(0, layer.rows - 1), col.clip(0, layer.cols - 1)
    found = ids[np.arange(shape[0])[:, None, None], row[:, :, None], col[:, None]]
    guesses = layer.ids - 1 if number else min(game.looks.first_guess, layer.ids - 1)
    return np.where(inside & (found < guesses), found, -1).astype(np.int16)


def led_back(camera: np.ndarray, game: GameSpec) -> np.ndarray:
    """The first frames after a map led back (see `pages`): bool [T].

    The camera goes on meanwhile, so it is set back by not quite a number of pages.
    """
    back = np.zeros(len(camera), bool)
    if game.looks.maze_step and len(camera) > 1:
        moved = np.diff(camera)
        back[1:] = (moved <= -game.native_size[1]) & (moved % game.looks.maze_step <= game.looks.maze_step // 8)
    return back


def parts(camera: np.ndarray, area: np.ndarray, back: np.ndarray | None = None) -> list[np.ndarray]:
    """Runs of frames that show one map, int [n] each; `back` bool [T] begins another."""
    changed = np.diff(area) != 0
    breaks = np.flatnonzero(changed if back is None else changed | back[1:]) + 1
    parts = []
    for run in np.split(np.arange(len(camera)), breaks):
        start = 0
        for i in range(1, len(run) + 1):
            if i == len(run) or np.ptp(camera[run[start : i + 1]]) > _WIDEST:
                parts.append(run[start:i])
                start = i
    return parts


def _look_up(
    made: Recalled,
    frames: np.ndarray,
    mask: np.ndarray,
    still: np.ndarray,
    camera: np.ndarray,
    part: np.ndarray,
    tiles: np.ndarray | None = None,
) -> None:
    """Write what frames of `part` show of each other into `made`. Pixels that are not `still` are left out."""
    height, width = frames.shape[1:]
    left = camera[part] - camera[part].min()
    nearest = np.full((len(part), height, width), np.iinfo(np.int32).max, np.int32)  # frames to the sighting
    for order in (range(len(part)), range(len(part) - 1, -1, -1)):
        colours = np.zeros((height, int(left.max()) + width), np.uint8)
        when = np.full(colours.shape, -1, np.int32)
        what = None if tiles is None else np.full(colours.shape, -1, np.int16)
        for i in order:
            t, view = part[i], slice(left[i], left[i] + width)
            wanted = mask[t] & still[t]
            if wanted.any():
                seen = when[:, view]
                distance = np.abs(seen - i)
                better = wanted & (seen >= 0) & (distance < nearest[i])
                if tiles is not None and what is not None:
                    better &= (what[:, view] == tiles[t]) | (what[:, view] < 0) | (tiles[t] < 0)
                made.indices[t][better] = colours[:, view][better]
                made.found[t] |= better
                nearest[i][better] = distance[better]
            shown = still[t] & ~mask[t]
            colours[:, view][shown] = frames[t][shown]
            when[:, view][shown] = i
            if tiles is not None and what is not None:
                what[:, view][shown] = tiles[t][shown]
