"""What a masked pixel showed in another frame: scenery keeps its colours, so a place seen once is known.

A game's state tells where the camera is and where things move. All visible pixels on which nothing moves are entered
in a map of the level, once forward and once backward in time; a masked pixel on which nothing moves is looked up there,
and the sighting that is nearer in time counts, unless the state tells that another tile stands there now. Only visible
pixels of the input are used, as by the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..games.pixels import View, led_back, parts
from .maps import Located

# How often a recalled pixel is right, in round figures (episodes held back from training, tubes at 90 %).
TRUST = 0.9999


@dataclass
class Recalled:
    """indices uint8 [T, H, W], what was seen; found bool [T, H, W], the masked pixels for which that is known."""

    indices: np.ndarray
    found: np.ndarray


def recall(view: View) -> Recalled:
    """Look masked pixels up in the other frames; the view needs a state."""
    game, state = view.game, view.needed_state()
    scene = ~view.moving & ~view.fixed
    bar = view.fixed & ~view.moving
    tiles = text = None
    if view.level == "full" and game.tile_layers:
        tiles = view.tile_ids(0)
        scene &= ~np.isin(tiles, game.looks.cycling_tiles)
        if view.fixed.any() and len(game.tile_layers) > 1:
            text = view.tile_ids(1)
            bar &= text >= 0  # where the state gives no id, the network draws
    made = Recalled(np.zeros(view.shape, np.uint8), np.zeros(view.shape, bool))
    place = Located.of_state(state)
    corner = np.stack([place.camera_y, place.camera], -1)
    for part in parts(corner[:, 1], np.asarray(state.scene), led_back(corner[:, 1], game)):
        _look_up(made, view, scene, corner, part, tiles)
        if bar.any():
            _look_up(made, view, bar, _corner_of_bar(view), part, text)
    return made


def _corner_of_bar(view: View) -> np.ndarray:
    """y and x of the pictures' corners in the status bar, int64 [T, 2]: where the state says it lies elsewhere once."""
    if view.level != "full" or len(view.game.tile_layers) < 2:
        return np.zeros((view.shape[0], 2), np.int64)
    return -np.asarray(view.needed_state().tile_xy[1]).astype(np.int64)[:, ::-1]


def _look_up(
    made: Recalled, view: View, still: np.ndarray, corner: np.ndarray, part: np.ndarray, tiles: np.ndarray | None
) -> None:
    """Write what frames of `part` show of each other into `made`. Pixels that are not `still` are left out.

    `corner` int64 [T, 2]: world y and x of the pictures' corners.
    """
    frames, mask = view.frames, view.mask
    height, width = frames.shape[1:]
    top, left = (corner[part] - corner[part].min(0)).T
    nearest = np.full((len(part), height, width), np.iinfo(np.int32).max, np.int32)  # frames to the sighting
    for order in (range(len(part)), range(len(part) - 1, -1, -1)):
        colours = np.zeros((int(top.max()) + height, int(left.max()) + width), np.uint8)
        when = np.full(colours.shape, -1, np.int32)
        what = None if tiles is None else np.full(colours.shape, -1, np.int16)
        for i in order:
            t, here = part[i], (slice(top[i], top[i] + height), slice(left[i], left[i] + width))
            wanted = mask[t] & still[t]
            if wanted.any():
                seen = when[here]
                distance = np.abs(seen - i)
                better = wanted & (seen >= 0) & (distance < nearest[i])
                if tiles is not None and what is not None:
                    better &= (what[here] == tiles[t]) | (what[here] < 0) | (tiles[t] < 0)
                made.indices[t][better] = colours[here][better]
                made.found[t] |= better
                nearest[i][better] = distance[better]
            shown = still[t] & ~mask[t]
            colours[here][shown] = frames[t][shown]
            when[here][shown] = i
            if tiles is not None and what is not None:
                what[here][shown] = tiles[t][shown]
