"""Atari 2600 games recorded through the Arcade Learning Environment: 128 bytes of memory, and nothing known about them.

What a byte means differs from game to game, so there are no layers, boxes or labels: the compact state is the memory
itself, as numbers from 0 to 1, and its tokens sit in the middle of the screen since no byte is known to be a place.
"""

from __future__ import annotations

import numpy as np

from .spec import GameSpec, StateField
from .state import GameState

_BYTES, _TOKENS = 128, 8
_FEATURES = _BYTES // _TOKENS


class Atari(GameSpec):
    """True-colour pictures (an empty palette), usually 210x160, with the console's work memory."""

    name = "atari"
    native_size = (210, 160)  # of most NTSC games; frames may have another size
    fps = 60.0
    stride = 4
    palette = np.zeros((0, 3), np.uint8)
    state_size = _BYTES
    context_size = 0
    fields = (StateField("memory", 0x80, "byte, its meaning depends on the game", _BYTES, "console hardware"),)
    tile_layers = ()
    sprite_slots = 0
    sprite_tiles = 0
    sprite_attributes = 0
    sprite_size = 0
    globals_count = 0
    token_names = tuple(f"memory{_FEATURES * i:02x}" for i in range(_TOKENS))
    token_features = _FEATURES
    regions = ("unknown",)
    tile_regions = np.zeros(0, np.uint8)
    fixed_regions = ()

    def context(self, state: np.ndarray, frame_numbers: np.ndarray) -> np.ndarray:
        """Nothing is carried: uint8 [T, 0]."""
        return np.zeros((len(state), 0), np.uint8)

    def decode(self, state: np.ndarray, context: np.ndarray | None) -> GameState:
        """Tokens float32 [T, 8, 16] in 0 to 1: 16 consecutive bytes of memory each. Everything else is empty."""
        self.check_state(state)
        t, (height, width) = len(state), self.native_size
        return GameState(
            tiles=(),
            tile_xy=(),
            sprites=np.zeros((t, 0, 4), np.int16),
            globals=np.zeros((t, 0), np.uint8),
            camera=np.zeros(t, np.int32),
            area=np.zeros(t, np.int32),
            tokens=(state.reshape(t, _TOKENS, _FEATURES) / np.float32(255)).astype(np.float32),
            token_xy=np.tile(np.array([width / 2, height / 2], np.float32), (t, _TOKENS, 1)),
            token_valid=np.ones((t, _TOKENS), bool),
            boxes=np.zeros((t, 0, 5), np.int16),
        )
