"""Restoration of a palette game for which there is no model: by its state, by other frames, the rest by motion."""

from __future__ import annotations

import numpy as np

from ..config import ModelConfig
from ..games import GameState
from ..games.palette import nearest_entries
from ..games.pixels import View
from ..motion.recall import USUAL, Mode, Recall
from ..restoration.anything import AnythingRestorer
from ..restoration.result import Restoration
from ..restoration.strangers import apart
from ..restoration.threads import threads
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
        self._mode = mode

    def fingerprint(self) -> str:
        return f"{NAME} {self.config.game} {AnythingRestorer(self._mode).fingerprint()}"

    def draw(
        self, frames: np.ndarray, masks: tuple[np.ndarray, ...], palette: np.ndarray, state: GameState | None,
        view: View, size: tuple[int, int],
    ) -> Restoration:  # fmt: skip
        """See `ClipRestorer.draw`: what is left, by motion recall: colours are its means, entries the likeliest."""
        hidden, _, wanted = masks
        rgb, entries = palette[frames], frames.copy()
        sure = np.ones(frames.shape, np.float32)
        seen = not hidden.all()  # else nothing at all tells of it
        todo, given = wanted.any((1, 2)), rgb.copy()
        for company, lost in apart(given, hidden, (view.shape[1], view.shape[2])):
            own = np.flatnonzero(todo & company.frames).tolist()
            for t, drawn in Recall(given, lost, self._mode, threads()).draw_all(own) if own else ():
                rgb[t].reshape(-1, 3)[drawn.place] = drawn.rgb
                entries[t].reshape(-1)[drawn.place] = nearest_entries(drawn.likeliest, palette, self.game)
                sure[t].reshape(-1)[drawn.place] = drawn.confidence if seen else 0
        return Restoration(rgb, entries, sure)
