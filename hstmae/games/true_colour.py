"""What games share of which pictures are known as RGB alone: no palette, no tiles, no sprites, nothing carried."""

from __future__ import annotations

import numpy as np

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
