"""Episodes of a store to restore."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...data.sources.base import Problem
from ...data.store.reader import EpisodeStore
from ...errors import StoreError
from ...games import get_game
from ...inputs.unpacking import shown
from ...pictures.base import Picture
from ...pictures.indexed import IndexedPicture
from ...pictures.true_colour import RgbPicture
from .base import Stretch, lost_like


class StoreFootage:
    """One episode of a store; frames become `f000123.png` by their number.

    Frames of damaged groups are there with everything missing, unless `strict`.

    Attributes:
        problems: frames that are lost.
    """

    fps: float | None = None
    of_game = True  # it says which game it shows

    def __init__(self, store: EpisodeStore, episode: int, strict: bool = False) -> None:
        self._store, self._episode, self._strict = store, episode, strict
        self.problems: list[Problem] = []
        self._lost: set[int] = set()
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
        try:
            part = self._store.read(self._episode, range(start, end))
            pictures = [picture_of(frame, part.palette) for frame in part.frames]
        except StoreError:
            if self._strict:
                raise
            return self._what_is_left(start, end)
        state = part.state if self.has_state else None
        return Stretch(self.files[start:end], pictures, state, part.context, part.frame_numbers, part.corner)

    def _what_is_left(self, start: int, end: int) -> Stretch:
        """As `read`, frame by frame: those of damaged groups are lost.

        Raises:
            StoreError: no frame of this part is left, or their memory is damaged as well.
        """
        store, rows = self._store, np.arange(start, end)
        palette, found, damage = store.info(self._episode).palette, dict[int, Picture](), StoreError("")
        for row in range(start, end):
            try:
                found[row] = picture_of(
                    store.column(self._episode, "frames", rows[row - start : row - start + 1])[0], palette
                )
            except StoreError as error:
                damage = error
                if row not in self._lost:
                    self._lost.add(row)
                    self.problems.append(Problem(self.name, self.files[row], str(error)))
        if not found:
            raise damage
        like, columns = next(iter(found.values())), store.info(self._episode).columns
        state = store.column(self._episode, "state", rows) if self.has_state else None
        context = store.column(self._episode, "context", rows) if "context" in columns else None
        pictures = [found[row] if row in found else lost_like(like) for row in range(start, end)]
        numbers = store.frame_numbers(self._episode)[rows]
        return Stretch(self.files[start:end], pictures, state, context, numbers, store.info(self._episode).corner)


def picture_of(frame: np.ndarray, palette: np.ndarray | None) -> Picture:
    """A frame of an episode, uint8 [H, W] entries of `palette` [K, 3] or [H, W, 3], as a picture to restore."""
    if palette is None:
        return RgbPicture(frame, np.zeros(frame.shape[:2], bool))
    return IndexedPicture.of_entries(frame, palette)
