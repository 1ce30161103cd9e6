"""What games share of which pictures are known as RGB alone: no palette, no tiles, no sprites, nothing carried."""

from __future__ import annotations

import numpy as np

from ..errors import GameError
from .spec import GameSpec
from .state import GameState


class TrueColour(GameSpec):
    """Base of descriptions without graphics of their own. An empty palette says that frames are uint8 RGB [H, W, 3]."""

    palette = np.zeros((0, 3), np.uint8)

    def positioned(self, tokens: np.ndarray, xy: np.ndarray, valid: np.ndarray, boxes: np.ndarray) -> GameState:
        """The state that consists of tokens and boxes on one unmoving screen.

        Args:
            tokens: float32 [T, K, F]; xy: float32 [T, K, 2]; valid: bool [T, K]; boxes: int16 [T, M, 5]: see GameState.
        """
        t = len(tokens)
        return GameState(
            tiles=(),
            tile_xy=(),
            sprites=np.zeros((t, 0, 4), np.int16),
            globals=np.zeros((t, 0), np.uint8),
            camera=np.zeros(t, np.int32),
            area=np.zeros(t, np.int32),
            tokens=tokens,
            token_xy=xy,
            token_valid=valid,
            boxes=boxes,
            scene=np.zeros(t, np.int32),
        )


class Generic(TrueColour):
    """Footage of which nothing is known but its pixels: any game, any video, pictures of any size, without state.

    Every place on the screen is of the region "unknown". Memory that was recorded beside the pictures is kept in the
    store as it is, of any size, but nobody can tell what it means.
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
