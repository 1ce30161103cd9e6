"""Restoration of a palette game for which there is no model: by its state, by other frames, the rest by motion."""

from __future__ import annotations

import numpy as np

from ..config import ModelConfig
from ..games import GameState
from ..games.palette import nearest_entries
from ..games.pixels import View
from ..motion.recall import USUAL, Mode
from ..restoration.anything import AnythingRestorer
from ..restoration.result import Restoration
from .footage_restorer import FootageRestorer

NAME = "no network"


class NoNetwork(FootageRestorer):
    """Nothing is trained: a state that tells pictures (`TileLayer.entries`) is drawn, scenery is looked up in other
    frames by the camera, and what is left is drawn by motion recall.

    Args:
        game: registered game with a palette.
        mode: of motion recall.
    """

    def __init__(self, game: str, mode: Mode = USUAL) -> None:
        super().__init__(ModelConfig(name=NAME, game=game))
        self._motion = AnythingRestorer(mode)

    def fingerprint(self) -> str:
        return f"{NAME} {self.config.game} {self._motion.fingerprint()}"

    def draw(
        self, frames: np.ndarray, masks: tuple[np.ndarray, ...], palette: np.ndarray, state: GameState | None,
        view: View, size: tuple[int, int],
    ) -> Restoration:  # fmt: skip
        """See `ClipRestorer.draw`: what is left, by motion recall."""
        hidden, _, wanted = masks
        made = self._motion.restore(palette[frames], hidden, wanted=np.asarray(wanted.any((1, 2))))
        entries = frames.copy()
        entries[hidden] = nearest_entries(made.rgb[hidden], palette, self.game)
        return Restoration(made.rgb, entries, made.confidence)
