"""Pictures that the state itself tells, pixel by pixel: nothing of them has to have been seen before."""

from __future__ import annotations

import numpy as np

from .pixels import View
from .spec import GameSpec

TRUST = 0.9999  # in a pixel that is told, where what is visible around bears the state out


def tells_pictures(game: GameSpec) -> bool:
    """Whether a state of level "full" tells whole pictures, see `TileLayer.entries`."""
    return any(layer.entries for layer in game.tile_layers)


def told_pixels(view: View) -> tuple[np.ndarray, np.ndarray] | None:
    """Palette entries uint8 [T, H, W] and where there are any, bool [T, H, W]; None where the state tells none."""
    if view.state is None or view.level != "full" or not tells_pictures(view.game):
        return None
    colours, told = np.zeros(view.shape, np.uint8), np.zeros(view.shape, bool)
    for number, layer in enumerate(view.game.tile_layers):
        if layer.entries:
            entry = np.array([*layer.entries, -1], np.int16)[view.tile_ids(number)]  # no id is -1, the last one
            here = entry >= 0
            colours[here], told = entry[here], told | here
    return colours, told
