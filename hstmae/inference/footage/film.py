"""Films to restore, decoded forwards a stretch of frames at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...data.sources.base import Problem
from ...data.sources.film import FilmEpisode, mean_rate
from ...data.sources.side_file import side_data
from ...data.sources.snapped import snapper_of
from ...errors import DataError
from ...film.reading import FilmFrame, FilmReader
from ...games import GameSpec
from ...pictures.native import Native
from ...pictures.true_colour import RgbPicture
from .base import Stretch


class Film:
    """A film, decoded forwards; frames become `f000123.png`.

    Frames that are lost, or were decoded with errors, are there with everything missing. Those that follow them are
    taken as they were decoded, and named in `problems`.

    Attributes:
        reader: of the film; its facts hold what pictures do not.
        count: what the film's packets say, which may be a little off; `read` returns as many frames as there are.
    """

    def __init__(self, name: str, episode: FilmEpisode, game: GameSpec, fail: bool = False) -> None:
        """`fail`: refuse damaged frames instead."""
        self.name, self._episode, self._fail = name, episode, fail
        self.reader = FilmReader(episode.path)
        self.count = len(self.reader.facts.times) or episode.size
        side = side_data(episode.side, episode.state_size) if game.state_size else None
        self._state = None if side is None else side.state
        if self._state is not None and len(self._state) != self.count:
            raise DataError(
                f"{self.place}: its side file has {len(self._state)} frames, the film {self.count}; leave it out with "
                "--state none"
            )
        self.snapper = snapper_of(self.reader, game) if game.indexed else None
        self._frames: Iterator[FilmFrame] | None = None
        self._kept: list[tuple[int, RgbPicture]] = []  # of the last stretch, which the next one may share frames with
        self._next = 0
        self.has_state = self._state is not None

    @property
    def place(self) -> str:
        return str(self._episode.path)

    @property
    def fps(self) -> float | None:
        return mean_rate(self.reader.facts)

    @property
    def problems(self) -> list[Problem]:
        """What was wrong with the frames that were read."""
        return [Problem(self.name or self._episode.path.name, "", line) for line in self.reader.damage]

    @property
    def notes(self) -> list[str]:
        """How the film is read where it does not say so itself."""
        lines = [*self.reader.remarks, *([] if self.snapper is None else [self.snapper.remark])]
        return [f"{self._episode.path.name}: {line}" for line in lines]

    def signature(self) -> list[list[object]]:
        return [[self.place], *self._episode.signature()]

    def read(self, start: int, end: int) -> Stretch:
        self._kept = [kept for kept in self._kept if kept[0] >= start]
        first = self._kept[0][0] if self._kept else self._next
        if self._frames is None or first > start:  # from the beginning, or back
            self._frames, self._kept, self._next = self.reader.frames(), [], 0
        while self._next < end and (frame := next(self._frames, None)) is not None:
            if self._fail and frame.damaged:
                raise DataError(
                    f"{self.place}: frame {frame.number} is damaged or follows a damaged one; without --on-error fail "
                    "damaged ones are restored whole"
                )
            if self._next >= start:
                self._kept.append((frame.number, self._picture(frame)))
            self._next += 1
        chosen = [kept for kept in self._kept if kept[0] < end]
        numbers = np.array([number for number, _ in chosen], np.int64)
        return Stretch(
            [f"f{number:06d}.png" for number in numbers.tolist()],
            [picture for _, picture in chosen],
            None if self._state is None else self._state[numbers],
            None,
            numbers,
            *(((0, 0), None) if self.snapper is None else (self.snapper.corner, self.snapper)),
        )

    def _picture(self, frame: FilmFrame) -> RgbPicture:
        alpha = self.reader.alpha(frame)
        missing = np.full(self.reader.facts.upright_size, frame.lost) if alpha is None else (alpha == 0) | frame.lost
        rgb = np.ascontiguousarray(self.reader.rgb(frame))
        return RgbPicture(rgb, missing, None if alpha is None else Native(np.dstack([rgb, alpha]), 8))
