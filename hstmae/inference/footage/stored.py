"""Episodes of a store to restore."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...data.store.reader import EpisodeStore
from ...games import get_game
from ...inputs.unpacking import shown
from ...pictures.base import Picture
from ...pictures.indexed import IndexedPicture
from ...pictures.true_colour import RgbPicture
from .base import Stretch


class StoreFootage:
    """One episode of a store; frames become `f000123.png` by their number."""

    fps: float | None = None

    def __init__(self, store: EpisodeStore, episode: int) -> None:
        self._store, self._episode = store, episode
        info = store.info(episode)
        self.name = info.name
        self.has_state = info.has_state and get_game(store.game).state_size > 0
        self.files = [f"f{n:06d}.png" for n in info.frame_numbers.tolist()]
        self.count = info.frames

    @property
    def place(self) -> str:
        return f"{self._store.path}/{self.name}"

    def signature(self) -> list[list[object]]:
        return [[shown(Path(self._store.path)), self._store.hash, self.name]]

    def read(self, start: int, end: int) -> Stretch:
        end = min(end, self.count)
        part = self._store.read(self._episode, range(start, end))
        pictures = [picture_of(frame, part.palette) for frame in part.frames]
        state = part.state if self.has_state else None
        return Stretch(self.files[start:end], pictures, state, part.context, part.frame_numbers, part.corner)


def picture_of(frame: np.ndarray, palette: np.ndarray | None) -> Picture:
    """A frame of an episode, uint8 [H, W] entries of `palette` [K, 3] or [H, W, 3], as a picture to restore."""
    if palette is None:
        return RgbPicture(frame, np.zeros(frame.shape[:2], bool))
    return IndexedPicture.of_entries(frame, palette)
