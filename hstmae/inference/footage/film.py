"""Films to restore, decoded forwards a stretch of frames at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...data.sources.base import Problem, SourceFrame
from ...data.sources.film import FilmEpisode
from ...errors import DataError
from ...games import GameSpec
from ...pictures.true_colour import RgbPicture
from .base import Stretch


class Film:
    """A film, decoded forwards; frames become `f000123.png`.

    `count` is what the film's head says and may be a little off; `read` returns as many frames as there are.
    """

    def __init__(self, name: str, episode: FilmEpisode, game: GameSpec) -> None:
        self.name, self._episode = name, episode
        self.count = episode.size
        self.problems: list[Problem] = []
        self._stateful = game.state_size > 0
        self._frames: Iterator[SourceFrame] | None = None
        self._kept: list[SourceFrame] = []  # from the last stretch, which the next one may share frames with
        self._next = 0
        first = self.read(0, 1)
        if not first.pictures:
            raise DataError(f"{self.place}: holds no frame that can be read")
        self.has_state = first.state is not None

    @property
    def place(self) -> str:
        return str(self._episode.path)

    @property
    def fps(self) -> float | None:
        return self._episode.fps

    def signature(self) -> list[list[object]]:
        return [[self.place], *self._episode.signature()]

    def read(self, start: int, end: int) -> Stretch:
        self._kept = [frame for frame in self._kept if frame.number >= start]
        first = self._kept[0].number if self._kept else self._next
        if self._frames is None or first > start:  # from the beginning, or back
            self._frames, self._kept, self._next = self._episode.frames(self.problems.append, {}), [], 0
        while self._next < end and (frame := next(self._frames, None)) is not None:
            if self._next >= start:
                self._kept.append(frame)
            self._next += 1
        chosen = [frame for frame in self._kept if frame.number < end]
        states = [frame.state for frame in chosen if frame.state is not None] if self._stateful else []
        return Stretch(
            [f"f{frame.number:06d}.png" for frame in chosen],
            [RgbPicture(frame.pixels, np.zeros(frame.pixels.shape[:2], bool)) for frame in chosen],
            np.stack(states) if states and len(states) == len(chosen) else None,
            None,
            np.array([frame.number for frame in chosen], np.int64),
        )
