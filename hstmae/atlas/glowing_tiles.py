"""Tiles that glow, where a state tells the turn of their colours and not where they are: the maps know that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..games.boxes import glowing
from ..games.pixels import View
from .maps import Atlas, Located


def glowing_tiles(
    view: View, place: Located, atlas: Atlas, behind: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the tiles of the maps whose colours change while they stand there, in those of each frame's turn.

    Args:
        view: of level "compact".
        place: of each frame.
        behind: uint8 [T, H, W] palette entries, believed where `known` bool [T, H, W].
    Returns:
        (palette entries uint8 [T, H, W], trust float32 [T, H, W] that they look so if they are still there).
    """
    game, state = view.game, view.needed_state()
    if not game.tile_layers or not game.looks.cycling_tiles:
        return behind, np.zeros(view.shape, np.float32)
    layer, corner = game.tile_layers[0], np.asarray(state.tile_xy[0]).astype(np.int64)
    ids = np.full((len(corner), layer.rows, layer.cols), -1, np.int16)
    for t, scene in enumerate(place.scene.tolist()):
        if scene in atlas.maps and atlas.maps[scene].tiles.size:
            x = int(place.camera[t]) + int(corner[t, 0]) + layer.cell * np.arange(layer.cols)
            y = int(place.camera_y[t]) + int(corner[t, 1]) + layer.cell * np.arange(layer.rows)
            ids[t] = np.where(x >= 0, atlas.maps[scene].tile_at(layer.cell, y, x), -1)
    lit = replace(state, tiles=(ids, *state.tiles[1:]), glow=game.shown_glow(state, view.level))
    drawn, sure, _ = atlas.glow.paint(glowing(lit, game), behind, known, game.palette, view.origin)
    return drawn, sure
