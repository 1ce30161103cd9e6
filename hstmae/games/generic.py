"""Footage of which nothing is known but its pixels: any game, any video."""

from __future__ import annotations

import numpy as np

from ..errors import GameError
from .state import GameState
from .true_colour import TrueColour


class Generic(TrueColour):
    """True-colour pictures of any size, without state: every place on the screen is of the region "unknown".

    Memory that was recorded beside the pictures is kept in the store as it is, of any size, but nobody can tell what it
    means.
    """

    name = "generic"
    native_size = (224, 224)  # nominal: frames may have any size
    fps = 30.0  # where the source states none
    stride = 2
    state_size = 0

    def decode(self, state: np.ndarray, context: np.ndarray | None) -> GameState:
        """Raises GameError always: the meaning of this memory is unknown."""
        raise GameError(
            "generic: the memory of an unknown game cannot be decoded; use the footage without state, "
            "or describe the game in a file of its own (docs/adding-a-game.md)"
        )
