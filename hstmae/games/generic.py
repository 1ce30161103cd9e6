"""Footage of which nothing is known but its pixels: any game, any video."""

from __future__ import annotations

import numpy as np

from ..errors import GameError
from .spec import GameSpec
from .state import GameState


class Generic(GameSpec):
    """True-colour pictures of any size, without state: every place on the screen is of the region "unknown".

    An empty palette says that frames are uint8 RGB [H, W, 3]. Memory that was recorded beside the pictures is kept in
    the store as it is, of any size, but nobody can tell what it means.
    """

    name = "generic"
    native_size = (224, 224)  # nominal: frames may have any size
    fps = 30.0  # where the source states none
    stride = 2
    palette = np.zeros((0, 3), np.uint8)
    state_size = 0
    context_size = 0
    fields = ()
    tile_layers = ()
    sprite_slots = 0
    sprite_tiles = 0
    sprite_attributes = 0
    sprite_size = 0
    globals_count = 0
    token_names = ()
    token_features = 0
    regions = ("unknown",)
    tile_regions = np.zeros(0, np.uint8)
    fixed_regions = ()

    def context(self, state: np.ndarray, frame_numbers: np.ndarray) -> np.ndarray:
        """Nothing is carried: uint8 [T, 0]."""
        return np.zeros((len(state), 0), np.uint8)

    def decode(self, state: np.ndarray, context: np.ndarray | None) -> GameState:
        """Raises GameError always: the meaning of this memory is unknown."""
        raise GameError(
            "generic: the memory of an unknown game cannot be decoded; use the footage without state, "
            "or describe the game in a file of hstmae/games"
        )
